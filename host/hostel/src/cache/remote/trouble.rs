//! Problems with a remote cache, and their texts.

use std::error::Error;
use std::fmt;
use std::iter;
use std::time::Duration;

use hostel_core::excerpt_within;

/// The maximum length of a service's message in a text.
const SHOWN_CHARS: usize = 240;

/// The error codes for a missing bucket. A missing object has another code with the same status. Of S3 and Google, then
/// of Azure.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];

/// A failed request.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The service reported an error or sent no answer.
    Service(object_store::Error),
    /// The service took longer than the timeout.
    Late(Duration),
    /// Each time, another writer had changed the same object.
    Contended,
}

/// The kinds of problems that a person would distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TroubleKind {
    /// Credentials are missing or insufficient.
    Denied,
    /// The bucket does not exist.
    NoBucket,
    /// No answer arrived in time.
    Late,
    /// Another writer was always faster.
    Contended,
    /// All others: no connection, throttled, broken.
    Unreachable,
}

impl Trouble {
    pub(super) fn kind(&self) -> TroubleKind {
        use object_store::Error as E;
        match self {
            Self::Late(_) => TroubleKind::Late,
            Self::Contended => TroubleKind::Contended,
            Self::Service(E::PermissionDenied { .. } | E::Unauthenticated { .. }) => TroubleKind::Denied,
            Self::Service(E::NotFound { .. }) => TroubleKind::NoBucket,
            Self::Service(_) => TroubleKind::Unreachable,
        }
    }

    /// Whether a retry may succeed soon.
    pub(super) fn may_pass(&self) -> bool {
        match self.kind() {
            TroubleKind::Denied | TroubleKind::NoBucket => false,
            TroubleKind::Late | TroubleKind::Contended | TroubleKind::Unreachable => true,
        }
    }
}

impl From<object_store::Error> for Trouble {
    fn from(error: object_store::Error) -> Self {
        Self::Service(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Service(error) = self else {
            return match self {
                Self::Late(waited) => write!(f, "no answer within {waited:?}"),
                Self::Contended | Self::Service(_) => f.write_str("others keep changing the same object"),
            };
        };
        let what = match self.kind() {
            TroubleKind::Denied => "access is denied: ",
            TroubleKind::NoBucket => "the bucket or directory is missing: ",
            TroubleKind::Late | TroubleKind::Contended | TroubleKind::Unreachable => "",
        };
        write!(f, "{what}{}", cause(error))
    }
}

/// Whether an object is missing, as opposed to its bucket.
pub(super) fn is_missing(error: &object_store::Error) -> bool {
    let object_store::Error::NotFound { source, .. } = error else { return false };
    let text = source.to_string();
    !NO_BUCKET.iter().any(|code| text.contains(code))
}

/// Whether a service does not support a kind of request at all.
pub(super) fn is_unknown(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    if let E::Generic { source, .. } = error {
        // HTTP's 501 is only visible here.
        return source.to_string().contains("501 Not Implemented");
    }
    matches!(error, E::NotImplemented { .. } | E::NotSupported { .. })
}

/// The root cause, in one line. The errors before it repeat it, with the URL and the number of attempts.
fn cause(error: &object_store::Error) -> String {
    let first: &dyn Error = error;
    let cause = iter::successors(Some(first), |&error| error.source()).last().unwrap_or(first);
    let text = cause.to_string();
    excerpt_within(text.split_whitespace().collect::<Vec<_>>().join(" "), SHOWN_CHARS)
}
