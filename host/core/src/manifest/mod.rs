//! Components as data: their exports and imports, without their code.

mod encoding;
mod find;

use std::fmt;

pub use self::encoding::DecodeManifestError;
pub use self::find::FindError;
use crate::{Digest, ExportPath, Signature};

/// A component without its code: all that is needed to find its tasks, to bind arguments to them, and to show what it may
/// ask for.
///
/// ```
/// # use hostel_core::*;
/// let signature = Signature::new([("a", Type::S64)], Some(Type::S64));
/// let add_one = Export::task(ExportPath::in_interface("acme:math/ops@1.0.0", "add-one"), signature);
/// let manifest =
///     Manifest { digest: Digest::of(b""), size_bytes: 0, exports: vec![add_one], imports: Vec::new() };
/// let (export, signature) = manifest.task(Some("ops.add-one"))?;
/// assert_eq!((export.path.function(), signature.params.len()), ("add-one", 1));
/// assert_eq!(Manifest::decode(&manifest.encode()?)?, manifest);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The SHA-256 of the component's bytes.
    pub digest: Digest,
    /// The number of the component's bytes; 0 if it is unknown.
    pub size_bytes: u64,
    /// Every exported function, callable or not, in declared order, with hooks.
    pub exports: Vec<Export>,
    /// Every import, in declared order.
    pub imports: Vec<Import>,
}

/// A function that a component exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its path.
    pub path: ExportPath,
    /// Its signature, or the reason why it is not callable as a task.
    pub callable: Result<Signature, String>,
    /// The hook that it is, if any. Hooks are called by the host, and not callable as tasks.
    pub hook: Option<Hook>,
    /// Whether it is the `main` of a program (`wasi:cli/run`), which takes `args` and `stdin`.
    pub is_program: bool,
}

/// A hook of a component: a function that the host calls. See `wit/task.wit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// The run's transaction was committed.
    OnCommit,
    /// The run's transaction is rolled back.
    OnRollback,
}

/// An interface or function that a component imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its full name, such as `wasi:clocks/wall-clock@0.2.6`.
    pub name: String,
    /// The requests that it allows the guest to make.
    pub capability: Capability,
}

/// A kind of request that a guest may make. Toolchains import much that a program never calls, so this lists possible
/// requests only. A request is not a permission: by default only clocks, randomness and output are granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Wall time and monotonic time, and sleeping.
    Clocks,
    /// Random numbers.
    Randomness,
    /// Files and directories.
    Files,
    /// Environment variables and arguments.
    Environment,
    /// Standard input.
    StandardInput,
    /// Standard output and standard error, which go to the run's log.
    Output,
    /// TCP, UDP and name look-up.
    Network,
    /// Outgoing HTTP requests.
    OutgoingHttp,
    /// The identity and the deadline of its run; reporting progress, and logging with levels and fields.
    RunContext,
    /// Streams, polling and exit: harmless by themselves.
    Plumbing,
    /// An interface that this host does not provide.
    Unknown,
}

impl Manifest {
    /// The capabilities that the imports ask for, each once, without plumbing.
    pub fn asked_for(&self) -> Vec<Capability> {
        let mut asked: Vec<_> = self.imports.iter().map(|import| import.capability).collect();
        asked.retain(|capability| *capability != Capability::Plumbing);
        asked.sort();
        asked.dedup();
        asked
    }
}

impl Export {
    /// A function that is callable as a task.
    pub const fn task(path: ExportPath, signature: Signature) -> Self {
        Self { path, callable: Ok(signature), hook: None, is_program: false }
    }
}

impl Hook {
    /// All of them, in the order of the interface.
    pub const ALL: [Self; 2] = [Self::OnCommit, Self::OnRollback];

    /// The function's name: `on-commit` or `on-rollback`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnCommit => "on-commit",
            Self::OnRollback => "on-rollback",
        }
    }
}

impl Capability {
    /// All of them, in the order in which reports show them.
    pub const ALL: [Self; 11] = [
        Self::Clocks,
        Self::Randomness,
        Self::Files,
        Self::Environment,
        Self::StandardInput,
        Self::Output,
        Self::Network,
        Self::OutgoingHttp,
        Self::RunContext,
        Self::Plumbing,
        Self::Unknown,
    ];

    /// The name in reports, such as `outgoing HTTP`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clocks => "clocks",
            Self::Randomness => "randomness",
            Self::Files => "files",
            Self::Environment => "environment",
            Self::StandardInput => "standard input",
            Self::Output => "output",
            Self::Network => "network",
            Self::OutgoingHttp => "outgoing HTTP",
            Self::RunContext => "run context",
            Self::Plumbing => "plumbing",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_asked_for_once_and_in_order() {
        let import = |capability| Import { name: String::new(), capability };
        let imports =
            [Capability::Network, Capability::Plumbing, Capability::Clocks, Capability::Network].map(import);
        let digest = Digest::of(b"");
        let manifest = Manifest { digest, size_bytes: 0, exports: Vec::new(), imports: imports.into() };
        assert_eq!(manifest.asked_for(), [Capability::Clocks, Capability::Network]);
        assert!(Capability::ALL.is_sorted());
    }
}
