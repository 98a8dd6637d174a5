//! Values as JSON; the output of a program is shown as text if it is UTF-8.

use std::str;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use hostel::{AsJson, Type, Value, ValueError};
use serde::de::Error as _;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

/// A value that serialises as JSON, part by part.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum ValueJson<'a> {
    /// The result of a program.
    Program {
        /// The output of the program.
        stdout: Printed<'a>,
    },
    /// Any other value.
    Value(AsJson<'a>),
    /// A value that was received, whose type is not known.
    Json(Json),
}

impl<'de> Deserialize<'de> for ValueJson<'_> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Json::deserialize(from).map(Self::Json)
    }
}

/// The stdout of a program: as JSON a text if it is UTF-8, or else `{"base64": "…"}`.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a>(pub &'a [u8]);

impl Serialize for Printed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = str::from_utf8(self.0) {
            return to.serialize_str(text);
        }
        let mut object = to.serialize_map(Some(1))?;
        object.serialize_entry("base64", &format_args!("{}", Base64Display::new(self.0, &BASE64)))?;
        object.end()
    }
}

/// The result of a program, if the value is one: a record with the single field `stdout` of bytes.
pub fn printed(value: &Value) -> Option<Printed<'_>> {
    let Value::Record(fields) = value else { return None };
    match fields.as_slice() {
        [(name, Value::Bytes(stdout))] if &**name == "stdout" => Some(Printed(stdout)),
        _ => None,
    }
}

/// The value as JSON; `null` if there is none.
pub fn json(value: &Value, ty: &Type) -> Json {
    // Cannot fail: all keys are texts.
    serde_json::to_value(as_json(value, ty)).unwrap_or_default()
}

/// The same for serialisation: `None` if there is none, which becomes `null`.
pub fn as_json<'a>(value: &'a Value, ty: &'a Type) -> Option<ValueJson<'a>> {
    let shown = || match printed(value) {
        Some(stdout) => ValueJson::Program { stdout },
        None => ValueJson::Value(value.as_json(ty)),
    };
    (*value != Value::UNIT).then(shown)
}

/// Reads a member that may be `null`, which is something else than a missing one.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Reads bytes as [`Printed`] writes them.
pub(crate) fn printed_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let found = Json::deserialize(from)?;
    received_bytes(&found).ok_or_else(|| D::Error::custom("expected a text, or an object with base64"))
}

fn received_bytes(json: &Json) -> Option<Vec<u8>> {
    match json {
        Json::String(text) => Some(text.clone().into_bytes()),
        Json::Object(object) => BASE64.decode(object.get("base64")?.as_str()?).ok(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => None,
    }
}

/// The value of which [`json`] has made this JSON, and whose type is this one.
///
/// # Errors
///
/// [`ValueError`] if it is of another type.
pub fn value_of_json(json: &Json, ty: &Type) -> Result<Value, ValueError> {
    if *json == Json::Null && *ty == Type::tuple([]) {
        return Ok(Value::UNIT);
    }
    let stdout = json.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("stdout"));
    if let (Some(stdout), Type::Record(fields)) = (stdout, ty)
        && let [field] = &**fields
        && field.ty == Type::list(Type::U8)
        && let Some(bytes) = received_bytes(stdout)
    {
        return Ok(Value::Record(vec![(field.name.clone(), Value::Bytes(bytes))]));
    }
    Value::from_json(json, ty)
}

#[cfg(test)]
mod tests {
    use serde_json::json as literal;

    use super::*;

    #[test]
    fn a_programs_output_is_text_if_it_can_be() {
        let check = |stdout: &[u8], expected: Json| {
            let value = Value::Record(vec![("stdout".into(), Value::Bytes(stdout.to_owned()))]);
            assert_eq!(json(&value, &Type::Bool), literal!({ "stdout": expected }));
        };
        check(b"", literal!(""));
        check("ä\n".as_bytes(), literal!("ä\n"));
        check(&[0xff, 0], literal!({ "base64": "/wA=" }));
    }

    #[test]
    fn json_is_a_value_again() {
        let program = Type::record([("stdout", Type::list(Type::U8))]);
        let stdout = |bytes: &[u8]| Value::Record(vec![("stdout".into(), Value::Bytes(bytes.to_owned()))]);
        let cases = [
            (stdout(b"text"), program.clone()),
            (stdout(&[0xff, 0]), program),
            (Value::UNIT, Type::tuple([])),
            (Value::U64(u64::MAX), Type::U64),
            (Value::F64(f64::INFINITY), Type::F64),
            (Value::Option(None), Type::option(Type::U8)),
        ];
        for (value, ty) in cases {
            assert_eq!(value_of_json(&json(&value, &ty), &ty).unwrap(), value, "{ty}");
        }
        assert!(value_of_json(&literal!("x"), &Type::U8).is_err());
    }

    #[test]
    fn no_value_is_null() {
        assert_eq!(json(&Value::UNIT, &Type::Bool), Json::Null);
        assert_eq!(json(&Value::U64(u64::MAX), &Type::U64), literal!(u64::MAX));
    }
}
