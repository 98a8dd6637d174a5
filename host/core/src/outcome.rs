//! How a run ended: with a value, or with a cause that distinguishes guest and host.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::thrown::Thrown;
use crate::value::excerpt_within;
use crate::{Limit, Signature, Type, UpstreamChain, Value};

/// How a run ended. A guest's failure is an outcome, not an error of the host. Its value is a [`Value`], or another form of
/// one.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<V = Value> {
    /// The guest returned this value; a function without a result returns [`Value::UNIT`].
    ///
    /// A function that returns `result<T, E>` completes with the `T` itself, and fails with the `E`.
    Completed(V),
    /// The guest failed, or was stopped at a limit.
    Failed(Failure<V>),
    /// The host, a worker or the machine was lost; not caused by the guest.
    Crashed {
        /// The cause.
        reason: String,
    },
    /// It was stopped, or withdrawn before it ran.
    Cancelled,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure<V = Value> {
    /// The guest returned `err(e)`: the value `e`, typed; [`Value::UNIT`] if the error has no type.
    Error(V),
    /// The guest trapped.
    Trap(Trap),
    /// The guest exited with a code other than zero.
    Exit {
        /// The exit code.
        code: i32,
        /// The last lines it printed on stderr.
        stderr_tail: Vec<String>,
    },
    /// The guest reached a limit.
    Limit {
        /// The limit, with its value.
        limit: Limit,
        /// The last lines it printed on stderr.
        stderr_tail: Vec<String>,
    },
    /// The attempt was still executing at its timeout.
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// A run that this one depends on did not complete.
    Upstream {
        /// The runs from the nearest dependency to the root cause, and the outcome of the root.
        chain: UpstreamChain,
    },
}

/// A trap, with the details that the sandbox has. A trap has no message from the guest; stderr often has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// WebAssembly's name for the trap, such as ``wasm `unreachable` instruction executed``.
    pub message: String,
    /// The guest's call stack, innermost first; empty if the trap did not happen in guest code.
    pub backtrace: Vec<Frame>,
    /// The last lines the guest printed on stderr, which have a panic's message.
    pub stderr_tail: Vec<String>,
}

/// One frame of a guest's call stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's name, demangled; `None` if the component has no names.
    pub function: Option<String>,
    /// The function's index in its module, which is always known.
    pub index: u32,
    /// The source file and line, if the component has debug information.
    pub source: Option<String>,
}

/// The kinds of failure, with names for `--retry-on` and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "one for each variant of Failure")]
pub enum FailureKind {
    Error,
    Trap,
    Exit,
    Limit,
    Timeout,
    Upstream,
}

impl Value {
    /// The value of a function without a result: the empty tuple, which no WIT type has.
    pub const UNIT: Self = Self::Tuple(Vec::new());
}

/// The type of [`Value::UNIT`].
static UNIT_TYPE: LazyLock<Type> = LazyLock::new(|| Type::Tuple(Arc::from([])));

impl Signature {
    /// The type of the value that a run completes with: the `T` of `result<T, E>`, and the type of [`Value::UNIT`] if there
    /// is none.
    pub fn completed_type(&self) -> &Type {
        match &self.result {
            Some(Type::Result { ok: Some(ok), .. }) => ok,
            Some(Type::Result { ok: None, .. }) | None => &UNIT_TYPE,
            Some(other) => other,
        }
    }

    /// The type of the value that a run fails with: the `E` of `result<T, E>`, and the type of [`Value::UNIT`] if there is
    /// none.
    pub fn error_type(&self) -> &Type {
        match &self.result {
            Some(Type::Result { err: Some(err), .. }) => err,
            Some(_) | None => &UNIT_TYPE,
        }
    }
}

impl FailureKind {
    /// The word in reports: `error`, `trap`, `exit`, `limit`, `timeout`, `upstream`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Trap => "trap",
            Self::Exit => "exit",
            Self::Limit => "limit",
            Self::Timeout => "timeout",
            Self::Upstream => "upstream",
        }
    }
}

impl<V> Outcome<V> {
    /// Whether the run completed with a value.
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed(_))
    }

    /// The value that the guest returned, also if it is an error.
    pub const fn returned(&self) -> Option<&V> {
        match self {
            Self::Completed(value) | Self::Failed(Failure::Error(value)) => Some(value),
            Self::Failed(_) | Self::Crashed { .. } | Self::Cancelled => None,
        }
    }

    /// The same outcome with its value in another form.
    ///
    /// # Errors
    ///
    /// The error of `map`, which is called at most once.
    pub fn try_map<W, E>(self, map: impl FnOnce(V) -> Result<W, E>) -> Result<Outcome<W>, E> {
        Ok(match self {
            Self::Completed(value) => Outcome::Completed(map(value)?),
            Self::Failed(failure) => Outcome::Failed(failure.try_map(map)?),
            Self::Crashed { reason } => Outcome::Crashed { reason },
            Self::Cancelled => Outcome::Cancelled,
        })
    }
}

