//! Canonical bytes: a unique byte sequence for each value of each type, for hashing and storing.
//!
//! # The format
//!
//! ```text
//! value      version type payload
//! version    0x01
//! ```
//!
//! The bytes begin with the type, so they are self-describing, and values of different types have
//! different bytes. Nothing follows the payload. Numbers are little-endian. *n* is an unsigned LEB128 number of at
//! most 64 bits in its shortest form; *name* is *n* and that many bytes of UTF-8.
//!
//! ```text
//! type       0x00 bool
//!            0x01 s8     0x02 u8     0x03 s16    0x04 u16
//!            0x05 s32    0x06 u32    0x07 s64    0x08 u64
//!            0x09 f32    0x0a f64    0x0b char   0x0c string
//!            0x0d type               list
//!            0x0e n type             fixed-length list of n elements
//!            0x0f type type          map: key, value
//!            0x10 n (name type)*     record
//!            0x11 n type*            tuple
//!            0x12 n (name maybe)*    variant
//!            0x13 n name*            enum
//!            0x14 type               option
//!            0x15 maybe maybe        result: ok, err
//!            0x16 n name*            flags
//! maybe      0x00                    no payload
//!            0x01 type               a payload of this type
//! ```
//!
//! The names of one record, variant, enum or flags differ from each other. Types nest at most [`MAX_DEPTH`] deep.
//!
//! ```text
//! payload    bool                    0x00 false, 0x01 true
//!            integers                1, 2, 4 or 8 bytes, two's complement
//!            f32, f64                4 or 8 bytes; NaN only as 0x7fc00000, 0x7ff8000000000000
//!            char                    4 bytes, the scalar value
//!            string                  n, then n bytes of UTF-8
//!            list                    n, then n payloads; so a list<u8> is n, then the bytes
//!            fixed-length list       the payloads
//!            map                     n, then n times key and value, the keys' bytes strictly ascending
//!            record, tuple           the payloads, in declared order
//!            variant, enum           n, the case's index, then its payload if it has one
//!            option                  0x00 none, 0x01 and the payload
//!            result                  0x00 ok, 0x01 err, then the payload if that side has one
//!            flags                   one bit a flag, first flag lowest, in as few bytes as hold them; the rest zero
//! ```
//!
//! A value without members (an empty record, tuple, flags or fixed-length list) is one byte 0x00. So every payload is at
//! least one byte, and no length can promise more elements than there are bytes left.
//!
//! `tests/canonical_vectors.txt` fixes this format: any change needs a new version.

mod decode;

mod encode;

use super::{Type, Value};

pub(super) use encode::{f32_bits, f64_bits, one_nan32, one_nan64};

/// The first byte of everything in this format.
const VERSION: u8 = 1;

/// The maximum nesting depth of a type; wasmtime allows 100.
const MAX_DEPTH: usize = 128;

/// The first byte of each type's description.
mod tag {
    pub(super) const BOOL: u8 = 0x00;
    pub(super) const S8: u8 = 0x01;
    pub(super) const U8: u8 = 0x02;
    pub(super) const S16: u8 = 0x03;
    pub(super) const U16: u8 = 0x04;
    pub(super) const S32: u8 = 0x05;
    pub(super) const U32: u8 = 0x06;
    pub(super) const S64: u8 = 0x07;
    pub(super) const U64: u8 = 0x08;
    pub(super) const F32: u8 = 0x09;
    pub(super) const F64: u8 = 0x0a;
    pub(super) const CHAR: u8 = 0x0b;
    pub(super) const STRING: u8 = 0x0c;
    pub(super) const LIST: u8 = 0x0d;
    pub(super) const FIXED_LIST: u8 = 0x0e;
    pub(super) const MAP: u8 = 0x0f;
    pub(super) const RECORD: u8 = 0x10;
    pub(super) const TUPLE: u8 = 0x11;
    pub(super) const VARIANT: u8 = 0x12;
    pub(super) const ENUM: u8 = 0x13;
    pub(super) const OPTION: u8 = 0x14;
    pub(super) const RESULT: u8 = 0x15;
    pub(super) const FLAGS: u8 = 0x16;
    pub(super) const DATA: u8 = 0x17;
}

