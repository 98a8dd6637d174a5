//! Values and outcomes as a record of a run has them.

use std::sync::Arc;

use crate::outcome::write_error;
use crate::{BlobRef, CanonicalError, Digest, Failure, Outcome, Signature, Type, Value};

/// A value as it is stored: its canonical bytes, which carry their type, or the place of those bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoredValue {
    /// The canonical bytes.
    Bytes(Arc<[u8]>),
    /// The canonical bytes are stored elsewhere, under their digest.
    Blob(BlobRef),
}

/// How a run or an attempt ended, with the value as it is stored.
pub type StoredOutcome = Outcome<StoredValue>;

impl StoredValue {
    /// The most canonical bytes that a journal stores beside the run: longer ones are blobs.
    pub const MAX_INLINE_BYTES: usize = 16 << 10;

    /// A value of this type.
    ///
    /// # Errors
    ///
    /// [`CanonicalError`] if the value is not of the type in normal form.
    pub fn new(value: &Value, ty: &Type) -> Result<Self, CanonicalError> {
        Ok(Self::Bytes(value.to_canonical(ty)?.into()))
    }

    /// How many canonical bytes the value has, wherever they are.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob(blob) => blob.length,
        }
    }

    /// The type and the value, if the bytes are here.
    ///
    /// # Errors
    ///
    /// [`CanonicalError`] if the bytes are not canonical: nothing has checked them before.
    pub fn read(&self) -> Result<Option<(Type, Value)>, CanonicalError> {
        match self {
            Self::Bytes(bytes) => Value::from_canonical(bytes).map(Some),
            Self::Blob(_) => Ok(None),
        }
    }

    /// The same value with its bytes elsewhere, if there are more than [`StoredValue::MAX_INLINE_BYTES`] of them here: the
    /// bytes that must be stored under the blob's digest. Costs one hash of them.
    pub fn spill(&mut self) -> Option<Arc<[u8]>> {
        let Self::Bytes(bytes) = self else { return None };
        if bytes.len() <= Self::MAX_INLINE_BYTES {
            return None;
        }
        let bytes = Arc::clone(bytes);
        *self = Self::Blob(BlobRef { digest: Digest::of(&bytes), length: bytes.len() as u64 });
        Some(bytes)
    }
}

impl StoredOutcome {
    /// The value of a run that completed, or of its typed error.
    pub fn value_mut(&mut self) -> Option<&mut StoredValue> {
        match self {
            Self::Completed(value) | Self::Failed(Failure::Error(value)) => Some(value),
            Self::Failed(_) | Self::Crashed { .. } | Self::Cancelled => None,
        }
    }

    /// What went wrong, in one line of at most [`MAX_ERROR_CHARS`](crate::MAX_ERROR_CHARS) characters; `None` for a run that completed
    /// or was cancelled. A typed error that is stored elsewhere is named by its size.
    pub fn error_line(&self) -> Option<String> {
        self.error_line_with(|stored, f| match stored.read() {
            Ok(Some((_, value))) => write_error(&value, f),
            Ok(None) => write!(f, "returned an error of {} bytes", stored.size_bytes()),
            Err(_) => write!(f, "returned an error that cannot be read"),
        })
    }
}

impl Outcome {
    /// The outcome of a run of a task with this signature, as it is stored.
    ///
    /// # Errors
    ///
    /// [`CanonicalError`] if the value is not what the signature says.
    pub fn to_stored(&self, signature: &Signature) -> Result<StoredOutcome, CanonicalError> {
        let ty = match self {
            Self::Failed(Failure::Error(_)) => signature.error_type(),
            Self::Completed(_) | Self::Failed(_) | Self::Crashed { .. } | Self::Cancelled => {
                signature.completed_type()
            }
        };
        self.clone().try_map(|value| StoredValue::new(&value, ty))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_stored_with_the_type_of_its_side() {
        let result = Type::result(Some(Type::U8), Some(Type::String));
        let signature = Signature::new::<&str>([], Some(result));
        let check = |outcome: Outcome, ty: Option<Type>| {
            let stored = outcome.to_stored(&signature).unwrap();
            let read = stored.try_map(|value| value.read().map(Option::unwrap)).unwrap();
            let types = match &read {
                Outcome::Completed((ty, _)) | Outcome::Failed(Failure::Error((ty, _))) => Some(ty.clone()),
                Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled => None,
            };
            assert_eq!(types, ty);
            assert_eq!(read.try_map(|(_, value)| Ok::<_, ()>(value)), Ok(outcome));
        };
        check(Outcome::Completed(Value::U8(7)), Some(Type::U8));
        check(Outcome::Failed(Failure::Error(Value::String("no".into()))), Some(Type::String));
        check(Outcome::Crashed { reason: "lost".into() }, None);
        check(Outcome::Cancelled, None);
        let wrong = Outcome::Completed(Value::Bool(true)).to_stored(&signature);
        assert!(matches!(wrong, Err(CanonicalError::NotNormal { .. })));
    }

    #[test]
    fn only_long_values_are_spilled() {
        let of = |length: usize| StoredValue::Bytes(vec![1; length].into());
        let mut short = of(StoredValue::MAX_INLINE_BYTES);
        assert_eq!((short.spill(), short.size_bytes()), (None, 16 << 10));
        let mut long = of(StoredValue::MAX_INLINE_BYTES + 1);
        let bytes = long.spill().unwrap();
        assert_eq!(long, StoredValue::Blob(BlobRef { digest: Digest::of(&bytes), length: 16_385 }));
        assert_eq!((long.spill(), long.read()), (None, Ok(None)));
    }
}
