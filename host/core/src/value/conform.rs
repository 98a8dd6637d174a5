//! Rust values as a form: a value built by an embedder is checked and normalised.

use super::{
    Name, Type, Value, ValueError,
    data::{check, raw},
    excerpt,
    form::{Form, Miss, Outcome, read},
};

impl Type {
    /// Checks a value against this type and returns it in normal form.
    ///
    /// Besides values that are exactly of this type it accepts:
    /// - integers of another width, if the number fits;
    /// - integers as floats, and `f32` as `f64` or `f64` as `f32`, if the conversion is exact;
    /// - `List` of `U8` for `list<u8>`, and `Bytes` for a fixed-length list of bytes;
    /// - a list of pairs as a map; of equal keys the last wins;
    /// - the payload itself as an option, unless it is an option or result;
    /// - fields and flags in any order; a missing field of option type is `none`.
    ///
    /// Costs a few nanoseconds for a number; large values are moved, not copied.
    ///
    /// # Errors
    ///
    /// Returns the first part that does not fit, with its path.
    ///
    /// ```
    /// # use hostel_core::{Type, Value};
    /// assert_eq!(Type::U8.conform(Value::S64(41))?, Value::U8(41));
    ///
    /// let error = Type::U8.conform(Value::S64(300)).unwrap_err();
    /// assert_eq!(error.to_string(), "expected u8 (0 to 255), found s64 300");
    /// # Ok::<(), hostel_core::ValueError>(())
    /// ```
    pub fn conform(&self, value: Value) -> Result<Value, ValueError> {
        read(value, self)
    }
}

impl Value {
    /// Returns the number if this is an integer of any width.
    pub(super) fn as_integer(&self) -> Option<i128> {
        match *self {
            Self::S8(number) => Some(number.into()),
            Self::U8(number) => Some(number.into()),
            Self::S16(number) => Some(number.into()),
            Self::U16(number) => Some(number.into()),
            Self::S32(number) => Some(number.into()),
            Self::U32(number) => Some(number.into()),
            Self::S64(number) => Some(number.into()),
            Self::U64(number) => Some(number.into()),
            Self::Bool(_)
            | Self::F32(_)
            | Self::F64(_)
            | Self::Char(_)
            | Self::String(_)
            | Self::Bytes(_)
            | Self::List(_)
            | Self::Map(_)
            | Self::Record(_)
            | Self::Tuple(_)
            | Self::Variant(..)
            | Self::Enum(_)
            | Self::Option(_)
            | Self::Result(_)
            | Self::Flags(_) => None,
        }
    }

    /// Returns the number if this is an integer or float that an `f64` holds exactly.
    pub(super) fn as_f64(&self) -> Option<f64> {
        if let Self::F64(number) = *self {
            return Some(number);
        }
        if let Self::F32(number) = *self {
            return Some(number.into());
        }
        let whole = self.as_integer()?;
        let number = whole as f64;
        (number as i128 == whole).then_some(number)
    }

    /// Returns the number if this is an integer or float that an `f32` holds exactly.
    pub(super) fn as_f32(&self) -> Option<f32> {
        let wide = self.as_f64()?;
        let number = wide as f32;
        (wide.is_nan() || f64::from(number) == wide).then_some(number)
    }

    /// Returns WIT's word for the kind of this value.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::S8(_) => "s8",
            Self::U8(_) => "u8",
            Self::S16(_) => "s16",
            Self::U16(_) => "u16",
            Self::S32(_) => "s32",
            Self::U32(_) => "u32",
            Self::S64(_) => "s64",
            Self::U64(_) => "u64",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::Char(_) => "char",
            Self::String(_) => "string",
            Self::Bytes(_) | Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Record(_) => "record",
            Self::Tuple(_) => "tuple",
            Self::Variant(..) => "variant",
            Self::Enum(_) => "enum",
            Self::Option(_) => "option",
            Self::Result(_) => "result",
            Self::Flags(_) => "flags",
        }
    }
}

impl Form for Value {
    type Label = Name;

    fn found(&self) -> String {
        excerpt(format_args!("{} {self}", self.kind()))
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Tuple(items) if items.is_empty())
    }

    fn boolean(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    fn integer(&self, _: &Type) -> Result<i128, Miss> {
        self.as_integer().ok_or(Miss::Kind)
    }

    fn float32(&self) -> Result<f32, Miss> {
        self.as_f32().ok_or(Miss::Kind)
    }

    fn float64(&self) -> Result<f64, Miss> {
        self.as_f64().ok_or(Miss::Kind)
    }

    fn character(&self) -> Option<char> {
        if let Self::Char(character) = self { Some(*character) } else { None }
    }

    fn string(self, ty: &Type) -> Result<String, ValueError> {
        if let Self::String(text) = self { Ok(text) } else { Err(self.mismatch(ty)) }
    }

    fn data(self, _: &Type) -> Result<String, ValueError> {
        let json = self.data_json();
        // A value that is made without a parser may have any text.
        let json = raw(&json).ok_or_else(|| ValueError::mismatch("JSON", excerpt(&json)))?;
        check(json.get()).map(|()| json.get().to_owned())
    }

    fn bytes(self) -> Result<Result<Vec<u8>, ValueError>, Self> {
        if let Self::Bytes(bytes) = self { Ok(Ok(bytes)) } else { Err(self) }
    }

    fn list(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError> {
        if let Self::Bytes(bytes) = self {
            return Ok(bytes.into_iter().map(Self::U8).collect::<Vec<_>>().into_iter());
        }
        if let Self::List(items) = self { Ok(items.into_iter()) } else { Err(self.mismatch(ty)) }
    }

    fn tuple(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError> {
        if let Self::Tuple(items) = self { Ok(items.into_iter()) } else { Err(self.mismatch(ty)) }
    }

    fn entries(self) -> Result<Vec<(Self, Self)>, Self> {
        if let Self::Map(entries) = self { Ok(entries) } else { Err(self) }
    }

    fn fields(self, ty: &Type) -> Result<impl Iterator<Item = (Name, Self)>, ValueError> {
        if let Self::Record(fields) = self { Ok(fields.into_iter()) } else { Err(self.mismatch(ty)) }
    }

    fn case(self, ty: &Type) -> Result<(Name, Option<Self>), ValueError> {
        if let Self::Enum(name) = self {
            return Ok((name, None));
        }
        let Self::Variant(name, payload) = self else {
            return Err(self.mismatch(ty));
        };
        Ok((name, unbox(payload)))
    }

    fn option(self, ty: &Type, _: &Type) -> Result<Option<Self>, ValueError> {
        if let Self::Option(payload) = self {
            return Ok(unbox(payload));
        }
        if let Self::Result(_) = self { Err(self.mismatch(ty)) } else { Ok(Some(self)) }
    }

    fn result(self, ty: &Type, _: Option<&Type>) -> Result<Outcome<Self>, ValueError> {
        let Self::Result(outcome) = self else {
            return Err(self.mismatch(ty));
        };
        Ok(outcome.map(unbox).map_err(unbox))
    }

    fn flags(self, ty: &Type) -> Result<impl Iterator<Item = Name>, ValueError> {
        if let Self::Flags(names) = self { Ok(names.into_iter()) } else { Err(self.mismatch(ty)) }
    }
}

fn unbox(payload: Option<Box<Value>>) -> Option<Value> {
    payload.map(|payload| *payload)
}
