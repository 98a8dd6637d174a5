//! Results as text: JSON, WAVE and tables.

pub(crate) mod table;

use std::borrow::Cow;
use std::io::{self, Write};
use std::str;

use hostel::Value;
use hostel_wire::printed;
use serde::Serialize;

use crate::options::Form;
use crate::problem::Stop;
use crate::ui::Ui;

/// An object as a line of JSON, without the line end.
pub(crate) fn to_json(line: &impl Serialize) -> String {
    // Cannot fail: no map with keys other than strings, and no writer that could.
    serde_json::to_string(line).unwrap_or_default()
}

/// Writes a line of JSON, without the line end.
pub(crate) fn write_json(to: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    // A failed write is returned as the original error.
    serde_json::to_writer(to, line).map_err(io::Error::from)
}

/// Writes a value to stdout, as WAVE or as a table if it has rows.
pub(crate) fn value(ui: &Ui, form: Form, value: &Value) -> Result<(), Stop> {
    let rows = (form == Form::Table).then(|| table::of_value(value, ui.paint)).flatten();
    match rows {
        Some(rows) => rows.iter().try_for_each(|row| ui.result_line(row)),
        None => ui.result_of(|to| write!(to, "{value}")),
    }
}

/// The value for WAVE and tables: the result of a program has text instead of bytes, if it is UTF-8.
pub(crate) fn legible(value: &Value) -> Cow<'_, Value> {
    let text = printed(value).and_then(|printed| str::from_utf8(printed.0).ok());
    text.map_or(Cow::Borrowed(value), |text| {
        Cow::Owned(Value::Record(vec![("stdout".into(), Value::String(text.to_owned()))]))
    })
}
