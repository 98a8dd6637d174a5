//! Spans of runs and requests for a collector, as OpenTelemetry has them (feature `otel`).
//!
//! - `settings`: where they are sent, and which.
//! - `ids`: the ids of traces and spans.
//! - `runs`, `requests`: from a record of the journal, and from an answered request, to spans.
//! - `exporter`: it takes from the queue of `spans`, and sends.
//!
//! Spans are made after the end of what they are about. Workers know nothing of them, and nothing waits for a collector.

mod exporter;
mod ids;
mod requests;
mod runs;
mod settings;

pub(crate) use self::exporter::Exporter;
pub use self::settings::{TraceExport, TraceExportError, TraceSampling};
