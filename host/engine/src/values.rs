//! Conversion between our values and wasmtime's, directed by the type, so that names are shared and nothing is guessed.

use hostel_core::{Name, Type, Value};
use wasmtime::component::Val;

/// Lowers a value of type `ty`, in normal form; `None` if it is of another type.
pub(crate) fn lower(value: &Value, ty: &Type) -> Option<Val> {
    Some(match (value, ty) {
        (Value::Bool(value), _) => Val::Bool(*value),
        (Value::S8(value), _) => Val::S8(*value),
        (Value::U8(value), _) => Val::U8(*value),
        (Value::S16(value), _) => Val::S16(*value),
        (Value::U16(value), _) => Val::U16(*value),
        (Value::S32(value), _) => Val::S32(*value),
        (Value::U32(value), _) => Val::U32(*value),
        (Value::S64(value), _) => Val::S64(*value),
        (Value::U64(value), _) => Val::U64(*value),
        (Value::F32(value), _) => Val::Float32(*value),
        (Value::F64(value), _) => Val::Float64(*value),
        (Value::Char(value), _) => Val::Char(*value),
        (Value::String(text), _) => Val::String(text.clone()),
        (Value::Bytes(bytes), _) => Val::List(bytes.iter().copied().map(Val::U8).collect()),
        (Value::List(items), Type::List(item)) => Val::List(lower_all(items, item)?),
        (Value::List(items), Type::FixedList(item, _)) => Val::FixedLengthList(lower_all(items, item)?),
        (Value::Map(entries), Type::Map(key, value)) => {
            let lower_entry = |(k, v): &(Value, Value)| Some((lower(k, key)?, lower(v, value)?));
            Val::Map(entries.iter().map(lower_entry).collect::<Option<_>>()?)
        }
        (Value::Record(values), Type::Record(fields)) => {
            let named = values.iter().zip(fields.iter());
            Val::Record(
                named
                    .map(|((name, value), field)| Some((name.to_string(), lower(value, &field.ty)?)))
                    .collect::<Option<_>>()?,
            )
        }
        (Value::Tuple(items), Type::Tuple(types)) => Val::Tuple(
            items.iter().zip(types.iter()).map(|(item, ty)| lower(item, ty)).collect::<Option<_>>()?,
        ),
        (Value::Variant(name, payload), Type::Variant(cases)) => {
            let case = cases.iter().find(|case| case.name == *name)?;
            Val::Variant(name.to_string(), lower_payload(payload.as_deref(), case.ty.as_ref())?)
        }
        (Value::Enum(name), _) => Val::Enum(name.to_string()),
        (Value::Option(payload), Type::Option(ty)) => {
            let ty = payload.is_some().then_some(&**ty);
            Val::Option(lower_payload(payload.as_deref(), ty)?)
        }
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            Val::Result(Ok(lower_payload(payload.as_deref(), ok.as_deref())?))
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            Val::Result(Err(lower_payload(payload.as_deref(), err.as_deref())?))
        }
        (Value::Flags(names), _) => Val::Flags(names.iter().map(Name::to_string).collect()),
        _ => return None,
    })
}

/// Lifts a value of type `ty`, in normal form; `None` if wasmtime returned a value of another type, which it never
/// should.
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
            items.into_iter().zip(types.iter()).map(|(item, ty)| lift(item, ty)).collect::<Option<_>>()?,
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
            names.iter().filter(|name| set.iter().any(|one| **one == ***name)).cloned().collect(),
        ),
        _ => return None,
    })
}

/// About how many bytes the host has for arguments while a guest runs: what [`lower`] makes of them. A byte of a list takes as much as any
/// other value.
pub(crate) fn lowered_bytes(value: &Value) -> u64 {
    /// What an allocation costs for parts of a value, here and in the value that it is made of.
    const ALLOCATION: u64 = 128;
    let val = size_of::<Val>() as u64;
    let all = |values: &[Value]| ALLOCATION + values.iter().map(lowered_bytes).sum::<u64>();
    let text = |text: &str| text.len() as u64;
    val + match value {
        Value::Bool(_)
        | Value::S8(_)
        | Value::U8(_)
        | Value::S16(_)
        | Value::U16(_)
        | Value::S32(_)
        | Value::U32(_)
        | Value::S64(_)
        | Value::U64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::Char(_) => 0,
        Value::String(string) => text(string),
        Value::Bytes(bytes) => val * bytes.len() as u64,
        Value::List(items) | Value::Tuple(items) => all(items),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| lowered_bytes(key) + lowered_bytes(value));
            ALLOCATION + entries.sum::<u64>()
        }
        Value::Record(fields) => {
            let fields = fields.iter();
            let fields =
                fields.map(|(name, value)| size_of::<String>() as u64 + text(name) + lowered_bytes(value));
            ALLOCATION + fields.sum::<u64>()
        }
        Value::Variant(name, payload) => {
            text(name) + payload.as_deref().map_or(0, |payload| ALLOCATION + lowered_bytes(payload))
        }
        Value::Option(payload) | Value::Result(Ok(payload) | Err(payload)) => {
            payload.as_deref().map_or(0, |payload| ALLOCATION + lowered_bytes(payload))
        }
        Value::Enum(name) => text(name),
        Value::Flags(names) => names.iter().map(|name| size_of::<String>() as u64 + text(name)).sum(),
    }
}

fn lower_all(items: &[Value], item: &Type) -> Option<Vec<Val>> {
    items.iter().map(|value| lower(value, item)).collect()
}

fn lower_payload(payload: Option<&Value>, ty: Option<&Type>) -> Option<Option<Box<Val>>> {
    match (payload, ty) {
        (Some(payload), Some(ty)) => Some(Some(Box::new(lower(payload, ty)?))),
        (None, None) => Some(None),
        (Some(_), None) | (None, Some(_)) => None,
    }
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
