//! Writes values as JSON, part by part, so that only the serializer's buffer is in memory.

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::{Serialize, Serializer};

use super::{ARRAY_BYTES, may_be_null};
use crate::value::data::{check, member, raw};
use crate::value::{Type, Value};

/// A value that serialises as JSON, returned by [`Value::as_json`].
#[derive(Clone, Copy, Debug)]
pub struct AsJson<'a> {
    value: &'a Value,
    ty: &'a Type,
}

impl<'a> AsJson<'a> {
    pub(super) const fn new(value: &'a Value, ty: &'a Type) -> Self {
        Self { value, ty }
    }
}

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { value, ty } = *self;
        match (value, ty) {
            (Value::List(items), Type::List(ty) | Type::FixedList(ty, _)) => {
                to.collect_seq(items.iter().map(|item| AsJson::new(item, ty)))
            }
            (Value::Tuple(items), Type::Tuple(types)) => {
                to.collect_seq(items.iter().zip(&**types).map(|(item, ty)| AsJson::new(item, ty)))
            }
            (Value::Record(fields), Type::Record(declared)) => {
                let fields = fields.iter().zip(&**declared);
                to.collect_map(fields.map(|((name, value), field)| (&**name, AsJson::new(value, &field.ty))))
            }
            (Value::Map(entries), Type::Map(key, value)) => map(to, entries, key, value),
            (Value::Variant(name, Some(payload)), Type::Variant(cases)) => {
                let case = cases.iter().find(|case| case.name == *name);
                member(to, name, &Payload(Some(payload), case.and_then(|case| case.ty.as_ref())))
            }
            (Value::Option(None), _) => to.serialize_unit(),
            (Value::Option(Some(payload)), Type::Option(ty)) if may_be_null(ty) => {
                member(to, "some", &AsJson::new(payload, ty))
            }
            (Value::Option(Some(payload)), Type::Option(ty)) => AsJson::new(payload, ty).serialize(to),
            (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
                member(to, "ok", &Payload(payload.as_deref(), ok.as_deref()))
            }
            (Value::Result(Err(payload)), Type::Result { err, .. }) => {
                member(to, "err", &Payload(payload.as_deref(), err.as_deref()))
            }
            (value, Type::Data) => data(to, value),
            (value, _) => untyped(to, value),
        }
    }
}

/// Writes data as it is. The result of a script's function is its text alone.
fn data<S: Serializer>(to: S, value: &Value) -> Result<S::Ok, S::Error> {
    let text = if let Value::String(text) = value { Some(&**text) } else { value.as_data() };
    match text.and_then(raw).filter(|json| check(json.get()).is_ok()) {
        Some(json) => json.serialize(to),
        None => untyped(to, value),
    }
}

/// Writes values whose JSON does not depend on the type; a value that does not fit its type is written as WAVE.
fn untyped<S: Serializer>(to: S, value: &Value) -> Result<S::Ok, S::Error> {
    match value {
        Value::Flags(names) => to.collect_seq(names.iter().map(|name| &**name)),
        Value::Bytes(bytes) if bytes.len() > ARRAY_BYTES => member(to, "base64", &Base64(bytes)),
        Value::Bytes(bytes) => to.collect_seq(bytes),
        Value::Variant(name, None) | Value::Enum(name) => to.serialize_str(name),
        Value::String(text) => to.serialize_str(text),
        Value::Char(character) => to.serialize_char(*character),
        Value::Bool(truth) => to.serialize_bool(*truth),
        Value::F32(number) => float(to, widened(*number)),
        Value::F64(number) => float(to, *number),
        Value::U64(number) => to.serialize_u64(*number),
        Value::S8(_)
        | Value::U8(_)
        | Value::S16(_)
        | Value::U16(_)
        | Value::S32(_)
        | Value::U32(_)
        | Value::S64(_) => match value.as_integer().and_then(|number| i64::try_from(number).ok()) {
            Some(number) => to.serialize_i64(number),
            None => to.collect_str(value),
        },
        Value::List(_)
        | Value::Map(_)
        | Value::Record(_)
        | Value::Tuple(_)
        | Value::Variant(..)
        | Value::Option(_)
        | Value::Result(_) => to.collect_str(value),
    }
}

/// The payload of a case, or `null` if there is none.
struct Payload<'a>(Option<&'a Value>, Option<&'a Type>);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.zip(self.1) {
            Some((value, ty)) => AsJson::new(value, ty).serialize(to),
            None => to.serialize_unit(),
        }
    }
}

/// Bytes as text in base64.
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Base64Display::new(self.0, &BASE64))
    }
}

/// An object with one member.
fn map<S: Serializer>(
    to: S,
    entries: &[(Value, Value)],
    key_ty: &Type,
    value_ty: &Type,
) -> Result<S::Ok, S::Error> {
    if *key_ty != Type::String {
        let pairs =
            entries.iter().map(|(key, value)| (AsJson::new(key, key_ty), AsJson::new(value, value_ty)));
        return to.collect_seq(pairs);
    }
    to.collect_map(entries.iter().filter_map(|(key, value)| {
        let Value::String(key) = key else { return None };
        Some((key, AsJson::new(value, value_ty)))
    }))
}

fn float<S: Serializer>(to: S, number: f64) -> Result<S::Ok, S::Error> {
    match number {
        number if number.is_finite() => to.serialize_f64(number),
        number if number.is_nan() => to.serialize_str("NaN"),
        number if number > 0.0 => to.serialize_str("Infinity"),
        _ => to.serialize_str("-Infinity"),
    }
}

/// Returns the float with the same shortest text as the `f32`: 0.1, not 0.10000000149011612.
fn widened(number: f32) -> f64 {
    let short = number.to_string().parse().unwrap_or(f64::NAN);
    // Rounding twice might give a neighbour.
    if short as f32 == number { short } else { number.into() }
}
