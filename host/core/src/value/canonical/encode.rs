//! Encodes types and values as canonical bytes.

use crate::leb128;
use std::collections::BTreeSet;

use super::{CanonicalError, MAX_DEPTH, tag};
use crate::value::{Case, Field, Name, Type, Value, excerpt};

/// Appends the description of a type at nesting level `depth`.
pub(super) fn ty(ty: &Type, depth: usize, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    if depth >= MAX_DEPTH {
        return Err(CanonicalError::TooDeep);
    }
    out.push(tag_of(ty));
    let inner = |ty: &Type, out: &mut Vec<u8>| self::ty(ty, depth + 1, out);
    match ty {
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::F32
        | Type::F64
        | Type::Char
        | Type::String
        | Type::Data => Ok(()),
        Type::List(element) => inner(element, out),
        Type::FixedList(element, length) => {
            leb128::write(u64::from(*length), out);
            inner(element, out)
        }
        Type::Map(key, value) => {
            inner(key, out)?;
            inner(value, out)
        }
        Type::Record(fields) => {
            different(fields.iter().map(|field| &field.name))?;
            length(fields.len(), out);
            fields.iter().try_for_each(|Field { name, ty }| {
                text(name, out);
                inner(ty, out)
            })
        }
        Type::Tuple(types) => {
            length(types.len(), out);
            types.iter().try_for_each(|ty| inner(ty, out))
        }
        Type::Variant(cases) => {
            different(cases.iter().map(|case| &case.name))?;
            length(cases.len(), out);
            cases.iter().try_for_each(|Case { name, ty }| {
                text(name, out);
                maybe(ty.as_ref(), depth + 1, out)
            })
        }
        Type::Enum(names) | Type::Flags(names) => {
            different(names.iter())?;
            length(names.len(), out);
            names.iter().for_each(|name| text(name, out));
            Ok(())
        }
        Type::Option(some) => inner(some, out),
        Type::Result { ok, err } => {
            maybe(ok.as_deref(), depth + 1, out)?;
            maybe(err.as_deref(), depth + 1, out)
        }
    }
}

/// Appends the payload of a value, which must be of the type and in normal form.
pub(super) fn payload(ty: &Type, value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match (ty, value) {
        (Type::Bool, Value::Bool(truth)) => out.push(u8::from(*truth)),
        (Type::S8, Value::S8(number)) => out.extend(number.to_le_bytes()),
        (Type::U8, Value::U8(number)) => out.push(*number),
        (Type::S16, Value::S16(number)) => out.extend(number.to_le_bytes()),
        (Type::U16, Value::U16(number)) => out.extend(number.to_le_bytes()),
        (Type::S32, Value::S32(number)) => out.extend(number.to_le_bytes()),
        (Type::U32, Value::U32(number)) => out.extend(number.to_le_bytes()),
        (Type::S64, Value::S64(number)) => out.extend(number.to_le_bytes()),
        (Type::U64, Value::U64(number)) => out.extend(number.to_le_bytes()),
        (Type::F32, Value::F32(number)) => out.extend(f32_bits(*number).to_le_bytes()),
        (Type::F64, Value::F64(number)) => out.extend(f64_bits(*number).to_le_bytes()),
        (Type::Char, Value::Char(character)) => out.extend(u32::from(*character).to_le_bytes()),
        (Type::String, Value::String(string)) => text(string, out),
        (Type::Data, value) if value.as_data().is_some() => text(value.as_data().unwrap_or_default(), out),
        (Type::List(element), Value::Bytes(bytes)) if **element == Type::U8 => {
            length(bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        (Type::List(element), Value::List(items)) if **element != Type::U8 => {
            length(items.len(), out);
            items.iter().try_for_each(|item| payload(element, item, out))?;
        }
        (Type::FixedList(element, length), Value::List(items)) if items.len() == *length as usize => {
            members(items.iter().map(|item| (&**element, item)), out)?;
        }
        (Type::Map(key, value), Value::Map(entries)) => map(key, value, entries, out)?,
        (Type::Record(declared), Value::Record(fields)) if same_names(declared, fields) => {
            let fields = declared.iter().zip(fields);
            members(fields.map(|(field, (_, value))| (&field.ty, value)), out)?;
        }
        (Type::Tuple(types), Value::Tuple(items)) if types.len() == items.len() => {
            members(types.iter().zip(items), out)?;
        }
        (Type::Variant(cases), Value::Variant(name, carried)) => {
            let case = find(cases.iter(), |case| case.name == *name);
            let (index, case) = case.ok_or_else(|| not_normal(ty))?;
            length(index, out);
            carry(ty, case.ty.as_ref(), carried.as_deref(), out)?;
        }
        (Type::Enum(names), Value::Enum(name)) => {
            let case = find(names.iter(), |known| *known == name);
            let (index, _) = case.ok_or_else(|| not_normal(ty))?;
            length(index, out);
        }
        (Type::Option(_), Value::Option(None)) => out.push(0),
        (Type::Option(some), Value::Option(Some(value))) => {
            out.push(1);
            payload(some, value, out)?;
        }
        (Type::Result { ok, .. }, Value::Result(Ok(carried))) => {
            out.push(0);
            carry(ty, ok.as_deref(), carried.as_deref(), out)?;
        }
        (Type::Result { err, .. }, Value::Result(Err(carried))) => {
            out.push(1);
            carry(ty, err.as_deref(), carried.as_deref(), out)?;
        }
        (Type::Flags(declared), Value::Flags(set)) => flags(ty, declared, set, out)?,
        _ => return Err(not_normal(ty)),
    }
    Ok(())
}

/// Returns the number's bits, the same for every NaN.
pub(in crate::value) fn f32_bits(number: f32) -> u32 {
    one_nan32(number).to_bits()
}

/// Returns the number's bits, the same for every NaN.
pub(in crate::value) fn f64_bits(number: f64) -> u64 {
    one_nan64(number).to_bits()
}

/// Returns the number, or the one NaN of the component model.
pub(in crate::value) fn one_nan32(number: f32) -> f32 {
    if number.is_nan() { f32::from_bits(0x7fc0_0000) } else { number }
}

/// Returns the number, or the one NaN of the component model.
pub(in crate::value) fn one_nan64(number: f64) -> f64 {
    if number.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { number }
}

fn tag_of(ty: &Type) -> u8 {
    match ty {
        Type::Bool => tag::BOOL,
        Type::S8 => tag::S8,
        Type::U8 => tag::U8,
        Type::S16 => tag::S16,
        Type::U16 => tag::U16,
        Type::S32 => tag::S32,
        Type::U32 => tag::U32,
        Type::S64 => tag::S64,
        Type::U64 => tag::U64,
        Type::F32 => tag::F32,
        Type::F64 => tag::F64,
        Type::Char => tag::CHAR,
        Type::String => tag::STRING,
        Type::List(_) => tag::LIST,
        Type::FixedList(..) => tag::FIXED_LIST,
        Type::Map(..) => tag::MAP,
        Type::Record(_) => tag::RECORD,
        Type::Tuple(_) => tag::TUPLE,
        Type::Variant(_) => tag::VARIANT,
        Type::Enum(_) => tag::ENUM,
        Type::Option(_) => tag::OPTION,
        Type::Result { .. } => tag::RESULT,
        Type::Flags(_) => tag::FLAGS,
        Type::Data => tag::DATA,
    }
}

/// Refuses a type with two members of the same name: its values would be ambiguous.
pub(super) fn different<'a>(names: impl Iterator<Item = &'a Name>) -> Result<(), CanonicalError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(CanonicalError::TwoOfAName { name: excerpt(name) });
        }
    }
    Ok(())
}

