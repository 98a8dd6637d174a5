//! Errors of the command, with hints.

use std::error::Error;
use std::fmt;
use std::io;

use hostel::{BuildError, ErrorKind, OpenDirError, ResultCacheError, SubmitError};
use hostel_wire::{message, without_number};

use crate::exit::Exit;

/// An error: the wrong value, the expectation, and hints for the next step.
#[derive(Debug)]
pub(crate) struct Problem {
    exit: Exit,
    message: String,
    hints: Vec<String>,
}

/// Why a command stops early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An error to report.
    Problem(Problem),
    /// Stdout is closed: there is nothing left to do or to report.
    StdoutClosed,
}

impl Problem {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hints: Vec::new() }
    }

    /// An invalid request.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Exit::Invalid, message)
    }

    /// An error of the libraries, with its causes.
    pub(crate) fn of(kind: ErrorKind, error: &dyn Error) -> Self {
        Self::new(Exit::of_kind(kind), message(error))
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(file: impl fmt::Display, error: &io::Error) -> Self {
        const EXITS: [(io::ErrorKind, Exit); 4] = [
            (io::ErrorKind::NotFound, Exit::NotFound),
            (io::ErrorKind::NotADirectory, Exit::NotFound),
            (io::ErrorKind::PermissionDenied, Exit::Denied),
            (io::ErrorKind::IsADirectory, Exit::Invalid),
        ];
        let exit = EXITS.iter().find(|(kind, _)| *kind == error.kind());
        let exit = exit.map_or(Exit::HostFailed, |(_, exit)| *exit);
        Self::new(exit, format!("cannot read {file}: {}", without_number(&error.to_string())))
    }

    /// The same as an invalid request.
    #[must_use]
    pub(crate) fn into_invalid(self) -> Self {
        Self { exit: Exit::Invalid, ..self }
    }

    /// The same, with the name of a part before it: a file, an argument, an item.
    #[must_use]
    pub(crate) fn within(mut self, part: impl fmt::Display) -> Self {
        self.message = format!("{part}: {}", self.message);
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn hints_of(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<BuildError> for Problem {
    fn from(error: BuildError) -> Self {
        Self::of(error.kind(), &error)
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let is_too_large = matches!(error, SubmitError::InputTooLarge { .. });
        let could_trap = matches!(&error, SubmitError::NotLinked(missing) if missing.can_trap());
        let too_large = is_too_large.then_some("allow larger arguments with --max-input");
        let trap = could_trap.then_some("if it never calls the import, run it with --unknown-imports trap");
        Self::of(error.kind(), &error).hints_of(too_large.or(trap).map(str::to_owned))
    }
}

impl From<ResultCacheError> for Problem {
    fn from(error: ResultCacheError) -> Self {
        Self::of(error.kind(), &error)
    }
}

impl From<OpenDirError> for Problem {
    fn from(error: OpenDirError) -> Self {
        Self::of(error.kind(), &error)
    }
}

impl<P: Into<Problem>> From<P> for Stop {
    fn from(problem: P) -> Self {
        Self::Problem(problem.into())
    }
}

/// A write to stdout that failed.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::StdoutClosed;
        }
        let error = without_number(&error.to_string());
        Self::Problem(Problem::new(Exit::HostFailed, format!("cannot write to stdout: {error}")))
    }
}
