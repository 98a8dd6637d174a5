//! `hostel:task/hooks`: exports that the host calls, and that are not tasks.

use crate::{ExportPath, Field, Name, RunId, Signature, TaskKey, Type, Value};

/// The interface, in all versions that this host supports.
const INTERFACE: &str = "hostel:task/hooks@0.1.";

/// The fields of the record that is the argument of hooks.
const COMMITTED_RUN: [&str; 4] = ["run-id", "task-key", "inputs", "value"];

/// A hook of a component; see `wit/task.wit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// The run's transaction was committed.
    OnCommit,
    /// The run's transaction is rolled back.
    OnRollback,
}

/// The completed run for which a hook is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedRun {
    /// Its id.
    pub run: RunId,
    /// Its task.
    pub task: TaskKey,
    /// Its inputs: a JSON object with a member for each parameter.
    pub inputs: String,
    /// Its value, as JSON.
    pub value: String,
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

    /// The hook that an export is, according to its path and signature.
    pub fn of(path: &ExportPath, signature: &Signature) -> Option<Self> {
        let is_this = |hook: &Self| path.function() == hook.name() && *signature == hook.signature();
        Self::ALL.into_iter().find(is_this).filter(|_| is_in_hooks(path))
    }

    /// The parameters and result of the function.
    pub fn signature(self) -> Signature {
        let field = |name| Field { name: Name::from(name), ty: Type::String };
        let run = Type::Record(COMMITTED_RUN.map(field).into());
        let result = match self {
            Self::OnCommit => None,
            Self::OnRollback => Some(Type::Result { ok: None, err: Some(Type::String.into()) }),
        };
        Signature::new([("run", run)], result)
    }
}

impl From<CommittedRun> for Value {
    /// Returns the argument of a hook.
    fn from(committed: CommittedRun) -> Self {
        let CommittedRun { run, task, inputs, value } = committed;
        let values = [run.to_string(), task.to_string(), inputs, value];
        let fields = COMMITTED_RUN.into_iter().zip(values);
        Self::Record(fields.map(|(name, text)| (Name::from(name), Self::String(text))).collect())
    }
}

/// Whether an export belongs to the interface of hooks, as a supported hook or as something else.
pub fn is_in_hooks(path: &ExportPath) -> bool {
    path.interface().is_some_and(|interface| interface.starts_with(INTERFACE))
}
