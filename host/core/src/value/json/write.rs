//! Writes values as JSON.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Number, Value as Json, json};

use super::{ARRAY_BYTES, may_be_null};
use crate::value::{Type, Value};

/// Returns a value of the type as JSON.
pub(super) fn to_json(value: &Value, ty: &Type) -> Json {
    match (value, ty) {
        (Value::List(items), Type::List(ty) | Type::FixedList(ty, _)) => {
            items.iter().map(|item| to_json(item, ty)).collect()
        }
        (Value::Tuple(items), Type::Tuple(types)) => {
            let items = items.iter().zip(&**types);
            items.map(|(item, ty)| to_json(item, ty)).collect()
        }
        (Value::Record(fields), Type::Record(declared)) => {
            let fields = fields.iter().zip(&**declared);
            let members = fields.map(|((name, value), field)| (name.to_string(), to_json(value, &field.ty)));
            Json::Object(members.collect())
        }
        (Value::Map(entries), Type::Map(key, value)) => map_to_json(entries, key, value),
        (Value::Variant(name, Some(payload)), Type::Variant(cases)) => {
            let case = cases.iter().find(|case| case.name == *name);
            let ty = case.and_then(|case| case.ty.as_ref());
            object(name, payload_to_json(Some(payload), ty))
        }
        (Value::Option(None), _) => Json::Null,
        (Value::Option(Some(payload)), Type::Option(ty)) if may_be_null(ty) => {
            object("some", to_json(payload, ty))
        }
        (Value::Option(Some(payload)), Type::Option(ty)) => to_json(payload, ty),
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            object("ok", payload_to_json(payload.as_deref(), ok.as_deref()))
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            object("err", payload_to_json(payload.as_deref(), err.as_deref()))
        }
        (Value::Flags(names), _) => names.iter().map(|name| &**name).collect(),
        (Value::Bytes(bytes), _) if bytes.len() > ARRAY_BYTES => {
            object("base64", BASE64.encode(bytes).into())
        }
        (Value::Bytes(bytes), _) => bytes.iter().copied().collect(),
        (Value::Variant(name, None) | Value::Enum(name), _) => Json::from(&**name),
        (Value::String(text), _) => Json::from(text.as_str()),
        (Value::Char(character), _) => Json::from(character.to_string()),
        (Value::Bool(truth), _) => Json::from(*truth),
        (Value::F32(number), _) => float_to_json(widened(*number)),
        (Value::F64(number), _) => float_to_json(*number),
        (Value::U64(number), _) => Json::from(*number),
        (value, _) => match value.as_integer().and_then(|number| i64::try_from(number).ok()) {
            Some(number) => Json::from(number),
            None => Json::from(value.to_wave()),
        },
    }
}

fn object(key: &str, value: Json) -> Json {
    Json::Object(Map::from_iter([(key.to_owned(), value)]))
}

fn payload_to_json(payload: Option<&Value>, ty: Option<&Type>) -> Json {
    let typed = payload.zip(ty);
    typed.map_or(Json::Null, |(payload, ty)| to_json(payload, ty))
}

fn map_to_json(entries: &[(Value, Value)], key_ty: &Type, value_ty: &Type) -> Json {
    let pair = |(key, value): &(Value, Value)| json!([to_json(key, key_ty), to_json(value, value_ty)]);
    if *key_ty != Type::String {
        return entries.iter().map(pair).collect();
    }
    let members = entries.iter().filter_map(|(key, value)| {
        let Value::String(key) = key else { return None };
        Some((key.clone(), to_json(value, value_ty)))
    });
    Json::Object(members.collect())
}

fn float_to_json(number: f64) -> Json {
    match Number::from_f64(number) {
        Some(number) => Json::Number(number),
        None if number.is_nan() => Json::from("NaN"),
        None if number > 0.0 => Json::from("Infinity"),
        None => Json::from("-Infinity"),
    }
}

/// Returns the float that is written with as few digits as the `f32`: 0.1, not 0.10000000149011612.
fn widened(number: f32) -> f64 {
    let short = number.to_string().parse().unwrap_or(f64::NAN);
    // Rounding twice might end up at a neighbour.
    if short as f32 == number { short } else { number.into() }
}
