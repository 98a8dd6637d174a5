//! Errors as answers: problem details after RFC 9457, each with its status.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hostel::journal::{JournalConflict, JournalError, OpenJournalError};
use hostel::registry::RegistryError;
use hostel::schedules::{AddScheduleError, TimetableError};
use hostel::{ArgumentError, DelayError, ErrorKind, FindError, LoadError, ResultCacheError, SubmitError};
use hostel_wire::{ArgumentObject, ProblemObject, RunQueryError, StoredRunError};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::expectation::Mismatch;

/// What went wrong, as programs tell problems apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// An error of the library.
    Kind(ErrorKind),
    /// The request cannot be read at all: no JSON, a broken address.
    Malformed,
    /// No token, or an unknown one.
    Unauthorized,
    /// The token lacks a scope.
    MissingScope,
    /// A page of another origin has sent the request.
    CrossOrigin,
    /// There is no such address.
    NoRoute,
    /// The address does not have the method.
    MethodNotAllowed,
    /// The sender of the body was too slow.
    TooSlow,
    /// The run's id belongs to another request.
    IdInUse,
    /// A version asks for more than the one before, and nobody has accepted that.
    CapabilityChange,
    /// The body is too large.
    TooLarge,
    /// The body is of another type than expected.
    MediaType,
    /// The request is for another host.
    WrongHost,
    /// The bytes do not have the digest.
    WrongDigest,
    /// The idempotency key belongs to another request.
    KeyReused,
    /// A component that the host refuses.
    BadComponent,
    /// Too many requests of one token, or too many streams.
    TooMany,
}

/// The words and the status for a code.
struct Words {
    name: &'static str,
    title: &'static str,
    status: StatusCode,
}

