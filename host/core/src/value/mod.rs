//! Values and their types: the arguments and results of tasks.
//!
//! A [`Value`] is the content of a guest's parameter or result; a [`Type`] is its WIT type. A value can be written in several
//! forms (a Rust value, WAVE text, JSON). Reading any form checks it against its type and converts it to the unique
//! **normal form**:
//!
//! - record fields and flags are in declared order, every field is present, no flag occurs twice;
//! - integers and floats have exactly the declared width, and there is one NaN;
//! - every `list<u8>` is [`Value::Bytes`];
//! - map entries are sorted by the canonical bytes of their keys, each key once.
//!
//! So two values of one type are equivalent exactly if they are `==`, and exactly if they have the same canonical bytes.

mod ty;

mod error;

mod form;

mod whole;

mod conform;

mod may_take;

mod wave;

mod json;

mod canonical;

mod convert;
mod data;

mod name;

use std::mem::size_of;

pub use canonical::CanonicalError;
pub use convert::{FromValue, IntoValue};
pub use error::{Problem, Step, ValueError, excerpt_within};
pub use form::ValueReader;
pub use json::{AsJson, json_numbers, parse_json};
pub use name::{Name, UnknownName};
pub use ty::{Case, Field, Type};
pub use wave::CallText;

pub(crate) use error::{excerpt, list_names};
pub(crate) use ty::write_list;

/// A value of the component model: an argument or result of a task.
///
/// A value built by hand need not be in normal form; [`Type::conform`] normalises it.
#[derive(Clone, Debug)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// `s8`
    S8(i8),
    /// `u8`
    U8(u8),
    /// `s16`
    S16(i16),
    /// `u16`
    U16(u16),
    /// `s32`
    S32(i32),
    /// `u32`
    U32(u32),
    /// `s64`
    S64(i64),
    /// `u64`
    U64(u64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `char`
    Char(char),
    /// `string`
    String(String),
    /// `list<u8>`: always this in normal form, never a `List` of `U8`.
    Bytes(Vec<u8>),
    /// `list<T>` of anything but `u8`, and fixed-length lists of anything.
    List(Vec<Value>),
    /// `map<K, V>`: its entries, sorted by key in normal form.
    Map(Vec<(Value, Value)>),
    /// `record`: its fields, in declared order in normal form.
    Record(Vec<(Name, Value)>),
    /// `tuple`; an empty one means "no value".
    Tuple(Vec<Value>),
    /// `variant`: the case and its payload.
    Variant(Name, Option<Box<Value>>),
    /// `enum`: the case.
    Enum(Name),
    /// `option`
    Option(Option<Box<Value>>),
    /// `result`: either side may lack a payload.
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
    /// `flags`: those that are set, in declared order in normal form.
    Flags(Vec<Name>),
}

impl Value {
    /// Returns the approximate memory of this value in bytes, itself and its heap together.
    ///
    /// Names count by their length, although they are shared with the type: what is made of the value, such as its text, has all of them.
    /// Walks the whole value.
    pub fn footprint(&self) -> usize {
        self.bytes(0)
    }

    /// The same with the cost of allocations, of which tuples in tuples mostly consist: what a budget of memory should count.
    pub fn memory_bytes(&self) -> usize {
        /// What was measured for a tuple of one element, beside the element.
        const ALLOCATION: usize = 200;
        self.bytes(ALLOCATION)
    }

    /// Returns how many bytes the [canonical form](Value::to_canonical) has at least: those of texts, byte lists and numbers, without names,
    /// lengths and types. Walks the whole value, and makes nothing.
    pub fn least_canonical_bytes(&self) -> usize {
        match self {
            Self::Bool(_) | Self::S8(_) | Self::U8(_) => 1,
            Self::S16(_) | Self::U16(_) => 2,
            Self::S32(_) | Self::U32(_) | Self::F32(_) | Self::Char(_) => 4,
            Self::S64(_) | Self::U64(_) | Self::F64(_) => 8,
            Self::Enum(_) | Self::Flags(_) => 0,
            Self::String(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) | Self::Tuple(items) => items.iter().map(Self::least_canonical_bytes).sum(),
            Self::Map(entries) => {
                let each =
                    |(key, value): &(Self, Self)| key.least_canonical_bytes() + value.least_canonical_bytes();
                entries.iter().map(each).sum()
            }
            Self::Record(fields) => fields.iter().map(|(_, value)| value.least_canonical_bytes()).sum(),
            Self::Variant(_, carried) | Self::Option(carried) | Self::Result(Ok(carried) | Err(carried)) => {
                carried.as_deref().map_or(0, Self::least_canonical_bytes)
            }
        }
    }

    fn bytes(&self, allocation: usize) -> usize {
        let heap = match self {
            Self::Bool(_)
            | Self::S8(_)
            | Self::U8(_)
            | Self::S16(_)
            | Self::U16(_)
            | Self::S32(_)
            | Self::U32(_)
            | Self::S64(_)
            | Self::U64(_)
            | Self::F32(_)
            | Self::F64(_)
            | Self::Char(_) => 0,
            Self::Enum(name) => name.len(),
            Self::String(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) | Self::Tuple(items) => {
                allocation + items.iter().map(|item| item.bytes(allocation)).sum::<usize>()
            }
            Self::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, value)| key.bytes(allocation) + value.bytes(allocation));
                allocation + entries.sum::<usize>()
            }
            Self::Record(fields) => {
                let field =
                    |(name, value): &(Name, Self)| size_of::<Name>() + name.len() + value.bytes(allocation);
                let fields = fields.iter().map(field);
                allocation + fields.sum::<usize>()
            }
            Self::Variant(name, payload) => {
                name.len() + payload.as_deref().map_or(0, |payload| allocation + payload.bytes(allocation))
            }
            Self::Option(payload) | Self::Result(Ok(payload) | Err(payload)) => {
                payload.as_deref().map_or(0, |payload| allocation + payload.bytes(allocation))
            }
            Self::Flags(names) => {
                allocation + names.iter().map(|name| size_of::<Name>() + name.len()).sum::<usize>()
            }
        };
        size_of::<Self>() + heap
    }
}

/// Compares by content: floats by their bits, so that `-0.0` differs from `0.0`, except that every NaN equals every
/// other. Values of different widths differ.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::S8(a), Self::S8(b)) => a == b,
            (Self::U8(a), Self::U8(b)) => a == b,
            (Self::S16(a), Self::S16(b)) => a == b,
            (Self::U16(a), Self::U16(b)) => a == b,
            (Self::S32(a), Self::S32(b)) => a == b,
            (Self::U32(a), Self::U32(b)) => a == b,
            (Self::S64(a), Self::S64(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::F32(a), Self::F32(b)) => canonical::f32_bits(*a) == canonical::f32_bits(*b),
            (Self::F64(a), Self::F64(b)) => canonical::f64_bits(*a) == canonical::f64_bits(*b),
            (Self::Char(a), Self::Char(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Record(a), Self::Record(b)) => a == b,
            (Self::Variant(a, x), Self::Variant(b, y)) => a == b && x == y,
            (Self::Enum(a), Self::Enum(b)) => a == b,
            (Self::Option(a), Self::Option(b)) => a == b,
            (Self::Result(a), Self::Result(b)) => a == b,
            (Self::Flags(a), Self::Flags(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}
