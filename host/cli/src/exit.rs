//! Exit codes: one closed list, which also gives the table in `hostel --help`.

use hostel::{ErrorKind, Outcome};

/// How the command ended, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Completed,
    RunFailed,
    Invalid,
    NotFound,
    Denied,
    HostFailed,
    Interrupted,
}

impl Exit {
    pub(crate) const ALL: [Self; 7] = [
        Self::Completed,
        Self::RunFailed,
        Self::Invalid,
        Self::NotFound,
        Self::Denied,
        Self::HostFailed,
        Self::Interrupted,
    ];

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::RunFailed => 1,
            Self::Invalid => 2,
            Self::NotFound => 3,
            Self::Denied => 4,
            Self::HostFailed => 5,
            Self::Interrupted => 130,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Completed => "everything completed",
            Self::RunFailed => "a run failed, crashed or was cancelled, or a replay differs",
            Self::Invalid => "wrong usage, an invalid argument or component",
            Self::NotFound => "no such file, export or component",
            Self::Denied => {
                "the system denied access to a file or directory, a server denied a token, or a hostel.toml that grants something is not \
                 trusted (denied requests of a guest are in its log)"
            }
            Self::HostFailed => "an error of the host, or a server that cannot be reached",
            Self::Interrupted => "interrupted (Ctrl-C)",
        }
    }

    /// The exit code for an error of the libraries.
    pub(crate) const fn of_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid | ErrorKind::Conflict => Self::Invalid,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Denied => Self::Denied,
            ErrorKind::Exhausted | ErrorKind::Unavailable | ErrorKind::Internal => Self::HostFailed,
        }
    }

    /// The exit code for the outcome of a run.
    pub(crate) const fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Completed(_) => Self::Completed,
            Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled => Self::RunFailed,
        }
    }

    /// The table for the help.
    pub(crate) fn table() -> String {
        let lines = Self::ALL.map(|exit| format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}", lines.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_code() {
        let check = |kind, code| assert_eq!(Exit::of_kind(kind).code(), code, "{kind:?}");
        check(ErrorKind::Invalid, 2);
        check(ErrorKind::Conflict, 2);
        check(ErrorKind::NotFound, 3);
        check(ErrorKind::Denied, 4);
        check(ErrorKind::Exhausted, 5);
        check(ErrorKind::Unavailable, 5);
        check(ErrorKind::Internal, 5);
    }

    #[test]
    fn every_outcome_has_its_code() {
        use hostel::{Failure, Value};
        let check = |outcome, code| assert_eq!(Exit::of_outcome(&outcome).code(), code, "{outcome:?}");
        check(Outcome::Completed(Value::UNIT), 0);
        check(Outcome::Failed(Failure::Error(Value::UNIT)), 1);
        check(Outcome::Crashed { reason: String::new() }, 1);
        check(Outcome::Cancelled, 1);
    }
}
