//! The report of an attempt: its outcome, its observed effects and its resource use; or the reason why the host could
//! not make it.

use hostel_core::{ErrorKind, Observation, Outcome, Receipt};

use crate::files::OpenDirError;
use crate::missing::MissingImports;

/// The report of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempted {
    /// Its outcome.
    pub outcome: Outcome,
    /// Its observed effects beyond its inputs.
    pub observation: Observation,
    /// Its resource use; boxed, because an `Attempted` is moved several times.
    pub receipt: Box<Receipt>,
}

/// The host could not make the attempt. A fault of the guest is an [`Outcome`] instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// The instance needs more room than the engine has, even without other attempts.
    #[error("no room for the instance: {0}")]
    NoRoom(String),
    /// The guest had begun, and other attempts left no room for its growth.
    #[error("no room for the instance to grow: {0}")]
    LostRoom(String),
    /// The component was loaded only for inspection ([`Engine::inspect_file`](crate::Engine::inspect_file)).
    #[error("the component was loaded without its code")]
    Surface,
    /// The component has imports that this host does not provide.
    #[error("the component cannot be run: {0}")]
    NotLinked(MissingImports),
    /// The limits have fuel, and the engine does not count fuel.
    #[error("the limit `fuel` is set, but this engine does not count fuel: create it with `count_fuel`")]
    FuelIsNotCounted,
    /// A granted directory cannot be opened.
    #[error(transparent)]
    Dir(#[from] OpenDirError),
    /// A bug in the host.
    #[error("the host failed: {0}")]
    Internal(String),
}

impl AttemptError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRoom(_) | Self::LostRoom(_) => ErrorKind::Exhausted,
            Self::Surface | Self::NotLinked(_) | Self::FuelIsNotCounted => ErrorKind::Invalid,
            Self::Dir(error) => error.kind(),
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    pub(super) fn internal(what: &str) -> Self {
        Self::Internal(what.to_owned())
    }
}
