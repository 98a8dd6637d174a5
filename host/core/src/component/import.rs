//! The requests that a component may make of the host, grouped as capabilities.

use std::fmt;

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

impl Import {
    /// The import of this name.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { capability: Capability::of(&name), name }
    }
}

impl Capability {
    /// All of them, in the order of reports.
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

    /// The capability of an import, by its name.
    pub fn of(import: &str) -> Self {
        if wasi_version(import).is_some() {
            return Self::Unknown;
        }
        let interface = import.split('@').next().unwrap_or(import);
        let (package, name) = interface.split_once('/').unwrap_or((interface, ""));
        match (package, name) {
            ("wasi:clocks", _) => Self::Clocks,
            ("wasi:random", _) => Self::Randomness,
            ("wasi:filesystem", _) => Self::Files,
            ("wasi:sockets", _) => Self::Network,
            ("wasi:http", _) => Self::OutgoingHttp,
            ("wasi:cli", "environment") => Self::Environment,
            ("wasi:cli", "stdin" | "terminal-stdin") => Self::StandardInput,
            ("wasi:cli", "stdout" | "stderr" | "terminal-stdout" | "terminal-stderr" | "terminal-output") => {
                Self::Output
            }
            ("wasi:cli", "terminal-input") => Self::StandardInput,
            ("wasi:cli" | "wasi:io", _) => Self::Plumbing,
            ("hostel:task", "context") => Self::RunContext,
            _ => Self::Unknown,
        }
    }
}

/// The version of WASI of an import, if this host has a different one.
pub fn wasi_version(import: &str) -> Option<&str> {
    let (_, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    // Earlier and later versions are different worlds, and so are drafts: compatibility is not guaranteed.
    let is_here = version.starts_with("0.2.") && !version.contains('-');
    (!is_here).then_some(version)
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
    fn imports_are_grouped_by_what_they_give() {
        let check = |import, capability| assert_eq!(Capability::of(import), capability, "{import}");
        check("wasi:clocks/wall-clock@0.2.6", Capability::Clocks);
        check("wasi:random/insecure-seed@0.2.0", Capability::Randomness);
        check("wasi:filesystem/preopens@0.2.4", Capability::Files);
        check("wasi:sockets/tcp@0.2.12", Capability::Network);
        check("wasi:http/outgoing-handler@0.2.6", Capability::OutgoingHttp);
        check("wasi:cli/environment@0.2.0", Capability::Environment);
        check("wasi:cli/stderr@0.2.0", Capability::Output);
        check("wasi:cli/exit@0.2.0", Capability::Plumbing);
        check("wasi:io/poll@0.2.0", Capability::Plumbing);
        check("acme:math/ops", Capability::Unknown);
        check("wasi:clocks/monotonic-clock@0.3.0", Capability::Unknown);
        check("wasi:io/poll@0.2.0-rc-2023-11-10", Capability::Unknown);
        check("wasi:keyvalue/store@0.2.0-draft", Capability::Unknown);
        check("log", Capability::Unknown);
    }
}
