//! The types of values, structural and in WIT notation.

use std::{
    fmt::{self, Display},
    sync::Arc,
};

use super::Name;

/// A structural WIT type: no names of types, no resources, no handles.
///
/// Cheap to clone: its parts are shared. [`Display`] writes it in WIT notation.
///
/// ```
/// # use hostel_core::Type;
/// let config = Type::record([("name", Type::String), ("tags", Type::list(Type::String))]);
/// assert_eq!(config.to_string(), "record { name: string, tags: list<string> }");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `u8`
    U8,
    /// `s16`
    S16,
    /// `u16`
    U16,
    /// `s32`
    S32,
    /// `u32`
    U32,
    /// `s64`
    S64,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<T>`
    List(Arc<Type>),
    /// `list<T, N>`: a list of exactly that many elements.
    FixedList(Arc<Type>, u32),
    /// `map<K, V>`
    Map(Arc<Type>, Arc<Type>),
    /// `record { … }`
    Record(Arc<[Field]>),
    /// `tuple<…>`
    Tuple(Arc<[Type]>),
    /// `variant { … }`
    Variant(Arc<[Case]>),
    /// `enum { … }`
    Enum(Arc<[Name]>),
    /// `option<T>`
    Option(Arc<Type>),
    /// `result<T, E>`
    Result {
        /// The payload of `ok`, if there is one.
        ok: Option<Arc<Type>>,
        /// The payload of `err`, if there is one.
        err: Option<Arc<Type>>,
    },
    /// `flags { … }`
    Flags(Arc<[Name]>),
    /// `data`: JSON, of any shape. No component has it: it is for functions of scripts, whose types are known only when they are
    /// called. [`Value::data`](super::Value::data) is its normal form.
    Data,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name in kebab-case.
    pub name: Name,
    /// Its type.
    pub ty: Type,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// Its name in kebab-case.
    pub name: Name,
    /// Its payload, if it has one.
    pub ty: Option<Type>,
}

impl Type {
    /// Returns `list<element>`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// Returns `list<element, length>`.
    pub fn fixed_list(element: Self, length: u32) -> Self {
        Self::FixedList(Arc::new(element), length)
    }

    /// Returns `map<key, value>`.
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new(key), Arc::new(value))
    }

    /// Returns a record of the fields in this order.
    pub fn record<N: Into<Name>>(fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        let fields = fields.into_iter().map(|(name, ty)| Field { name: name.into(), ty });
        Self::Record(fields.collect())
    }

    /// Returns a tuple of the elements in this order.
    pub fn tuple(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::Tuple(elements.into_iter().collect())
    }

    /// Returns a variant of the cases in this order.
    pub fn variant<N: Into<Name>>(cases: impl IntoIterator<Item = (N, Option<Self>)>) -> Self {
        let cases = cases.into_iter().map(|(name, ty)| Case { name: name.into(), ty });
        Self::Variant(cases.collect())
    }

    /// Returns an enum of the cases in this order.
    pub fn enumeration<N: Into<Name>>(cases: impl IntoIterator<Item = N>) -> Self {
        Self::Enum(cases.into_iter().map(Into::into).collect())
    }

    /// Whether its values are in one piece: numbers, truth values, characters, texts and cases without payloads.
    pub fn is_flat(&self) -> bool {
        let has_parts = matches!(
            self,
            Self::List(_)
                | Self::FixedList(..)
                | Self::Map(..)
                | Self::Record(_)
                | Self::Tuple(_)
                | Self::Variant(_)
                | Self::Option(_)
                | Self::Result { .. }
                | Self::Flags(_)
        );
        !has_parts
    }

    /// The types of which its values may consist: of elements, keys, fields and payloads.
    pub fn parts(&self) -> Vec<&Self> {
        match self {
            Self::List(item) | Self::FixedList(item, _) | Self::Option(item) => vec![item],
            Self::Map(key, value) => vec![key, value],
            Self::Record(fields) => fields.iter().map(|field| &field.ty).collect(),
            Self::Tuple(types) => types.iter().collect(),
            Self::Variant(cases) => cases.iter().filter_map(|case| case.ty.as_ref()).collect(),
            Self::Result { ok, err } => [ok, err].into_iter().filter_map(|side| side.as_deref()).collect(),
            Self::Bool
            | Self::S8
            | Self::U8
            | Self::S16
            | Self::U16
            | Self::S32
            | Self::U32
            | Self::S64
            | Self::U64
            | Self::F32
            | Self::F64
            | Self::Char
            | Self::String
            | Self::Enum(_)
            | Self::Flags(_)
            | Self::Data => Vec::new(),
        }
    }

    /// Whether it is data, or a list, map or option of it.
    pub fn is_of_data(&self) -> bool {
        if let Self::Option(inner) | Self::List(inner) | Self::Map(_, inner) = self {
            return inner.is_of_data();
        }
        *self == Self::Data
    }

    /// Returns `option<some>`.
    pub fn option(some: Self) -> Self {
        Self::Option(Arc::new(some))
    }

    /// Returns `result<ok, err>`, where `None` is a side without payload.
    pub fn result(ok: Option<Self>, err: Option<Self>) -> Self {
        Self::Result { ok: ok.map(Arc::new), err: err.map(Arc::new) }
    }

    /// Returns flags with these names in this order.
    pub fn flags<N: Into<Name>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::Flags(names.into_iter().map(Into::into).collect())
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::S8 => f.write_str("s8"),
            Self::U8 => f.write_str("u8"),
            Self::S16 => f.write_str("s16"),
            Self::U16 => f.write_str("u16"),
            Self::S32 => f.write_str("s32"),
            Self::U32 => f.write_str("u32"),
            Self::S64 => f.write_str("s64"),
            Self::U64 => f.write_str("u64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::FixedList(element, length) => write!(f, "list<{element}, {length}>"),
            Self::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Self::Record(fields) => write_body(f, "record", fields),
            Self::Tuple(elements) => {
                f.write_str("tuple<")?;
                write_list(f, elements)?;
                f.write_str(">")
            }
            Self::Variant(cases) => write_body(f, "variant", cases),
            Self::Enum(cases) => write_body(f, "enum", cases),
            Self::Option(some) => write!(f, "option<{some}>"),
            Self::Result { ok, err } => write_result(f, ok.as_deref(), err.as_deref()),
            Self::Flags(names) => write_body(f, "flags", names),
            Self::Data => f.write_str("data"),
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ty {
            Some(ty) => write!(f, "{}({ty})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn write_result(f: &mut fmt::Formatter<'_>, ok: Option<&Type>, err: Option<&Type>) -> fmt::Result {
    match (ok, err) {
        (None, None) => f.write_str("result"),
        (Some(ok), None) => write!(f, "result<{ok}>"),
        (None, Some(err)) => write!(f, "result<_, {err}>"),
        (Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
    }
}

fn write_body(f: &mut fmt::Formatter<'_>, keyword: &str, members: &[impl Display]) -> fmt::Result {
    write!(f, "{keyword} {{ ")?;
    write_list(f, members)?;
    f.write_str(" }")
}

/// Writes the members with commas between them.
pub(crate) fn write_list(f: &mut fmt::Formatter<'_>, members: &[impl Display]) -> fmt::Result {
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        member.fmt(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_in_wit_notation() {
        use Type::{F64, String, U8, U32, U64};
        let check = |ty: Type, expect: &str| assert_eq!(ty.to_string(), expect);
        check(U8, "u8");
        check(Type::list(U8), "list<u8>");
        check(Type::fixed_list(F64, 3), "list<f64, 3>");
        check(Type::map(String, U32), "map<string, u32>");
        check(Type::tuple([U8, String]), "tuple<u8, string>");
        check(Type::option(Type::list(U8)), "option<list<u8>>");
        check(Type::result(None, None), "result");
        check(Type::result(Some(U64), None), "result<u64>");
        check(Type::result(None, Some(String)), "result<_, string>");
        check(Type::result(Some(U64), Some(String)), "result<u64, string>");
        check(Type::enumeration(["low", "high"]), "enum { low, high }");
        check(Type::flags(["read", "write"]), "flags { read, write }");
        check(Type::variant([("a", Some(U32)), ("b", None)]), "variant { a(u32), b }");
        check(
            Type::record([("name", String), ("tags", Type::list(String))]),
            "record { name: string, tags: list<string> }",
        );
    }
}
