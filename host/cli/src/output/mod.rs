//! Values as text: WAVE, JSON, and tables where they make sense.

pub(crate) mod table;

use hostel::{Type, Value};
use serde_json::Value as Json;

/// The value as JSON; `null` where there is none.
pub(crate) fn json(value: &Value, ty: &Type) -> Json {
    if *value == Value::UNIT { Json::Null } else { value.to_json(ty) }
}

/// What a program printed, if the value is a program's result.
pub(crate) fn printed(value: &Value) -> Option<&str> {
    let Value::Record(fields) = value else { return None };
    if let [(_, Value::String(stdout))] = fields.as_slice() { Some(stdout) } else { None }
}
