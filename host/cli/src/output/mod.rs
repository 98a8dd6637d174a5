//! Values as text: WAVE, JSON, and tables where they make sense.

pub(crate) mod table;

use std::io::{self, Write};

use hostel::{AsJson, Type, Value};
use serde::Serialize;
use serde_json::Value as Json;

/// The value as JSON; `null` where there is none.
pub(crate) fn json(value: &Value, ty: &Type) -> Json {
    if *value == Value::UNIT { Json::Null } else { value.to_json(ty) }
}

/// The same, to be written: `None` where there is none, which is `null`.
pub(crate) fn as_json<'a>(value: &'a Value, ty: &'a Type) -> Option<AsJson<'a>> {
    (*value != Value::UNIT).then(|| value.as_json(ty))
}

/// Writes a line of JSON, without its end.
pub(crate) fn write_json(to: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    // A failed write comes back as the error that it was.
    serde_json::to_writer(to, line).map_err(io::Error::from)
}

/// What a program printed, if the value is a program's result.
pub(crate) fn printed(value: &Value) -> Option<&str> {
    let Value::Record(fields) = value else { return None };
    if let [(_, Value::String(stdout))] = fields.as_slice() { Some(stdout) } else { None }
}
