//! From wasmtime's types to ours. Types without a text form are refused with the reason.

use std::sync::Arc;

use hostel_core::{Case, Field, Name, Param, Signature, Type, bytes_text};
use wasmtime::component::types::{self, ComponentFunc};

/// The maximum nesting depth of a type, as in wasmtime and in the text forms of values.
const MAX_DEPTH: usize = 100;

/// The maximum size of a signature. Types are shared in a component, but trees here: a few tuples, each with twice the
/// size of the one before, would fill any memory.
const MAX_SIGNATURE_BYTES: usize = 256 << 10;

/// The signatures of all functions of a component.
const MAX_SIGNATURES_BYTES: usize = 1 << 20;

/// The size of a type or a name, in addition to its text.
const NODE_BYTES: usize = 64;

/// The reason why a signature has no text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritable {
    /// There is no text for values of this type.
    Kind(&'static str),
    /// It nests deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It is over [`MAX_SIGNATURE_BYTES`].
    TooLarge,
    /// All signatures together are over [`MAX_SIGNATURES_BYTES`].
    NoRoom,
}

impl Unwritable {
    /// The reason why the function is not callable as a task.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Kind(kind) => format!("its signature has {kind}, which has no text form"),
            Self::TooDeep => format!("the types in its signature nest deeper than {MAX_DEPTH} levels"),
            Self::TooLarge => {
                format!("the text of its signature is over {}", bytes_text(MAX_SIGNATURE_BYTES as u64))
            }
            Self::NoRoom => {
                let allowed = bytes_text(MAX_SIGNATURES_BYTES as u64);
                format!(
                    "the texts of all signatures of the component are over {allowed}, and this one is among the last"
                )
            }
        }
    }
}

/// The remaining size for the signatures of a component.
pub(crate) struct Room {
    /// For the current signature.
    of_signature: usize,
    /// For all that follow.
    of_component: usize,
}

impl Room {
    /// For a whole component.
    pub(crate) fn new() -> Self {
        Self { of_signature: 0, of_component: MAX_SIGNATURES_BYTES }
    }

    /// The signature of a function, if every type in it has a text form.
    pub(crate) fn signature(&mut self, function: &ComponentFunc) -> Result<Signature, Unwritable> {
        self.of_signature = MAX_SIGNATURE_BYTES;
        let params = function
            .params()
            .map(|(name, ty)| Ok(Param { name: self.name(name)?, ty: self.convert(&ty, 0)? }))
            .collect::<Result<Vec<_>, Unwritable>>()?;
        let result = function.results().next().map(|ty| self.convert(&ty, 0)).transpose()?;
        Ok(Signature { params: params.into(), result, is_async: function.async_() })
    }

    fn take(&mut self, text_bytes: usize) -> Result<(), Unwritable> {
        let bytes = text_bytes.saturating_add(NODE_BYTES);
        self.of_signature = self.of_signature.checked_sub(bytes).ok_or(Unwritable::TooLarge)?;
        self.of_component = self.of_component.checked_sub(bytes).ok_or(Unwritable::NoRoom)?;
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<Name, Unwritable> {
        self.take(name.len())?;
        Ok(Name::from(name))
    }

    fn names<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<Arc<[Name]>, Unwritable> {
        collect(names.map(|name| self.name(name)))
    }

    /// Converts a type at nesting depth `depth`.
    fn convert(&mut self, ty: &types::Type, depth: usize) -> Result<Type, Unwritable> {
        self.take(0)?;
        if depth >= MAX_DEPTH {
            return Err(Unwritable::TooDeep);
        }
        let depth = depth + 1;
        Ok(match ty {
            types::Type::Bool => Type::Bool,
            types::Type::S8 => Type::S8,
            types::Type::U8 => Type::U8,
            types::Type::S16 => Type::S16,
            types::Type::U16 => Type::U16,
            types::Type::S32 => Type::S32,
            types::Type::U32 => Type::U32,
            types::Type::S64 => Type::S64,
            types::Type::U64 => Type::U64,
            types::Type::Float32 => Type::F32,
            types::Type::Float64 => Type::F64,
            types::Type::Char => Type::Char,
            types::Type::String => Type::String,
            types::Type::List(list) => Type::List(self.shared(&list.ty(), depth)?),
            types::Type::FixedLengthList(list) => {
                Type::FixedList(self.shared(&list.ty(), depth)?, list.len())
            }
            types::Type::Map(map) => {
                Type::Map(self.shared(&map.key(), depth)?, self.shared(&map.value(), depth)?)
            }
            types::Type::Option(option) => Type::Option(self.shared(&option.ty(), depth)?),
            types::Type::Result(result) => Type::Result {
                ok: result.ok().map(|ty| self.shared(&ty, depth)).transpose()?,
                err: result.err().map(|ty| self.shared(&ty, depth)).transpose()?,
            },
            types::Type::Tuple(tuple) => {
                Type::Tuple(collect(tuple.types().map(|ty| self.convert(&ty, depth)))?)
            }
            types::Type::Record(record) => Type::Record(collect(record.fields().map(|field| {
                Ok(Field { name: self.name(field.name)?, ty: self.convert(&field.ty, depth)? })
            }))?),
            types::Type::Variant(variant) => Type::Variant(collect(variant.cases().map(|case| {
                Ok(Case {
                    name: self.name(case.name)?,
                    ty: case.ty.map(|ty| self.convert(&ty, depth)).transpose()?,
                })
            }))?),
            types::Type::Enum(names) => Type::Enum(self.names(names.names())?),
            types::Type::Flags(names) => Type::Flags(self.names(names.names())?),
            types::Type::Own(_) | types::Type::Borrow(_) => return Err(Unwritable::Kind("a resource")),
            types::Type::Future(_) => return Err(Unwritable::Kind("a future")),
            types::Type::Stream(_) => return Err(Unwritable::Kind("a stream")),
            types::Type::ErrorContext => return Err(Unwritable::Kind("an error-context")),
        })
    }

    fn shared(&mut self, ty: &types::Type, depth: usize) -> Result<Arc<Type>, Unwritable> {
        self.convert(ty, depth).map(Arc::new)
    }
}

fn collect<T>(items: impl Iterator<Item = Result<T, Unwritable>>) -> Result<Arc<[T]>, Unwritable> {
    items.collect::<Result<Vec<_>, _>>().map(Into::into)
}

/// Whether values of a type may be long: those with texts, lists or maps.
pub(crate) fn may_be_long(ty: &Type) -> bool {
    matches!(ty, Type::String | Type::List(_) | Type::FixedList(..) | Type::Map(..))
        || ty.parts().into_iter().any(may_be_long)
}

/// How much more memory values of a type take than wasmtime counts while it reads them: it does not count allocations, of which lists of
/// values with parts have one for each.
pub(crate) fn expansion(ty: &Type) -> u64 {
    /// Measured: 150 bytes for a tuple of one element, for which 40 are counted.
    const OF_ALLOCATIONS: u64 = 4;
    let is_list = matches!(ty, Type::List(_) | Type::FixedList(..));
    let parts = ty.parts();
    if matches!(ty, Type::Map(..)) || is_list && parts.iter().any(|item| !item.is_flat()) {
        return OF_ALLOCATIONS;
    }
    parts.into_iter().map(expansion).max().unwrap_or(1)
}
