//! Errors, as programs read them: problem details after RFC 9457.

use std::borrow::Cow;
use std::error::Error;

use hostel::{
    ArgumentError, BuildError, ErrorKind, FindError, LoadError, Problem, ResultCacheError, SubmitError,
    ValueError,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::text::message;

/// An error: what was wrong, what was expected, and what to do next.
///
/// `type`, `title`, `status` and `detail` are those of RFC 9457. The failure of a run is not a problem: see
/// [`ErrorObject`](crate::ErrorObject).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
#[non_exhaustive]
pub struct ProblemObject {
    /// Identifies the kind of problem: `/problems/KIND`.
    #[serde(rename = "type")]
    pub ty: String,
    /// The kind in words, the same for all problems of a kind.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// The kind: `invalid`, `not-found`, `conflict`, `denied`, `exhausted`, `unavailable` or `internal`.
    pub kind: Cow<'static, str>,
    /// This problem, with its causes, on one line.
    pub detail: String,
    /// The arguments that do not fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ArgumentObject>,
    /// Names or keys that may have been meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// The next steps, joined by `; ` in the JSON.
    #[serde(
        default,
        rename = "hint",
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "joined",
        deserialize_with = "one"
    )]
    #[schema(value_type = Option<String>)]
    pub hints: Vec<String>,
}

/// What is wrong with one argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Argument)]
#[non_exhaustive]
pub struct ArgumentObject {
    /// The parameter and the steps into its value: the parameter's name first.
    pub path: Vec<String>,
    /// The problem at the end of the path, in words.
    pub message: String,
    /// The expected type or range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The kind and text of the value, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

impl ArgumentObject {
    /// A part of the request that does not fit: the steps to it, and what is wrong with it.
    pub fn new(path: impl IntoIterator<Item = String>, message: impl Into<String>) -> Self {
        let path = path.into_iter().collect();
        Self { path, message: message.into(), expected: None, found: None }
    }
}

impl ProblemObject {
    /// A problem of this kind.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        let Words { name, title, status } = words(kind);
        Self {
            ty: format!("/problems/{name}"),
            title: title.into(),
            status,
            kind: name.into(),
            detail: detail.into(),
            errors: Vec::new(),
            candidates: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// The same as a problem of another kind.
    #[must_use]
    pub fn with_kind(self, kind: ErrorKind) -> Self {
        let Words { name, title, status } = words(kind);
        Self { ty: format!("/problems/{name}"), title: title.into(), status, kind: name.into(), ..self }
    }

    /// An error of the libraries, with its causes.
    pub fn of(kind: ErrorKind, error: &dyn Error) -> Self {
        Self::new(kind, message(error))
    }

    /// With names or keys that may have been meant.
    #[must_use]
    pub fn candidates(self, candidates: impl IntoIterator<Item = impl ToString>) -> Self {
        Self { candidates: candidates.into_iter().map(|name| name.to_string()).collect(), ..self }
    }

    /// With one more next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

fn joined<S: Serializer>(hints: &[String], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hints.join("; "))
}

/// What [`joined`] has written, as one.
fn one<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Option::<String>::deserialize(from).map(|hint| hint.into_iter().collect())
}

/// The words and the number for a kind.
struct Words {
    name: &'static str,
    title: &'static str,
    status: u16,
}

const fn words(kind: ErrorKind) -> Words {
    let (name, title, status) = match kind {
        ErrorKind::Invalid => ("invalid", "The request is invalid", 422),
        ErrorKind::NotFound => ("not-found", "A named item does not exist", 404),
        ErrorKind::Conflict => ("conflict", "The request conflicts with the current state", 409),
        ErrorKind::Denied => ("denied", "Access is denied", 403),
        ErrorKind::Exhausted => ("exhausted", "A bound was reached", 429),
        ErrorKind::Unavailable => ("unavailable", "Temporarily impossible", 503),
        ErrorKind::Internal => ("internal", "An error of the host", 500),
    };
    Words { name, title, status }
}

impl From<&BuildError> for ProblemObject {
    fn from(error: &BuildError) -> Self {
        Self::of(error.kind(), error)
    }
}

impl From<&LoadError> for ProblemObject {
    fn from(error: &LoadError) -> Self {
        Self::of(error.kind(), error)
    }
}

impl From<&FindError> for ProblemObject {
    fn from(error: &FindError) -> Self {
        let problem = Self::of(error.kind(), error);
        match error {
            FindError::NotFound { candidates, .. }
            | FindError::Ambiguous { candidates, .. }
            | FindError::Unnamed { candidates } => problem.candidates(candidates),
            FindError::NotCallable { .. } | _ => problem,
        }
    }
}

impl From<&ResultCacheError> for ProblemObject {
    fn from(error: &ResultCacheError) -> Self {
        let problem = Self::of(error.kind(), error);
        if let ResultCacheError::Ambiguous { candidates, .. } = error {
            problem.candidates(candidates)
        } else {
            problem
        }
    }
}

impl From<&SubmitError> for ProblemObject {
    fn from(error: &SubmitError) -> Self {
        if let SubmitError::Argument(error) = error {
            Self::from(error)
        } else {
            Self::of(error.kind(), error)
        }
    }
}

impl From<&ArgumentError> for ProblemObject {
    fn from(error: &ArgumentError) -> Self {
        let problem = Self::of(ErrorKind::Invalid, error);
        let errors = match error {
            ArgumentError::Missing { names } => names.iter().map(|name| missing(name)).collect(),
            ArgumentError::Wrong { name, error } => vec![wrong(name, error)],
            ArgumentError::Twice { name } => vec![argument(name, "given twice".to_owned())],
            ArgumentError::Unknown(unknown) => vec![argument(unknown.name(), error.to_string())],
            ArgumentError::TooMany { .. } | ArgumentError::NoArguments { .. } => Vec::new(),
            _ => Vec::new(),
        };
        let candidates: &[_] =
            if let ArgumentError::Unknown(unknown) = error { unknown.known() } else { &[] };
        Self { errors, ..problem }.candidates(candidates)
    }
}

fn argument(name: &str, message: String) -> ArgumentObject {
    ArgumentObject { path: vec![name.to_owned()], message, expected: None, found: None }
}

fn missing(name: &str) -> ArgumentObject {
    argument(name, "missing".to_owned())
}

fn wrong(name: &str, error: &ValueError) -> ArgumentObject {
    let mut argument = argument(name, error.problem().to_string());
    argument.path.extend(error.path().map(ToString::to_string));
    if let Problem::Mismatch { expected, found } = error.problem() {
        argument.expected = Some(expected.clone());
        argument.found = Some(found.clone());
    }
    argument
}
