//! The ids of traces and spans. Those of runs follow from the run, so that a span that is sent twice is the same span.

use hostel::RunId;
use opentelemetry::trace::{SpanId, TraceId};
use sha2::{Digest as _, Sha256};

/// The first part of a digest of these texts.
fn derived<const N: usize>(kind: &str, run: RunId, number: u32) -> [u8; N] {
    let hash = Sha256::new().chain_update(kind).chain_update(run.as_bytes());
    let digest: [u8; 32] = hash.chain_update(number.to_be_bytes()).finalize().into();
    let mut id = [0; N];
    id.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    id
}

/// The trace of a run whose submission belongs to none. Random numbers would do, too, and samplers rely on it looking like one.
pub(super) fn trace_of_run(run: RunId) -> TraceId {
    TraceId::from_bytes(derived("hostel trace", run, 0))
}

/// The span of a run.
pub(super) fn span_of_run(run: RunId) -> SpanId {
    SpanId::from_bytes(derived("hostel run", run, 0))
}

/// The span of an attempt, counted from 1.
pub(super) fn span_of_attempt(run: RunId, number: u32) -> SpanId {
    SpanId::from_bytes(derived("hostel attempt", run, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_same_in_every_version() {
        let run: RunId = "01a227a3-bf8d-74ea-902d-08c41636443e".parse().unwrap();
        let ids = [
            trace_of_run(run).to_string(),
            span_of_run(run).to_string(),
            span_of_attempt(run, 1).to_string(),
            span_of_attempt(run, 2).to_string(),
        ];
        assert_eq!(
            ids,
            ["9a8e2c3f2c096b2f31bd471c458f4e4f", "5b5327d8e02c0eb9", "2b71d11a0c95cf36", "d814b3781c5d057f"]
        );
    }
}
