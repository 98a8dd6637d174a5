//! Lines of logs.

use std::borrow::Cow;

use hostel::journal::NumberedLine;
use hostel::{LogLevel, LogLine, LogStream, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::time::{instant, parse_instant};

/// A line of the log of a run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
    pub stream: Cow<'static, str>,
    /// The severity.
    pub level: Cow<'static, str>,
    /// The text.
    pub text: String,
    /// The fields of a structured line.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub fields: Map<String, Value>,
}

impl LogLineObject {
    /// The line as it was printed. Streams and levels that this version does not know are of the host, and `info`.
    pub fn line(&self) -> LogLine {
        const LEVELS: [LogLevel; 4] = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
        const STREAMS: [LogStream; 3] = [LogStream::Stdout, LogStream::Stderr, LogStream::Log];
        let level = LEVELS.into_iter().find(|level| level.name() == self.level);
        let stream = STREAMS.into_iter().find(|stream| stream.name() == self.stream);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        LogLine {
            at: parse_instant(&self.at).unwrap_or(Timestamp::from_unix_nanos(0)),
            stream: stream.unwrap_or(LogStream::Host),
            level: level.unwrap_or(LogLevel::Info),
            text: self.text.clone(),
            fields: self.fields.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        }
    }
}

impl From<&NumberedLine> for LogLineObject {
    fn from(numbered: &NumberedLine) -> Self {
        let line = &numbered.line;
        let fields = line.fields.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
        Self {
            line: numbered.number,
            attempt: numbered.attempt,
            at: instant(line.at),
            stream: line.stream.name().into(),
            level: line.level.name().into(),
            text: line.text.clone(),
            fields: fields.collect(),
        }
    }
}
