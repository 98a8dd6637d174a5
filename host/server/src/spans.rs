//! What has ended and may become spans: a bounded queue, for which nothing waits. Who takes from it is in `otel`.

use std::sync::Arc;
use std::time::Duration;

use hostel::journal::TraceParent;
use hostel::{RunId, Timestamp};
use http::Method;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::bounds::SPANS;

/// Something that has ended.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "nobody takes it from the queue"))]
pub(crate) enum Ended {
    /// A run. What there is to say is read from the journal later.
    Run(RunId),
    /// A request.
    Request(EndedRequest),
}

/// A request whose answer has begun.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "nobody takes it from the queue"))]
pub(crate) struct EndedRequest {
    pub(crate) parent: Option<TraceParent>,
    pub(crate) id: Arc<str>,
    pub(crate) began: Timestamp,
    pub(crate) took: Duration,
    pub(crate) method: Method,
    /// The pattern of the path.
    pub(crate) route: Arc<str>,
    pub(crate) status: u16,
}

/// The end of the queue at which things are added; without a queue they are forgotten.
#[derive(Debug, Default)]
pub(crate) struct Spans(Option<Queue>);

#[derive(Debug)]
struct Queue {
    sender: Sender<Ended>,
    dropped: Counter,
}

impl Spans {
    /// A queue. `dropped` counts what it has no room for.
    #[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "nobody would take from the queue"))]
    pub(crate) fn queue(dropped: Counter) -> (Self, Receiver<Ended>) {
        let (sender, receiver) = channel(SPANS);
        (Self(Some(Queue { sender, dropped })), receiver)
    }

    /// A run has ended.
    pub(crate) fn run_ended(&self, run: RunId) {
        self.add(|| Ended::Run(run));
    }

    /// A request was answered. The function is called only if there is a queue.
    pub(crate) fn request_ended(&self, request: impl FnOnce() -> EndedRequest) {
        self.add(|| Ended::Request(request()));
    }

    fn add(&self, ended: impl FnOnce() -> Ended) {
        let Some(Queue { sender, dropped }) = &self.0 else { return };
        if sender.try_send(ended()).is_err() && dropped.inc() == 0 {
            tracing::warn!(
                "spans are dropped: {SPANS} runs and requests wait for the collector of traces; \
                 hostel_traced_total counts them"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_and_counts() {
        let dropped = Counter::default();
        let (spans, mut queue) = Spans::queue(dropped.clone());
        let run = RunId::from_bytes([1; 16]);
        (0..SPANS + 3).for_each(|_| spans.run_ended(run));
        assert_eq!(dropped.get(), 3);
        assert!(matches!(queue.try_recv(), Ok(Ended::Run(first)) if first == run));
        spans.run_ended(run);
        assert_eq!(dropped.get(), 3);
    }

    #[test]
    fn without_a_queue_nothing_is_made() {
        Spans::default().request_ended(|| unreachable!("nobody takes it"));
    }
}
