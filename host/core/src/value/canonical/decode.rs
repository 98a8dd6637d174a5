//! Decodes types and values from untrusted canonical bytes.

use crate::leb128::{self, NoNumber};
use std::sync::Arc;

use super::{
    CanonicalError, MAX_DEPTH, VERSION,
    encode::{different, f32_bits, f64_bits},
    tag,
};
use crate::value::{Case, Field, Name, Type, Value};

/// The remaining canonical bytes.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    /// Reads the version.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, CanonicalError> {
        let mut reader = Self { rest: bytes, length: bytes.len() };
        match reader.byte()? {
            VERSION => Ok(reader),
            found => Err(CanonicalError::Version { found }),
        }
    }

    /// Reads a type at nesting level `depth`.
    pub(super) fn ty(&mut self, depth: usize) -> Result<Type, CanonicalError> {
        if depth >= MAX_DEPTH {
            return Err(CanonicalError::TooDeep);
        }
        let depth = depth + 1;
        Ok(match self.byte()? {
            tag::BOOL => Type::Bool,
            tag::S8 => Type::S8,
            tag::U8 => Type::U8,
            tag::S16 => Type::S16,
            tag::U16 => Type::U16,
            tag::S32 => Type::S32,
            tag::U32 => Type::U32,
            tag::S64 => Type::S64,
            tag::U64 => Type::U64,
            tag::F32 => Type::F32,
            tag::F64 => Type::F64,
            tag::CHAR => Type::Char,
            tag::STRING => Type::String,
            tag::LIST => Type::List(Arc::new(self.ty(depth)?)),
            tag::FIXED_LIST => {
                let length = u32::try_from(self.number()?).map_err(|_| self.broken("a length of 32 bits"))?;
                Type::FixedList(Arc::new(self.ty(depth)?), length)
            }
            tag::MAP => Type::Map(Arc::new(self.ty(depth)?), Arc::new(self.ty(depth)?)),
            tag::RECORD => {
                let fields = self.many(|reader| Ok(Field { name: reader.name()?, ty: reader.ty(depth)? }))?;
                different(fields.iter().map(|field| &field.name))?;
                Type::Record(fields.into())
            }
            tag::TUPLE => Type::Tuple(self.many(|reader| reader.ty(depth))?.into()),
            tag::VARIANT => {
                let cases =
                    self.many(|reader| Ok(Case { name: reader.name()?, ty: reader.maybe_ty(depth)? }))?;
                different(cases.iter().map(|case| &case.name))?;
                Type::Variant(cases.into())
            }
            tag::ENUM => Type::Enum(self.names()?),
            tag::OPTION => Type::Option(Arc::new(self.ty(depth)?)),
            tag::RESULT => Type::Result {
                ok: self.maybe_ty(depth)?.map(Arc::new),
                err: self.maybe_ty(depth)?.map(Arc::new),
            },
            tag::FLAGS => Type::Flags(self.names()?),
            tag::DATA => Type::Data,
            _ => return Err(self.broken("the first byte of a type")),
        })
    }

    /// Reads the payload of a value of the type.
    pub(super) fn payload(&mut self, ty: &Type) -> Result<Value, CanonicalError> {
        Ok(match ty {
            Type::Bool => Value::Bool(self.bit()?),
            Type::S8 => Value::S8(i8::from_le_bytes(self.array()?)),
            Type::U8 => Value::U8(self.byte()?),
            Type::S16 => Value::S16(i16::from_le_bytes(self.array()?)),
            Type::U16 => Value::U16(u16::from_le_bytes(self.array()?)),
            Type::S32 => Value::S32(i32::from_le_bytes(self.array()?)),
            Type::U32 => Value::U32(u32::from_le_bytes(self.array()?)),
            Type::S64 => Value::S64(i64::from_le_bytes(self.array()?)),
            Type::U64 => Value::U64(u64::from_le_bytes(self.array()?)),
            Type::F32 => self.f32()?,
            Type::F64 => self.f64()?,
            Type::Char => {
                let scalar = u32::from_le_bytes(self.array()?);
                Value::Char(char::from_u32(scalar).ok_or_else(|| self.broken("a Unicode scalar value"))?)
            }
            Type::String => Value::String(self.text()?.to_owned()),
            Type::List(element) if **element == Type::U8 => {
                let length = self.length()?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            Type::List(element) => Value::List(self.many(|reader| reader.payload(element))?),
            Type::FixedList(element, length) => {
                Value::List(self.members(0..*length, |reader, _| reader.payload(element))?)
            }
            Type::Map(key, value) => self.map(key, value)?,
            Type::Record(fields) => Value::Record(self.members(fields.iter(), |reader, field| {
                Ok((field.name.clone(), reader.payload(&field.ty)?))
            })?),
            Type::Tuple(types) => Value::Tuple(self.members(types.iter(), Self::payload)?),
            Type::Variant(cases) => {
                let case = self.choice(cases)?;
                Value::Variant(case.name.clone(), self.carried(case.ty.as_ref())?)
            }
            Type::Enum(names) => Value::Enum(self.choice(names)?.clone()),
            Type::Option(some) => {
                let some = self.bit()?.then_some(&**some);
                Value::Option(self.carried(some)?)
            }
            Type::Result { ok, err } => Value::Result(if self.bit()? {
                Err(self.carried(err.as_deref())?)
            } else {
                Ok(self.carried(ok.as_deref())?)
            }),
            Type::Flags(names) => self.flags(names)?,
            Type::Data => {
                let text = self.text()?;
                let data = Value::data(text).filter(|data| data.as_data() == Some(text));
                data.ok_or_else(|| self.broken("JSON without spaces around it"))?
            }
        })
    }

    /// Checks that no bytes remain.
    pub(super) fn finish(self) -> Result<(), CanonicalError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(CanonicalError::Trailing { count }),
        }
    }

    fn maybe_ty(&mut self, depth: usize) -> Result<Option<Type>, CanonicalError> {
        if self.bit()? { self.ty(depth).map(Some) } else { Ok(None) }
    }

    fn names(&mut self) -> Result<Arc<[Name]>, CanonicalError> {
        let names = self.many(Self::name)?;
        different(names.iter())?;
        Ok(names.into())
    }

    fn name(&mut self) -> Result<Name, CanonicalError> {
        self.text().map(Name::from)
    }

    fn carried(&mut self, ty: Option<&Type>) -> Result<Option<Box<Value>>, CanonicalError> {
        ty.map(|ty| self.payload(ty).map(Box::new)).transpose()
    }

    fn map(&mut self, key_ty: &Type, value_ty: &Type) -> Result<Value, CanonicalError> {
        let mut previous: Option<&[u8]> = None;
        let entries = self.many(|reader| {
            let start = reader.rest;
            let key = reader.payload(key_ty)?;
            let current = start.get(..start.len() - reader.rest.len());
            if previous.is_some() && previous >= current {
                return Err(reader.broken("keys in ascending order, each once"));
            }
            previous = current;
            Ok((key, reader.payload(value_ty)?))
        })?;
        Ok(Value::Map(entries))
    }

    fn flags(&mut self, declared: &[Name]) -> Result<Value, CanonicalError> {
        let mut set = Vec::new();
        for names in declared.chunks(8) {
            let byte = self.byte()?;
            if u32::from(byte) >> names.len() != 0 {
                return Err(self.broken("zero bits after the last flag"));
            }
            let names = names.iter().enumerate();
            let named = names.filter(|(bit, _)| byte >> bit & 1 == 1);
            set.extend(named.map(|(_, name)| name.clone()));
        }
        if declared.is_empty() {
            self.no_members()?;
        }
        Ok(Value::Flags(set))
    }

    /// Reads a length and that many items, each of at least one byte.
    fn many<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, CanonicalError>,
    ) -> Result<Vec<T>, CanonicalError> {
        let length = self.length()?;
        (0..length).map(|_| item(self)).collect()
    }

    /// Reads one payload for each member of a type.
    fn members<M, T>(
        &mut self,
        members: impl ExactSizeIterator<Item = M>,
        mut payload: impl FnMut(&mut Self, M) -> Result<T, CanonicalError>,
    ) -> Result<Vec<T>, CanonicalError> {
        if members.len() == 0 {
            self.no_members()?;
        }
        members.map(|member| payload(self, member)).collect()
    }

    fn no_members(&mut self) -> Result<(), CanonicalError> {
        match self.byte()? {
            0 => Ok(()),
            _ => Err(self.broken("a zero byte for a type without members")),
        }
    }

    fn choice<'t, T>(&mut self, choices: &'t [T]) -> Result<&'t T, CanonicalError> {
        let index = self.number()?;
        let choice = usize::try_from(index).ok().and_then(|index| choices.get(index));
        choice.ok_or_else(|| self.broken("the index of a case"))
    }

    fn f32(&mut self) -> Result<Value, CanonicalError> {
        let bits = u32::from_le_bytes(self.array()?);
        let number = f32::from_bits(bits);
        if f32_bits(number) == bits { Ok(Value::F32(number)) } else { Err(self.broken("the one NaN")) }
    }

    fn f64(&mut self) -> Result<Value, CanonicalError> {
        let bits = u64::from_le_bytes(self.array()?);
        let number = f64::from_bits(bits);
        if f64_bits(number) == bits { Ok(Value::F64(number)) } else { Err(self.broken("the one NaN")) }
    }

    fn text(&mut self) -> Result<&'a str, CanonicalError> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.broken("UTF-8"))
    }

    /// Reads the number of items of at least one byte each, bounded by the remaining bytes.
    fn length(&mut self) -> Result<usize, CanonicalError> {
        let number = self.number()?;
        let length = usize::try_from(number).ok().filter(|length| *length <= self.rest.len());
        length.ok_or(CanonicalError::Truncated)
    }

    /// Reads an unsigned LEB128 number of at most 64 bits in its shortest form.
    fn number(&mut self) -> Result<u64, CanonicalError> {
        match leb128::read(|| self.byte()) {
            Ok(number) => Ok(number),
            Err(NoNumber::Ended(error)) => Err(error),
            Err(NoNumber::Malformed) => Err(self.broken("a number of at most 64 bits in its shortest form")),
        }
    }

    fn bit(&mut self) -> Result<bool, CanonicalError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.broken("0 or 1")),
        }
    }

    fn byte(&mut self) -> Result<u8, CanonicalError> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CanonicalError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(CanonicalError::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CanonicalError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CanonicalError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The error for bytes that break a rule.
    fn broken(&self, rule: &'static str) -> CanonicalError {
        CanonicalError::Broken { offset: self.length - self.rest.len(), rule }
    }
}
