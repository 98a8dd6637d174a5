//! Values as JSON; the output of a program is shown as text if it is UTF-8.

use std::str;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use hostel::{AsJson, Type, Value};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value as Json;

/// A value that serialises as JSON, part by part.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum ValueJson<'a> {
    /// The result of a program.
    Program {
        /// The output of the program.
        stdout: Printed<'a>,
    },
    /// Any other value.
    Value(AsJson<'a>),
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
    fn no_value_is_null() {
        assert_eq!(json(&Value::UNIT, &Type::Bool), Json::Null);
        assert_eq!(json(&Value::U64(u64::MAX), &Type::U64), literal!(u64::MAX));
    }
}
