//! WAVE as wasm-wave reads it, which `wasmtime run --invoke` does.

use hostel_core::Type;
use wasm_wave::value::{Type as Theirs, Value};

/// Returns the text that wasm-wave writes for what it reads, if it reads it and knows the type.
pub(super) fn rewritten(text: &str, ty: &Type) -> Option<String> {
    let value: Value = wasm_wave::from_str(&theirs(ty)?, text).ok()?;
    wasm_wave::to_string(&value).ok()
}

/// Returns the type in wasm-wave's terms, which lack maps and, for reading, fixed-length lists.
fn theirs(ty: &Type) -> Option<Theirs> {
    let payload = |ty: Option<&Type>| match ty {
        Some(ty) => theirs(ty).map(Some),
        None => Some(None),
    };
    match ty {
        Type::Bool => Some(Theirs::BOOL),
        Type::S8 => Some(Theirs::S8),
        Type::U8 => Some(Theirs::U8),
        Type::S16 => Some(Theirs::S16),
        Type::U16 => Some(Theirs::U16),
        Type::S32 => Some(Theirs::S32),
        Type::U32 => Some(Theirs::U32),
        Type::S64 => Some(Theirs::S64),
        Type::U64 => Some(Theirs::U64),
        Type::F32 => Some(Theirs::F32),
        Type::F64 => Some(Theirs::F64),
        Type::Char => Some(Theirs::CHAR),
        Type::String => Some(Theirs::STRING),
        Type::List(element) => theirs(element).map(Theirs::list),
        Type::FixedList(..) | Type::Map(..) | Type::Data => None,
        Type::Record(fields) => {
            let fields: Option<Vec<_>> = fields.iter().map(|f| Some((&*f.name, theirs(&f.ty)?))).collect();
            Theirs::record(fields?)
        }
        Type::Tuple(types) => Theirs::tuple(types.iter().map(theirs).collect::<Option<Vec<_>>>()?),
        Type::Variant(cases) => {
            let cases: Option<Vec<_>> =
                cases.iter().map(|c| Some((&*c.name, payload(c.ty.as_ref())?))).collect();
            Theirs::variant(cases?)
        }
        Type::Enum(names) => Theirs::enum_ty(names.iter().map(|name| &**name)),
        Type::Option(some) => theirs(some).map(Theirs::option),
        Type::Result { ok, err } => Some(Theirs::result(payload(ok.as_deref())?, payload(err.as_deref())?)),
        Type::Flags(names) => Theirs::flags(names.iter().map(|name| &**name)),
    }
}
