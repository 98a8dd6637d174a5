//! Between our values and wasmtime's, directed by the type so that names are shared and nothing is guessed.

use hostel_core::{Name, Type, Value};
use wasmtime::component::Val;

/// Lowers a value in normal form.
pub(crate) fn lower(value: &Value) -> Val {
    match value {
        Value::Bool(value) => Val::Bool(*value),
        Value::S8(value) => Val::S8(*value),
        Value::U8(value) => Val::U8(*value),
        Value::S16(value) => Val::S16(*value),
        Value::U16(value) => Val::U16(*value),
        Value::S32(value) => Val::S32(*value),
        Value::U32(value) => Val::U32(*value),
        Value::S64(value) => Val::S64(*value),
        Value::U64(value) => Val::U64(*value),
        Value::F32(value) => Val::Float32(*value),
        Value::F64(value) => Val::Float64(*value),
        Value::Char(value) => Val::Char(*value),
        Value::String(text) => Val::String(text.clone()),
        Value::Bytes(bytes) => Val::List(bytes.iter().copied().map(Val::U8).collect()),
        Value::List(items) => Val::List(items.iter().map(lower).collect()),
        Value::Map(entries) => Val::Map(
            entries
                .iter()
                .map(|(key, value)| (lower(key), lower(value)))
                .collect(),
        ),
        Value::Record(fields) => Val::Record(
            fields
                .iter()
                .map(|(name, value)| (name.to_string(), lower(value)))
                .collect(),
        ),
        Value::Tuple(items) => Val::Tuple(items.iter().map(lower).collect()),
        Value::Variant(case, payload) => Val::Variant(case.to_string(), boxed(payload.as_deref())),
        Value::Enum(case) => Val::Enum(case.to_string()),
        Value::Option(payload) => Val::Option(boxed(payload.as_deref())),
        Value::Result(Ok(payload)) => Val::Result(Ok(boxed(payload.as_deref()))),
        Value::Result(Err(payload)) => Val::Result(Err(boxed(payload.as_deref()))),
        Value::Flags(names) => Val::Flags(names.iter().map(Name::to_string).collect()),
    }
}

/// Lifts a value of type `ty`, in normal form; `None` if wasmtime gave a value of another type, which it never should.
pub(crate) fn lift(val: Val, ty: &Type) -> Option<Value> {
    Some(match (val, ty) {
        (Val::Bool(value), Type::Bool) => Value::Bool(value),
        (Val::S8(value), Type::S8) => Value::S8(value),
        (Val::U8(value), Type::U8) => Value::U8(value),
        (Val::S16(value), Type::S16) => Value::S16(value),
        (Val::U16(value), Type::U16) => Value::U16(value),
        (Val::S32(value), Type::S32) => Value::S32(value),
        (Val::U32(value), Type::U32) => Value::U32(value),
        (Val::S64(value), Type::S64) => Value::S64(value),
        (Val::U64(value), Type::U64) => Value::U64(value),
        (Val::Float32(value), Type::F32) => Value::F32(if value.is_nan() { f32::NAN } else { value }),
        (Val::Float64(value), Type::F64) => Value::F64(if value.is_nan() { f64::NAN } else { value }),
        (Val::Char(value), Type::Char) => Value::Char(value),
        (Val::String(text), Type::String) => Value::String(text),
        (Val::List(items), Type::List(item)) => list(items, item)?,
        (Val::FixedLengthList(items), Type::FixedList(item, _)) => Value::List(lift_all(items, item)?),
        (Val::Map(entries), Type::Map(key, value)) => {
            let lift_entry = |(k, v)| Some((lift(k, key)?, lift(v, value)?));
            let entries = entries.into_iter().map(lift_entry).collect::<Option<_>>()?;
            // Puts the entries in order and lets the last of equal keys win.
            ty.conform(Value::Map(entries)).ok()?
        }
        (Val::Record(values), Type::Record(fields)) => Value::Record(
            values
                .into_iter()
                .zip(fields.iter())
                .map(|((_, value), field)| Some((field.name.clone(), lift(value, &field.ty)?)))
                .collect::<Option<_>>()?,
        ),
        (Val::Tuple(items), Type::Tuple(types)) => Value::Tuple(
            items
                .into_iter()
                .zip(types.iter())
                .map(|(item, ty)| lift(item, ty))
                .collect::<Option<_>>()?,
        ),
        (Val::Variant(name, payload), Type::Variant(cases)) => {
            let case = cases.iter().find(|case| *case.name == *name)?;
            Value::Variant(case.name.clone(), lift_payload(payload, case.ty.as_ref())?)
        }
        (Val::Enum(name), Type::Enum(names)) => Value::Enum(shared(&name, names)?),
        (Val::Option(payload), Type::Option(ty)) => {
            let ty = payload.is_some().then_some(&**ty);
            Value::Option(lift_payload(payload, ty)?)
        }
        (Val::Result(Ok(payload)), Type::Result { ok, .. }) => {
            Value::Result(Ok(lift_payload(payload, ok.as_deref())?))
        }
        (Val::Result(Err(payload)), Type::Result { err, .. }) => {
            Value::Result(Err(lift_payload(payload, err.as_deref())?))
        }
        (Val::Flags(set), Type::Flags(names)) => Value::Flags(
            names
                .iter()
                .filter(|name| set.iter().any(|one| **one == ***name))
                .cloned()
                .collect(),
        ),
        _ => return None,
    })
}

fn boxed(payload: Option<&Value>) -> Option<Box<Val>> {
    payload.map(|payload| Box::new(lower(payload)))
}

fn list(items: Vec<Val>, item: &Type) -> Option<Value> {
    if *item != Type::U8 {
        return Some(Value::List(lift_all(items, item)?));
    }
    let byte = |val| if let Val::U8(byte) = val { Some(byte) } else { None };
    Some(Value::Bytes(items.into_iter().map(byte).collect::<Option<_>>()?))
}

fn lift_all(items: Vec<Val>, item: &Type) -> Option<Vec<Value>> {
    items.into_iter().map(|val| lift(val, item)).collect()
}

fn lift_payload(payload: Option<Box<Val>>, ty: Option<&Type>) -> Option<Option<Box<Value>>> {
    match (payload, ty) {
        (Some(payload), Some(ty)) => Some(Some(Box::new(lift(*payload, ty)?))),
        (None, None) => Some(None),
        (Some(_), None) | (None, Some(_)) => None,
    }
}

fn shared(name: &str, names: &[Name]) -> Option<Name> {
    names.iter().find(|known| ***known == *name).cloned()
}
