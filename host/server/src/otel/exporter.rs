//! It takes from the queue what has ended, makes spans of it, and sends them. A collector that is slow or gone costs spans and
//! nothing else: each request has a time, and what finds no room in the queue meanwhile is dropped and counted.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hostel::RunId;
use hostel::journal::{Journal as _, JournalError, SqliteJournal};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::runs::Plan;
use super::settings::{TraceExport, TraceExportError};
use crate::blocking::Blocking;
use crate::metrics::Metrics;
use crate::spans::{Ended, Spans};

/// The most runs and requests whose spans are made at once.
const BATCH: usize = 512;

/// The number of spans from which a request to the collector takes no more runs. Each run adds 101 at most.
const REQUEST: usize = 512;

/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// Sends spans.
pub(crate) struct Exporter {
    queue: Receiver<Ended>,
    otlp: opentelemetry_otlp::SpanExporter,
    plan: Plan,
    time: Duration,
    exported: Counter,
    dropped: Counter,
    /// Whether the last request to the collector has failed.
    has_failed: bool,
}

impl Exporter {
    /// An exporter, and what it takes from.
    ///
    /// # Errors
    ///
    /// [`TraceExportError`].
    pub(crate) fn new(settings: &TraceExport, metrics: &Metrics) -> Result<(Spans, Self), TraceExportError> {
        let (exported, dropped) = (metrics.traced("exported"), metrics.traced("dropped"));
        let (spans, queue) = Spans::queue(dropped.clone());
        let exporter = Self {
            queue,
            otlp: settings.exporter()?,
            plan: Plan::new(settings.which()),
            time: settings.time(),
            exported,
            dropped,
            has_failed: false,
        };
        Ok((spans, exporter))
    }

    /// Sends what has ended until `end` completes, and then what is in the queue.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the spans that were not sent.
    pub(crate) async fn run(
        mut self,
        journal: Arc<SqliteJournal>,
        blocking: Blocking,
        end: impl Future<Output = ()>,
    ) {
        let mut end = pin!(end.fuse());
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                has_more = gather(&mut self.queue, &mut batch) => {
                    if !has_more {
                        return;
                    }
                    self.send(mem::take(&mut batch), &journal, &blocking).await;
                }
                // What was gathered stays.
                () = &mut end => self.queue.close(),
            }
        }
    }

    async fn send(&mut self, batch: Vec<Ended>, journal: &Arc<SqliteJournal>, blocking: &Blocking) {
        let mut groups = Vec::new();
        let mut runs = Vec::new();
        for ended in batch {
            match ended {
                Ended::Run(run) => runs.push(run),
                Ended::Request(request) => groups.extend(self.plan.request(&request).map(|span| vec![span])),
            }
        }
        let (count, plan, journal) = (runs.len(), self.plan.clone(), Arc::clone(journal));
        match blocking.run(move || read(&journal, &plan, &runs)).await {
            Ok(spans) => groups.extend(spans),
            Err(problem) => self.lost(count, problem.detail()),
        }
        let mut groups = groups.into_iter().filter(|group| !group.is_empty()).peekable();
        while groups.peek().is_some() {
            let (mut spans, mut count) = (Vec::new(), 0);
            while spans.len() < REQUEST
                && let Some(group) = groups.next()
            {
                spans.extend(group);
                count += 1;
            }
            match timeout(self.time, self.otlp.export(spans)).await {
                Ok(Ok(())) => {
                    self.exported.inc_by(count as u64);
                    self.has_failed = false;
                }
                Ok(Err(error)) => self.lost(count, &error.to_string()),
                Err(_) => self.lost(count, "it did not answer in time"),
            }
        }
    }

    fn lost(&mut self, count: usize, problem: &str) {
        self.dropped.inc_by(count as u64);
        if !mem::replace(&mut self.has_failed, true) {
            tracing::warn!("spans are dropped: {problem}; hostel_traced_total counts them");
        }
    }
}

/// Waits for something, and then for more to send with it. `false` if there is nothing, and nothing comes any more.
///
/// # Cancel safety
///
/// What was taken from the queue is in the batch.
async fn gather(queue: &mut Receiver<Ended>, batch: &mut Vec<Ended>) -> bool {
    let room = BATCH.saturating_sub(batch.len());
    if room > 0 && queue.recv_many(batch, room).await == 0 {
        return !batch.is_empty();
    }
    let more =
        async { while batch.len() < BATCH && queue.recv_many(batch, BATCH - batch.len()).await > 0 {} };
    _ = timeout(GATHER, more).await;
    true
}

/// The spans of each of these runs; none of one that was removed, or that was retried meanwhile.
fn read(journal: &SqliteJournal, plan: &Plan, runs: &[RunId]) -> Result<Vec<Vec<SpanData>>, JournalError> {
    let spans = |run: &RunId| {
        let entry = journal.get(*run)?;
        Ok(entry.map_or_else(Vec::new, |entry| plan.run(entry.record())))
    };
    runs.iter().map(spans).collect()
}
