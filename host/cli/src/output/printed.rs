//! The output of a program: bytes, shown as text if they are UTF-8.

use std::borrow::Cow;
use std::str;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use hostel::Value;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// The stdout of a program: as JSON a text if it is UTF-8, or else `{"base64": "…"}`.
#[derive(Clone, Copy)]
pub(crate) struct Printed<'a>(pub(crate) &'a [u8]);

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
pub(crate) fn printed(value: &Value) -> Option<Printed<'_>> {
    let Value::Record(fields) = value else { return None };
    match fields.as_slice() {
        [(name, Value::Bytes(stdout))] if &**name == "stdout" => Some(Printed(stdout)),
        _ => None,
    }
}

/// The value for WAVE and tables: the result of a program has text instead of bytes, if it is UTF-8.
pub(crate) fn legible(value: &Value) -> Cow<'_, Value> {
    let text = printed(value).and_then(|printed| str::from_utf8(printed.0).ok());
    text.map_or(Cow::Borrowed(value), |text| {
        Cow::Owned(Value::Record(vec![("stdout".into(), Value::String(text.to_owned()))]))
    })
}