/// An error, as the server answers it. In a box, so that results are small.
#[derive(Clone, Debug)]
pub(crate) struct ApiProblem(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    code: Code,
    object: ProblemObject,
    /// Members that only some problems have.
    more: Map<String, Json>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// What handlers return.
pub(crate) type Answer<T> = Result<T, ApiProblem>;

impl Code {
    /// Every code.
    pub(crate) const ALL: [Self; 23] = [
        Self::Kind(ErrorKind::Invalid),
        Self::Kind(ErrorKind::NotFound),
        Self::Kind(ErrorKind::Conflict),
        Self::Kind(ErrorKind::Denied),
        Self::Kind(ErrorKind::Exhausted),
        Self::Kind(ErrorKind::Unavailable),
        Self::Kind(ErrorKind::Internal),
        Self::Malformed,
        Self::Unauthorized,
        Self::MissingScope,
        Self::CrossOrigin,
        Self::NoRoute,
        Self::MethodNotAllowed,
        Self::TooSlow,
        Self::IdInUse,
        Self::CapabilityChange,
        Self::TooLarge,
        Self::MediaType,
        Self::WrongHost,
        Self::WrongDigest,
        Self::KeyReused,
        Self::BadComponent,
        Self::TooMany,
    ];

    const fn words(self) -> Words {
        let (name, title, status) = match self {
            Self::Kind(ErrorKind::Invalid) => {
                ("invalid", "The request is invalid", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::Kind(ErrorKind::NotFound) => {
                ("not-found", "A named item does not exist", StatusCode::NOT_FOUND)
            }
            Self::Kind(ErrorKind::Conflict) => {
                ("conflict", "The request conflicts with the current state", StatusCode::CONFLICT)
            }
            Self::Kind(ErrorKind::Denied) => ("denied", "Access is denied", StatusCode::FORBIDDEN),
            Self::Kind(ErrorKind::Exhausted) => {
                ("exhausted", "A bound was reached", StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Kind(ErrorKind::Unavailable) => {
                ("unavailable", "Temporarily impossible", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Kind(ErrorKind::Internal) => {
                ("internal", "An error of the host", StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Malformed => ("malformed", "The request cannot be read", StatusCode::BAD_REQUEST),
            Self::Unauthorized => ("unauthorized", "A valid token is missing", StatusCode::UNAUTHORIZED),
            Self::MissingScope => ("missing-scope", "The token may not do this", StatusCode::FORBIDDEN),
            Self::CrossOrigin => {
                ("cross-origin", "A page of another origin has sent the request", StatusCode::FORBIDDEN)
            }
            Self::NoRoute => ("no-route", "There is no such address", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => {
                ("method-not-allowed", "The address has other methods", StatusCode::METHOD_NOT_ALLOWED)
            }
            Self::TooSlow => ("too-slow", "The body came too slowly", StatusCode::REQUEST_TIMEOUT),
            Self::IdInUse => ("id-in-use", "The id belongs to another request", StatusCode::CONFLICT),
            Self::CapabilityChange => {
                ("capability-change", "The version asks for more than the one before", StatusCode::CONFLICT)
            }
            Self::TooLarge => ("too-large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::MediaType => {
                ("media-type", "The body is of another type", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Self::WrongHost => {
                ("wrong-host", "The request is for another host", StatusCode::MISDIRECTED_REQUEST)
            }
            Self::WrongDigest => {
                ("wrong-digest", "The bytes have another digest", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::KeyReused => (
                "idempotency-key-reused",
                "The key belongs to another request",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            Self::BadComponent => {
                ("bad-component", "The component cannot be used", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::TooMany => ("too-many-requests", "Too many requests", StatusCode::TOO_MANY_REQUESTS),
        };
        Words { name, title, status }
    }

    /// Its name, the last part of the problem's `type`.
    pub(crate) const fn name(self) -> &'static str {
        self.words().name
    }

    /// What it means, in words.
    pub(crate) const fn title(self) -> &'static str {
        self.words().title
    }

    /// Its status.
    pub(crate) const fn status(self) -> StatusCode {
        self.words().status
    }

    /// The kind of error that it is for someone who does not know the code.
    const fn kind(self) -> ErrorKind {
        match self {
            Self::Kind(kind) => kind,
            Self::Malformed
            | Self::MethodNotAllowed
            | Self::TooSlow
            | Self::TooLarge
            | Self::MediaType
            | Self::WrongHost
            | Self::WrongDigest
            | Self::KeyReused
            | Self::BadComponent => ErrorKind::Invalid,
            Self::Unauthorized | Self::MissingScope | Self::CrossOrigin => ErrorKind::Denied,
            Self::NoRoute => ErrorKind::NotFound,
            Self::IdInUse | Self::CapabilityChange => ErrorKind::Conflict,
            Self::TooMany => ErrorKind::Exhausted,
        }
    }
}

impl ApiProblem {
    /// A problem with this code.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::of(code, ProblemObject::new(code.kind(), detail))
    }

    /// A request that is invalid.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::Kind(ErrorKind::Invalid), detail)
    }

    /// Something that does not exist.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::Kind(ErrorKind::NotFound), detail)
    }

    /// A problem as the command line reports it, under this code.
    pub(crate) fn of(code: Code, mut object: ProblemObject) -> Self {
        let Words { name, title, status } = code.words();
        object.ty = format!("/problems/{name}");
        object.title = title.into();
        object.status = status.as_u16();
        object.kind = kind_name(code.kind()).into();
        let is_later = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let header = if is_later {
            Some((RETRY_AFTER, HeaderValue::from_static("1")))
        } else if status == StatusCode::UNAUTHORIZED {
            Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hostel\"")))
        } else {
            None
        };
        Self(Box::new(Details { code, object, more: Map::new(), header }))
    }

    /// An error of the libraries, with its causes.
    fn from_error(kind: ErrorKind, error: &dyn std::error::Error) -> Self {
        Self::of(Code::Kind(kind), ProblemObject::of(kind, error))
    }

    /// With one more next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.object.hints.push(hint.into());
        self
    }

    /// With what may have been meant.
    #[must_use]
    pub(crate) fn candidates(mut self, candidates: impl IntoIterator<Item = impl ToString>) -> Self {
        self.0.object.candidates = candidates.into_iter().map(|name| name.to_string()).collect();
        self
    }

    /// With a part of the request that does not fit.
    #[must_use]
    pub(crate) fn at(mut self, path: impl IntoIterator<Item = String>, message: impl Into<String>) -> Self {
        self.0.object.errors.push(ArgumentObject::new(path, message));
        self
    }

    /// With a part of the request that is not as expected.
    #[must_use]
    pub(crate) fn mismatch(mut self, path: Vec<String>, mismatch: Mismatch) -> Self {
        let mut object = ArgumentObject::new(path, mismatch.message());
        (object.expected, object.found) = (Some(mismatch.expected), mismatch.found);
        self.0.object.errors.push(object);
        self
    }

    /// With a member that only this problem has.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        // Cannot fail: what the server writes has texts as keys.
        self.0.more.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    /// With the name of a part before the detail: a line of a map.
    #[must_use]
    pub(crate) fn within(mut self, part: impl std::fmt::Display) -> Self {
        self.0.object.detail = format!("{part}: {}", self.0.object.detail);
        self
    }

    /// Its code.
    pub(crate) const fn code(&self) -> Code {
        self.0.code
    }

    /// What went wrong.
    pub(crate) fn detail(&self) -> &str {
        &self.0.object.detail
    }

    /// Its status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// The answer, for a request at this path.
    pub(crate) fn answer(&self, instance: &str, request_id: &str) -> Response {
        let whole = WholeProblem {
            problem: &self.0.object,
            code: self.0.code.name(),
            instance,
            request_id,
            more: &self.0.more,
        };
        // Cannot fail: all keys are texts.
        let body = serde_json::to_vec(&whole).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.0.header.clone().into_iter().map(|(name, value)| (Some(name), value)));
        response
    }
}

/// A problem with what only a server knows.
#[derive(Serialize)]
struct WholeProblem<'a> {
    #[serde(flatten)]
    problem: &'a ProblemObject,
    code: &'static str,
    instance: &'a str,
    request_id: &'a str,
    #[serde(flatten)]
    more: &'a Map<String, Json>,
}

/// The body is written where the path and the id of the request are known: in the outermost layer.
impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self);
        response
    }
}

const fn kind_name(kind: ErrorKind) -> &'static str {
    Code::Kind(kind).words().name
}

impl From<JournalError> for ApiProblem {
    fn from(error: JournalError) -> Self {
        let problem = Self::from_error(error.kind(), &error);
        if let JournalError::Conflict(JournalConflict::OtherSpec { .. }) = error {
            let problem = Self::of(Code::IdInUse, problem.0.object);
            problem.hint("choose another id, or send the same request again")
        } else if let JournalError::Full { .. } = error {
            problem.hint("wait until workers have executed some runs")
        } else {
            problem
        }
    }
}

impl From<RegistryError> for ApiProblem {
    fn from(error: RegistryError) -> Self {
        let problem = Self::from_error(error.kind(), &error);
        if let RegistryError::NoRuntime { .. } = &error {
            problem.hint("it was removed: upload it again, or push the script again")
        } else if let RegistryError::NotFound { .. } = &error {
            problem.hint("GET /api/v1/components lists components, GET /api/v1/names names")
        } else if let RegistryError::NoneAccepted { name, newest } = &error {
            problem.hint(format!(
                "accept what it asks for: PUT /api/v1/names/{name}/versions/{newest} with accept_capabilities"
            ))
        } else if let RegistryError::NotTrusted { .. } = &error {
            problem.hint("register the version with a token that has the scope admin, or store the schedule again with one")
        } else {
            problem
        }
    }
}

impl From<LoadError> for ApiProblem {
    fn from(error: LoadError) -> Self {
        let kind = error.kind();
        let code = if kind == ErrorKind::Invalid { Code::BadComponent } else { Code::Kind(kind) };
        Self::of(code, ProblemObject::from(&error))
    }
}

impl From<FindError> for ApiProblem {
    fn from(error: FindError) -> Self {
        Self::of(Code::Kind(error.kind()), ProblemObject::from(&error))
    }
}

impl From<ArgumentError> for ApiProblem {
    fn from(error: ArgumentError) -> Self {
        Self::of(Code::Kind(ErrorKind::Invalid), ProblemObject::from(&error))
    }
}

impl From<SubmitError> for ApiProblem {
    fn from(error: SubmitError) -> Self {
        Self::of(Code::Kind(error.kind()), ProblemObject::from(&error))
    }
}

impl From<DelayError> for ApiProblem {
    fn from(error: DelayError) -> Self {
        if let DelayError::Submit(error) = error {
            error.into()
        } else if let DelayError::Journal(error) = error {
            error.into()
        } else {
            Self::from_error(error.kind(), &error)
        }
    }
}

impl From<ResultCacheError> for ApiProblem {
    fn from(error: ResultCacheError) -> Self {
        Self::of(Code::Kind(error.kind()), ProblemObject::from(&error))
    }
}

impl From<RunQueryError> for ApiProblem {
    fn from(error: RunQueryError) -> Self {
        Self::from_error(ErrorKind::Invalid, &error)
    }
}

impl From<StoredRunError> for ApiProblem {
    fn from(error: StoredRunError) -> Self {
        Self::from_error(ErrorKind::Internal, &error)
    }
}

/// Errors that have a kind, and nothing else that a program could use.
macro_rules! by_kind {
    ($($error:ty),*) => {
        $(impl From<$error> for ApiProblem {
            fn from(error: $error) -> Self {
                Self::from_error(error.kind(), &error)
            }
        })*
    };
}

by_kind!(
    AddScheduleError,
    OpenJournalError,
    TimetableError,
    hostel::SetError,
    hostel::registry::ComponentRefError
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own() {
        let mut names: Vec<_> = Code::ALL.into_iter().map(Code::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn a_kind_has_the_status_that_the_command_line_writes() {
        for code in Code::ALL {
            if let Code::Kind(kind) = code {
                let object = ProblemObject::new(kind, "why");
                assert_eq!((object.status, &*object.title), (code.status().as_u16(), code.title()));
            }
        }
    }
}
