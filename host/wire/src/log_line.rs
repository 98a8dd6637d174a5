//! Lines of logs.

use hostel::journal::NumberedLine;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::time::instant;

/// A line of the log of a run.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LogLine)]
#[non_exhaustive]
pub struct LogLineObject {
    /// Its number, counted from 0 over all attempts of the run.
    pub line: u64,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// When it was printed.
    pub at: String,
    /// `stdout`, `stderr`, `log` or `host`.
    pub stream: &'static str,
    /// The severity.
    pub level: &'static str,
    /// The text.
    pub text: String,
    /// The fields of a structured line.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub fields: Map<String, Value>,
}

impl From<&NumberedLine> for LogLineObject {
    fn from(numbered: &NumberedLine) -> Self {
        let line = &numbered.line;
        let fields = line.fields.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
        Self {
            line: numbered.number,
            attempt: numbered.attempt,
            at: instant(line.at),
            stream: line.stream.name(),
            level: line.level.name(),
            text: line.text.clone(),
            fields: fields.collect(),
        }
    }
}
