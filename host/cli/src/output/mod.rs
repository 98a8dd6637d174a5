//! Values as text: WAVE, JSON, and tables where they make sense.

pub(crate) mod printed;
pub(crate) mod table;

use std::io::{self, Write};

use hostel::{AsJson, Type, Value};
use serde::Serialize;
use serde_json::Value as Json;

use self::printed::{Printed, printed};

/// A value as it is written as JSON.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Shown<'a> {
    Program { stdout: Printed<'a> },
    Value(AsJson<'a>),
}

/// The value as JSON; `null` where there is none.
pub(crate) fn json(value: &Value, ty: &Type) -> Json {
    // Cannot fail: all keys are texts.
    serde_json::to_value(as_json(value, ty)).unwrap_or_default()
}

/// The same, to be written: `None` where there is none, which is `null`.
pub(crate) fn as_json<'a>(value: &'a Value, ty: &'a Type) -> Option<Shown<'a>> {
    let shown = || match printed(value) {
        Some(stdout) => Shown::Program { stdout },
        None => Shown::Value(value.as_json(ty)),
    };
    (*value != Value::UNIT).then(shown)
}

/// Writes a line of JSON, without its end.
pub(crate) fn write_json(to: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    // A failed write comes back as the error that it was.
    serde_json::to_writer(to, line).map_err(io::Error::from)
}
