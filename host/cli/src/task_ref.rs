//! A task on the command line: `FILE#EXPORT`, where FILE may be any file name that the system allows.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use hostel::TaskRef;

/// A task. Whether its component is a file or registered is decided later, because any text may be the name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileTask {
    /// The component's file, or the name, version or digest of a registered one.
    pub(crate) path: PathBuf,
    /// The export, as written; `None` means the only one.
    pub(crate) export: Option<String>,
}

impl FileTask {
    /// Parses `FILE#EXPORT`, or `FILE`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (source, export) = TaskRef::split(text).map_err(|error| error.to_string())?;
        Ok(Self { path: source.into(), export: export.map(str::to_owned) })
    }

    fn whole(text: &OsStr) -> Self {
        Self { path: text.into(), export: None }
    }
}

/// Parses a task.
pub(crate) fn typed() -> impl TypedValueParser<Value = FileTask> {
    OsStringValueParser::new().try_map(|text| read(&text))
}

fn read(text: &OsString) -> Result<FileTask, String> {
    let reference = match text.to_str() {
        Some(utf8) => FileTask::parse(utf8),
        None => split(text).ok_or_else(|| "the name of the export is not UTF-8".to_owned()),
    };
    match reference {
        Ok(reference) if reference.path.exists() => Ok(reference),
        // The name of a file may contain a `#`.
        _ if Path::new(text).is_file() => Ok(FileTask::whole(text)),
        reference => reference,
    }
}

/// Splits a text that is not UTF-8 at the last `#`.
#[cfg(unix)]
fn split(text: &OsStr) -> Option<FileTask> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = text.as_bytes();
    let Some(at) = bytes.iter().rposition(|byte| *byte == b'#') else {
        return Some(FileTask::whole(text));
    };
    let (path, export) = (bytes.get(..at)?, bytes.get(at + 1..)?);
    let export = std::str::from_utf8(export).ok().filter(|export| !export.is_empty())?;
    Some(FileTask { path: OsStr::from_bytes(path).into(), export: Some(export.to_owned()) })
}

#[cfg(not(unix))]
fn split(text: &OsStr) -> Option<FileTask> {
    Some(FileTask::whole(text))
}
