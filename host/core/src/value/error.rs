//! Errors of values, with their paths.

use std::fmt::{self, Display, Write};

use super::{Name, UnknownName};

/// The number of characters of a value, a type or a list of names in an error message; the rest is `…`.
const SHOWN_CHARS: usize = 80;

/// The error for a value that does not fit its type, or a text that is not a value.
///
/// Formatted as `field "rate": expected f64, found string "fast"`: the path from the outside in, then the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// Innermost step first, because errors are created there and passed outwards.
    steps: Vec<Step>,
    problem: Problem,
}

/// One step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Into a field of a record.
    Field(Name),
    /// Into an element of a list or tuple, counted from 0.
    Element(usize),
    /// Into the payload of a variant's case.
    Case(Name),
    /// Into the payload of `ok`.
    Ok,
    /// Into the payload of `err`.
    Err,
    /// To a key of a map, counted from 0 in the written order.
    Key(usize),
    /// To the value of a key of a map; the key is shortened WAVE text.
    Entry(String),
}

/// The problem at the end of the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A value of a different type, or a number out of the type's range.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// The type in WIT notation, or the range; shortened.
        expected: String,
        /// The kind and text of the value; shortened.
        found: String,
    },
    /// A tuple or fixed-length list has the wrong number of elements.
    #[error("expected {expected} elements, found {found}")]
    Length {
        /// The number in the type.
        expected: usize,
        /// The number in the value.
        found: usize,
    },
    /// A field of a record is missing, and is not an option.
    #[error("missing field {name:?}")]
    MissingField {
        /// The missing field.
        name: Name,
    },
    /// Too many fields are left out, each of which takes memory.
    #[error(
        "more than {most} fields are left out: write some of them as null (`none` in WAVE), or pass fewer elements"
    )]
    LeftOut {
        /// How many may be.
        most: usize,
    },
    /// A duplicate field or flag.
    #[error("{what} {name:?} is given twice")]
    Twice {
        /// `field` or `flag`.
        what: &'static str,
        /// Its name.
        name: Name,
    },
    /// A field, case or flag that the type does not have.
    #[error("{0}")]
    Unknown(UnknownName),
    /// A case with a payload is written without it.
    #[error("{case:?} needs a payload of type {expected}")]
    MissingPayload {
        /// The case, or `ok` or `err`.
        case: String,
        /// The payload's type in WIT notation, shortened.
        expected: String,
    },
    /// A case without a payload is written with one.
    #[error("{case:?} takes no payload, found {found}")]
    UnexpectedPayload {
        /// The case, or `ok` or `err`.
        case: String,
        /// The kind and text of the payload, shortened.
        found: String,
    },
    /// The text is not WAVE, or not JSON.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// The expectation, and the text found instead.
        message: String,
    },
}

impl ValueError {
    /// The error for `found` instead of `expected`; both are shortened.
    pub fn mismatch(expected: impl Display, found: impl Display) -> Self {
        let (expected, found) = (excerpt(expected), excerpt(found));
        Problem::Mismatch { expected, found }.into()
    }

    /// Returns the error with one more outer step.
    #[must_use]
    pub fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Returns the steps that lead to the problem, outermost first.
    pub fn path(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().rev()
    }

    /// Returns the problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl From<Problem> for ValueError {
    fn from(problem: Problem) -> Self {
        Self { steps: Vec::new(), problem }
    }
}

impl std::error::Error for ValueError {}

impl Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().try_for_each(|step| write!(f, "{step}: "))?;
        self.problem.fmt(f)
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, "field {name:?}"),
            Self::Element(index) => write!(f, "element {index}"),
            Self::Case(name) => write!(f, "case {name:?}"),
            Self::Ok => f.write_str("ok"),
            Self::Err => f.write_str("err"),
            Self::Key(index) => write!(f, "key {index}"),
            Self::Entry(key) => write!(f, "value of key {key}"),
        }
    }
}

/// Returns the beginning of what `shown` displays, cut with `…` after [`SHOWN_CHARS`] characters.
pub(crate) fn excerpt(shown: impl Display) -> String {
    excerpt_within(shown, SHOWN_CHARS)
}

/// Returns the beginning of what `shown` displays, cut with `…` after this many characters.
///
/// The cost does not depend on the length of the whole text. Line breaks and other control characters become spaces.
pub fn excerpt_within(shown: impl Display, characters: usize) -> String {
    let mut excerpt = Excerpt { text: String::new(), room: characters };
    // The only failure is the one below that stops the writing, and then the text is complete.
    let _ = write!(excerpt, "{shown}");
    excerpt.text
}

/// Returns the names with commas between them, shortened.
pub(crate) fn list_names(names: &[Name]) -> String {
    excerpt(fmt::from_fn(|f| super::ty::write_list(f, names)))
}

struct Excerpt {
    text: String,
    room: usize,
}

impl Write for Excerpt {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.room == 0 {
                self.text.push('…');
                return Err(fmt::Error);
            }
            self.room -= 1;
            self.text.push(if character.is_control() { ' ' } else { character });
        }
        Ok(())
    }
}