/// The error for a value without canonical bytes, or for bytes that are not canonical.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// The value is not of the type, or not in normal form: [`Type::conform`] normalises it.
    #[error("value is not in the normal form of {ty}")]
    NotNormal {
        /// The type of the wrong part, shortened.
        ty: String,
    },
    /// A type nests too deep.
    #[error("type nests more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// A type has two members of the same name.
    #[error("type has two members named {name:?}")]
    TwoOfAName {
        /// The name.
        name: String,
    },
    /// The bytes have a different version.
    #[error("canonical bytes of version {found}, expected version {VERSION}")]
    Version {
        /// The first byte.
        found: u8,
    },
    /// The bytes end too early.
    #[error("canonical bytes end too early")]
    Truncated,
    /// There are bytes after the value.
    #[error("{count} more bytes after the value")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The bytes break a rule of the format.
    #[error("not canonical before byte {offset}: expected {rule}")]
    Broken {
        /// The number of bytes read; the wrong one is among the last.
        offset: usize,
        /// The expectation.
        rule: &'static str,
    },
}

impl Value {
    /// Returns the canonical bytes of this value: version, type, payload.
    ///
    /// To encode many values of one type, reuse [`Type::to_canonical`] and append [`Type::encode_payload`]: the result is
    /// the same.
    ///
    /// # Errors
    ///
    /// Returns [`CanonicalError::NotNormal`] if the value is not of this type in normal form, and
    /// [`TooDeep`](CanonicalError::TooDeep) or [`TwoOfAName`](CanonicalError::TwoOfAName) if the type itself has no
    /// canonical bytes (no component has such a type).
    ///
    /// ```
    /// # use hostel_core::{Type, Value};
    /// let bytes = Value::U8(41).to_canonical(&Type::U8)?;
    /// assert_eq!(bytes, [1, 2, 41]);
    /// assert_eq!(Value::from_canonical(&bytes)?, (Type::U8, Value::U8(41)));
    /// # Ok::<(), hostel_core::CanonicalError>(())
    /// ```
    pub fn to_canonical(&self, ty: &Type) -> Result<Vec<u8>, CanonicalError> {
        let mut bytes = ty.to_canonical()?;
        ty.encode_payload(self, &mut bytes)?;
        Ok(bytes)
    }

    /// Decodes untrusted canonical bytes into a type and a value in normal form.
    ///
    /// Time and memory are proportional to the number of bytes, whatever lengths they claim.
    ///
    /// # Errors
    ///
    /// Refuses everything that [`Value::to_canonical`] would not have written.
    pub fn from_canonical(bytes: &[u8]) -> Result<(Type, Self), CanonicalError> {
        let mut reader = decode::Reader::new(bytes)?;
        let ty = reader.ty(0)?;
        let value = reader.payload(&ty)?;
        reader.finish()?;
        Ok((ty, value))
    }
}

impl Type {
    /// Returns version and type, the common beginning of the canonical bytes of every value of this type.
    ///
    /// # Errors
    ///
    /// Returns [`CanonicalError::TooDeep`] or [`CanonicalError::TwoOfAName`] (no component has such a type).
    pub fn to_canonical(&self) -> Result<Vec<u8>, CanonicalError> {
        let mut bytes = vec![VERSION];
        encode::ty(self, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Decodes a type from the bytes that [`Type::to_canonical`] returned.
    ///
    /// # Errors
    ///
    /// Refuses everything that [`Type::to_canonical`] would not have written.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, CanonicalError> {
        let mut reader = decode::Reader::new(bytes)?;
        let ty = reader.ty(0)?;
        reader.finish()?;
        Ok(ty)
    }

    /// Appends the payload of a value of this type, without version and type.
    ///
    /// Costs a few nanoseconds for a number. After an error `out` may contain part of a payload.
    ///
    /// # Errors
    ///
    /// Returns [`CanonicalError::NotNormal`] if the value is not of this type in normal form.
    pub fn encode_payload(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
        encode::payload(self, value, out)
    }
}