impl<V> Failure<V> {
    fn try_map<W, E>(self, map: impl FnOnce(V) -> Result<W, E>) -> Result<Failure<W>, E> {
        Ok(match self {
            Self::Error(value) => Failure::Error(map(value)?),
            Self::Trap(trap) => Failure::Trap(trap),
            Self::Exit { code, stderr_tail } => Failure::Exit { code, stderr_tail },
            Self::Limit { limit, stderr_tail } => Failure::Limit { limit, stderr_tail },
            Self::TimedOut { after } => Failure::TimedOut { after },
            Self::Upstream { chain } => Failure::Upstream { chain },
        })
    }

    /// The kind of this failure.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Error(_) => FailureKind::Error,
            Self::Trap(_) => FailureKind::Trap,
            Self::Exit { .. } => FailureKind::Exit,
            Self::Limit { .. } => FailureKind::Limit,
            Self::TimedOut { .. } => FailureKind::Timeout,
            Self::Upstream { .. } => FailureKind::Upstream,
        }
    }

    /// The last lines the guest printed on stderr, for failures that they may explain.
    pub fn stderr_tail(&self) -> &[String] {
        match self {
            Self::Trap(Trap { stderr_tail, .. })
            | Self::Exit { stderr_tail, .. }
            | Self::Limit { stderr_tail, .. } => stderr_tail,
            Self::Error(_) | Self::TimedOut { .. } | Self::Upstream { .. } => &[],
        }
    }
}

impl<V> Failure<V> {
    /// One line, without backtrace and stderr.
    fn write_line(
        &self,
        f: &mut fmt::Formatter<'_>,
        write_error: impl Fn(&V, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        match self {
            Self::Error(value) => write_error(value, f),
            Self::Trap(trap) => write!(f, "trapped: {}", trap.message),
            Self::Exit { code, .. } => write!(f, "exited with code {code}"),
            Self::Limit { limit, .. } => write!(f, "reached a limit: {limit}"),
            Self::TimedOut { after } => write!(f, "timed out after {after:?}"),
            Self::Upstream { chain } => write!(f, "never started: it depends on {chain}"),
        }
    }
}

/// The most characters of a failure in words. The value of a typed error has the rest.
pub const MAX_FAILURE_CHARS: usize = 4_096;

impl fmt::Display for Failure {
    /// One line of at most [`MAX_FAILURE_CHARS`] characters, without backtrace and stderr.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&excerpt_within(fmt::from_fn(|f| self.write_line(f, write_error)), MAX_FAILURE_CHARS))
    }
}

/// The most characters of [`Outcome::error_line`].
pub const MAX_ERROR_CHARS: usize = 300;

impl Outcome {
    /// What went wrong, in one line of at most [`MAX_ERROR_CHARS`] characters; `None` for a run that completed or was cancelled.
    pub fn error_line(&self) -> Option<String> {
        self.error_line_with(write_error)
    }
}

impl<V> Outcome<V> {
    /// The same, where `write_error` writes the value of a typed error.
    pub(crate) fn error_line_with(
        &self,
        write_error: impl Fn(&V, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> Option<String> {
        let line = fmt::from_fn(|f| match self {
            Self::Failed(failure) => failure.write_line(f, &write_error),
            Self::Crashed { reason } => write!(f, "crashed: {reason}"),
            Self::Completed(_) | Self::Cancelled => Ok(()),
        });
        let is_error = matches!(self, Self::Failed(_) | Self::Crashed { .. });
        is_error.then(|| excerpt_within(line, MAX_ERROR_CHARS))
    }
}

pub(crate) fn write_error(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if *value == Value::UNIT {
        f.write_str("returned an error without a value")
    } else if let Some(thrown) = Thrown::of(value) {
        write!(f, "{thrown}")
    } else if let Value::String(text) = value {
        write!(f, "returned the error {text:?}")
    } else {
        write!(f, "returned the error {value}")
    }
}

impl fmt::Display for Outcome {
    /// One line; a value in WAVE.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed(value) => value.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
            Self::Crashed { reason } => write!(f, "crashed: {reason}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LimitKind;

    #[test]
    fn a_failure_says_what_happened_in_one_line() {
        let check = |failure: Failure, expected: &str| assert_eq!(failure.to_string(), expected);
        check(Failure::Error(Value::UNIT), "returned an error without a value");
        check(Failure::Error(Value::String("too \"cold\"".into())), r#"returned the error "too \"cold\"""#);
        check(Failure::Error(Value::U32(7)), "returned the error 7");
        let long = Failure::Error(Value::List(vec![Value::U8(7); 1 << 20])).to_string();
        assert!(long.starts_with("returned the error [7, 7") && long.ends_with('…'), "{long}");
        assert_eq!(long.chars().count(), MAX_FAILURE_CHARS + 1);
        check(Failure::Exit { code: 1, stderr_tail: vec![] }, "exited with code 1");
        check(Failure::TimedOut { after: Duration::from_millis(1500) }, "timed out after 1.5s");
        let limit = Limit { kind: LimitKind::Memory, allowed: 1 << 20 };
        check(
            Failure::Limit { limit, stderr_tail: vec![] },
            "reached a limit: memory of 1 MiB is not enough (raise it with --max-memory)",
        );
    }
}
