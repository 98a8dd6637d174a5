//! A task on the command line: `FILE#EXPORT`, where FILE may be any file name that the system allows.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::{OsStringValueParser, TypedValueParser};
use hostel::TaskRef;

/// Parses a task.
pub(crate) fn typed() -> impl TypedValueParser<Value = TaskRef> {
    OsStringValueParser::new().try_map(|text| read(&text))
}

fn read(text: &OsString) -> Result<TaskRef, String> {
    let whole = || TaskRef { path: text.into(), export: None };
    let reference = match text.to_str() {
        Some(utf8) => utf8.parse::<TaskRef>().map_err(|error| error.to_string()),
        None => split(text).ok_or_else(|| "the name of the export is not UTF-8".to_owned()),
    };
    match reference {
        Ok(reference) if reference.path.exists() => Ok(reference),
        // The name of a file may contain a `#`.
        _ if Path::new(text).is_file() => Ok(whole()),
        reference => reference,
    }
}

/// Splits a text that is not UTF-8 at the last `#`.
#[cfg(unix)]
fn split(text: &OsStr) -> Option<TaskRef> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = text.as_bytes();
    let Some(at) = bytes.iter().rposition(|byte| *byte == b'#') else {
        return Some(TaskRef { path: text.into(), export: None });
    };
    let (path, export) = (bytes.get(..at)?, bytes.get(at + 1..)?);
    let export = std::str::from_utf8(export).ok().filter(|export| !export.is_empty())?;
    Some(TaskRef { path: OsStr::from_bytes(path).into(), export: Some(export.to_owned()) })
}

#[cfg(not(unix))]
fn split(text: &OsStr) -> Option<TaskRef> {
    Some(TaskRef { path: text.into(), export: None })
}