fn maybe(payload: Option<&Type>, depth: usize, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    out.push(u8::from(payload.is_some()));
    payload.map_or(Ok(()), |payload| ty(payload, depth, out))
}

fn members<'a>(
    members: impl ExactSizeIterator<Item = (&'a Type, &'a Value)>,
    out: &mut Vec<u8>,
) -> Result<(), CanonicalError> {
    if members.len() == 0 {
        out.push(0);
    }
    for (ty, value) in members {
        payload(ty, value, out)?;
    }
    Ok(())
}

/// Appends the payload of a case of `ty`, if the type has one.
fn carry(
    ty: &Type,
    carried_ty: Option<&Type>,
    carried: Option<&Value>,
    out: &mut Vec<u8>,
) -> Result<(), CanonicalError> {
    match (carried_ty, carried) {
        (Some(ty), Some(value)) => payload(ty, value, out),
        (None, None) => Ok(()),
        (Some(_), None) | (None, Some(_)) => Err(not_normal(ty)),
    }
}

fn map(
    key_ty: &Type,
    value_ty: &Type,
    entries: &[(Value, Value)],
    out: &mut Vec<u8>,
) -> Result<(), CanonicalError> {
    length(entries.len(), out);
    let mut previous: Option<std::ops::Range<usize>> = None;
    for (key, value) in entries {
        let start = out.len();
        payload(key_ty, key, out)?;
        let current = start..out.len();
        if previous.is_some_and(|previous| out.get(previous) >= out.get(current.clone())) {
            return Err(not_normal(key_ty));
        }
        previous = Some(current);
        payload(value_ty, value, out)?;
    }
    Ok(())
}

fn flags(ty: &Type, declared: &[Name], set: &[Name], out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    let mut set = set.iter().peekable();
    for names in declared.chunks(8) {
        let mut byte = 0;
        for (bit, name) in names.iter().enumerate() {
            byte |= u8::from(set.next_if_eq(&name).is_some()) << bit;
        }
        out.push(byte);
    }
    if declared.is_empty() {
        out.push(0);
    }
    // The remaining flags are unknown, duplicate, or out of order.
    set.next().map_or(Ok(()), |_| Err(not_normal(ty)))
}

fn same_names(declared: &[Field], fields: &[(Name, Value)]) -> bool {
    declared.len() == fields.len()
        && declared.iter().zip(fields).all(|(field, (name, _))| field.name == *name)
}

fn find<T>(mut members: impl Iterator<Item = T>, wanted: impl Fn(&T) -> bool) -> Option<(usize, T)> {
    members.by_ref().enumerate().find(|(_, member)| wanted(member))
}

fn text(text: &str, out: &mut Vec<u8>) {
    length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn length(length: usize, out: &mut Vec<u8>) {
    leb128::write(length as u64, out);
}

fn not_normal(ty: &Type) -> CanonicalError {
    CanonicalError::NotNormal { ty: excerpt(ty) }
}
