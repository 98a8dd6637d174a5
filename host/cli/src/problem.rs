//! Errors of the command, with hints.

use std::error::Error;
use std::fmt;
use std::io;

use hostel::{BuildError, ErrorKind, OpenDirError, ResultCacheError, SubmitError};
use hostel_wire::{ProblemObject, without_number};

use crate::exit::Exit;

/// An error: the wrong value, the expectation, and hints for the next step.
#[derive(Debug)]
pub(crate) struct Problem {
    exit: Exit,
    /// The problem as programs read it.
    /// In a box, so that results are small.
    object: Box<ProblemObject>,
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
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self::from_object(kind, ProblemObject::new(kind, detail))
    }

    /// An invalid request.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An error with the parts that programs read.
    pub(crate) fn from_object(kind: ErrorKind, object: ProblemObject) -> Self {
        Self { exit: Exit::of_kind(kind), object: Box::new(object) }
    }

    /// An error of the libraries, with its causes.
    pub(crate) fn of(kind: ErrorKind, error: &dyn Error) -> Self {
        Self::from_object(kind, ProblemObject::of(kind, error))
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(file: impl fmt::Display, error: &io::Error) -> Self {
        const KINDS: [(io::ErrorKind, ErrorKind); 4] = [
            (io::ErrorKind::NotFound, ErrorKind::NotFound),
            (io::ErrorKind::NotADirectory, ErrorKind::NotFound),
            (io::ErrorKind::PermissionDenied, ErrorKind::Denied),
            (io::ErrorKind::IsADirectory, ErrorKind::Invalid),
        ];
        let kind = KINDS.iter().find(|(of_system, _)| *of_system == error.kind());
        let kind = kind.map_or(ErrorKind::Internal, |(_, kind)| *kind);
        Self::new(kind, format!("cannot read {file}: {}", without_number(&error.to_string())))
    }

    /// The same with another exit code than that of its kind.
    #[must_use]
    pub(crate) fn exits(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// The same as an invalid request.
    #[must_use]
    pub(crate) fn into_invalid(self) -> Self {
        let kind = ErrorKind::Invalid;
        Self::from_object(kind, self.object.with_kind(kind))
    }

    /// The same, with the name of a part before it: a file, an argument, an item.
    #[must_use]
    pub(crate) fn within(mut self, part: impl fmt::Display) -> Self {
        self.object.detail = format!("{part}: {}", self.object.detail);
        self
    }

    /// The same with other words.
    #[must_use]
    pub(crate) fn with_detail(mut self, detail: String) -> Self {
        self.object.detail = detail;
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.object.hints.push(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn hints_of(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.object.hints.extend(hints);
        self
    }

    pub(crate) fn hints(&self) -> &[String] {
        &self.object.hints
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.object.detail)
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
        Self::from_object(error.kind(), ProblemObject::from(&error))
            .hints_of(too_large.or(trap).map(str::to_owned))
    }
}

impl From<ResultCacheError> for Problem {
    fn from(error: ResultCacheError) -> Self {
        Self::from_object(error.kind(), ProblemObject::from(&error))
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
        Self::Problem(Problem::new(ErrorKind::Internal, format!("cannot write to stdout: {error}")))
    }
}
