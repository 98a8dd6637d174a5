//! Values as text: WAVE, JSON and tables.

pub(crate) mod printed;
pub(crate) mod table;

use std::io::{self, Write};

use hostel::{AsJson, Type, Value};
use serde::Serialize;
use serde_json::Value as Json;

use self::printed::{Printed, printed};

/// A value that serialises as JSON.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Shown<'a> {
    Program { stdout: Printed<'a> },
    Value(AsJson<'a>),
}

/// The value as JSON; `null` if there is none.
pub(crate) fn json(value: &Value, ty: &Type) -> Json {
    // Cannot fail: all keys are texts.
    serde_json::to_value(as_json(value, ty)).unwrap_or_default()
}

/// The same for serialisation: `None` if there is none, which becomes `null`.
pub(crate) fn as_json<'a>(value: &'a Value, ty: &'a Type) -> Option<Shown<'a>> {
    let shown = || match printed(value) {
        Some(stdout) => Shown::Program { stdout },
        None => Shown::Value(value.as_json(ty)),
    };
    (*value != Value::UNIT).then(shown)
}

/// Writes a line of JSON, without the line end.
pub(crate) fn write_json(to: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    // A failed write is returned as the original error.
    serde_json::to_writer(to, line).map_err(io::Error::from)
}
