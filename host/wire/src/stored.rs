//! Runs of a journal, with their values decoded.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use hostel::journal::{AttemptRecord, RunRecord, StoredOutcome, StoredValue};
use hostel::{BlobRef, CanonicalError, Outcome, Receipt, Type, Value};

/// A run of a journal with its values decoded, from which [`RunObject::stored`](crate::RunObject::stored) is made.
#[derive(Clone, Debug)]
pub struct StoredRun<'r> {
    record: &'r RunRecord,
    outcome: Option<TypedOutcome>,
    /// The outcome of each attempt that has a known one.
    attempts: Vec<Option<TypedOutcome>>,
}

/// An outcome, and the type of its value.
#[derive(Clone, Debug)]
pub(crate) struct TypedOutcome {
    pub(crate) outcome: Outcome,
    /// The empty tuple if there is no value.
    pub(crate) ty: Type,
}

/// A value of a stored run cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredRunError {
    /// Its bytes are damaged.
    Value(CanonicalError),
    /// Its bytes, which are stored separately, are missing.
    Blob(BlobRef),
}

impl fmt::Display for StoredRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(error) => write!(f, "a value of the run is damaged: {error}"),
            Self::Blob(blob) => {
                write!(f, "a value of the run is missing: {} with {} bytes", blob.digest, blob.length)
            }
        }
    }
}

impl Error for StoredRunError {}

impl<'r> StoredRun<'r> {
    /// Decodes the values of a run. `blob` returns the bytes of values that are stored separately.
    ///
    /// # Errors
    ///
    /// [`StoredRunError`] if a value is missing or damaged.
    pub fn read(
        record: &'r RunRecord,
        mut blob: impl FnMut(&BlobRef) -> Option<Arc<[u8]>>,
    ) -> Result<Self, StoredRunError> {
        let mut read = |outcome: &StoredOutcome| TypedOutcome::read(outcome, &mut blob);
        let outcome = record.outcome().map(&mut read).transpose()?;
        let attempts =
            record.attempts().iter().map(|attempt| attempt.outcome.as_ref().map(&mut read).transpose());
        let mut attempts = attempts.collect::<Result<Vec<_>, _>>()?;
        // The end of the run may be the only report about its last attempt.
        let ended_run = record
            .attempts()
            .last()
            .is_some_and(|last| last.ended.is_some() && last.ended == record.ended_at());
        if let (Some(last), Some(outcome), true) = (attempts.last_mut(), &outcome, ended_run) {
            last.get_or_insert_with(|| outcome.clone());
        }
        Ok(Self { record, outcome, attempts })
    }

    pub(crate) fn record(&self) -> &'r RunRecord {
        self.record
    }

    pub(crate) fn outcome(&self) -> Option<&TypedOutcome> {
        self.outcome.as_ref()
    }

    pub(crate) fn attempts(&self) -> impl Iterator<Item = (&'r AttemptRecord, Option<&TypedOutcome>)> {
        self.record.attempts().iter().zip(self.attempts.iter().map(Option::as_ref))
    }

    /// The resource use of all attempts.
    pub(crate) fn receipt(&self) -> Receipt {
        let mut sum = Receipt::default();
        let receipts = self.record.attempts().iter().filter_map(|attempt| attempt.receipt.as_deref());
        receipts.for_each(|receipt| sum.add(receipt));
        sum
    }
}

impl TypedOutcome {
    fn read(
        stored: &StoredOutcome,
        blob: &mut impl FnMut(&BlobRef) -> Option<Arc<[u8]>>,
    ) -> Result<Self, StoredRunError> {
        let mut ty = None;
        let outcome = stored.clone().try_map(|stored| {
            let (found, value) = value(stored, blob)?;
            ty = Some(found);
            Ok(value)
        })?;
        Ok(Self { outcome, ty: ty.unwrap_or_else(no_type) })
    }

    /// An outcome without a value.
    pub(crate) fn untyped(outcome: Outcome) -> Self {
        Self { outcome, ty: no_type() }
    }
}

fn no_type() -> Type {
    Type::tuple([])
}

fn value(
    stored: StoredValue,
    blob: &mut impl FnMut(&BlobRef) -> Option<Arc<[u8]>>,
) -> Result<(Type, Value), StoredRunError> {
    let bytes = match stored {
        StoredValue::Bytes(bytes) => bytes,
        StoredValue::Blob(place) => blob(&place).ok_or(StoredRunError::Blob(place))?,
    };
    Value::from_canonical(&bytes).map_err(StoredRunError::Value)
}
