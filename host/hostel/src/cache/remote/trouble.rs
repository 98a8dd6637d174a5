//! What can go wrong with a remote cache, and how it is told.

use std::error::Error;
use std::fmt;
use std::iter;
use std::time::Duration;

use hostel_core::excerpt_within;

/// How much is told of what a service said.
const SHOWN_CHARS: usize = 240;

/// What the services say where the bucket itself is missing; an object that is missing has another code, with the same
/// status. Of S3 and Google, then of Azure.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];

/// What a service did not do.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It said no, or nothing.
    Service(object_store::Error),
    /// It took longer than anyone waits.
    Late(Duration),
    /// Others wrote the same object each time this one was about to.
    Contended,
}

/// The kinds of trouble that a person would tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TroubleKind {
    /// Credentials are missing or do not suffice.
    Denied,
    /// The bucket is not there.
    NoBucket,
    /// There was no answer in time.
    Late,
    /// Another writer was always quicker.
    Contended,
    /// All else: no connection, throttled, broken.
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

    /// Whether it may go better in a moment.
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

/// Whether an object is missing, and not the bucket that it should be in.
pub(super) fn is_missing(error: &object_store::Error) -> bool {
    let object_store::Error::NotFound { source, .. } = error else { return false };
    let text = source.to_string();
    !NO_BUCKET.iter().any(|code| text.contains(code))
}

/// Whether a service does not know a kind of request at all.
pub(super) fn is_unknown(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    if let E::Generic { source, .. } = error {
        // Only here HTTP's 501 can be seen.
        return source.to_string().contains("501 Not Implemented");
    }
    matches!(error, E::NotImplemented { .. } | E::NotSupported { .. })
}

/// The first cause of all, in one line: those before it repeat it, with the URL and the number of attempts.
fn cause(error: &object_store::Error) -> String {
    let first: &dyn Error = error;
    let cause = iter::successors(Some(first), |&error| error.source()).last().unwrap_or(first);
    let text = cause.to_string();
    excerpt_within(text.split_whitespace().collect::<Vec<_>>().join(" "), SHOWN_CHARS)
}
