//! From wasmtime's types to ours; what cannot be written down is refused with the reason.

use std::sync::Arc;

use hostel_core::{Case, Field, Name, Param, Signature, Type};
use wasmtime::component::types::{self, ComponentFunc};

/// A type in the signature that cannot be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unwritable(&'static str);

impl Unwritable {
    /// Why the function is not callable as a task.
    pub(crate) fn reason(self) -> String {
        format!("its signature has {}, which cannot be written down", self.0)
    }
}

/// The signature of a function, if every type in it can be written down.
pub(crate) fn signature(function: &ComponentFunc) -> Result<Signature, Unwritable> {
    let params = function
        .params()
        .map(|(name, ty)| Ok(Param { name: Name::from(name), ty: convert(&ty)? }))
        .collect::<Result<Vec<_>, Unwritable>>()?;
    let result = function.results().next().map(|ty| convert(&ty)).transpose()?;
    Ok(Signature { params: params.into(), result, is_async: function.async_() })
}

fn convert(ty: &types::Type) -> Result<Type, Unwritable> {
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
        types::Type::List(list) => Type::List(shared(&list.ty())?),
        types::Type::FixedLengthList(list) => Type::FixedList(shared(&list.ty())?, list.len()),
        types::Type::Map(map) => Type::Map(shared(&map.key())?, shared(&map.value())?),
        types::Type::Option(option) => Type::Option(shared(&option.ty())?),
        types::Type::Result(result) => Type::Result {
            ok: result.ok().map(|ty| shared(&ty)).transpose()?,
            err: result.err().map(|ty| shared(&ty)).transpose()?,
        },
        types::Type::Tuple(tuple) => Type::Tuple(collect(tuple.types().map(|ty| convert(&ty)))?),
        types::Type::Record(record) => Type::Record(collect(
            record.fields().map(|field| Ok(Field { name: Name::from(field.name), ty: convert(&field.ty)? })),
        )?),
        types::Type::Variant(variant) => Type::Variant(collect(variant.cases().map(|case| {
            Ok(Case { name: Name::from(case.name), ty: case.ty.map(|ty| convert(&ty)).transpose()? })
        }))?),
        types::Type::Enum(names) => Type::Enum(names.names().map(Name::from).collect()),
        types::Type::Flags(names) => Type::Flags(names.names().map(Name::from).collect()),
        types::Type::Own(_) | types::Type::Borrow(_) => return Err(Unwritable("a resource")),
        types::Type::Future(_) => return Err(Unwritable("a future")),
        types::Type::Stream(_) => return Err(Unwritable("a stream")),
        types::Type::ErrorContext => return Err(Unwritable("an error-context")),
    })
}

fn shared(ty: &types::Type) -> Result<Arc<Type>, Unwritable> {
    convert(ty).map(Arc::new)
}

fn collect<T>(items: impl Iterator<Item = Result<T, Unwritable>>) -> Result<Arc<[T]>, Unwritable> {
    items.collect::<Result<Vec<_>, _>>().map(Into::into)
}
