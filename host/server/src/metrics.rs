//! Numbers about the server, for Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hostel::{RunCounts, State};
use http::{Method, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The bounds of the buckets for answers, in seconds.
const SECONDS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// The bounds of the buckets for runs, in seconds: they may take long.
const RUN_SECONDS: [f64; 12] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0, 600.0, 3_600.0];

type Labels = Vec<(&'static str, String)>;

/// Numbers about the server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Histogram,
    active: Gauge<i64>,
    events: Family<Labels, Counter>,
    waits: Histogram,
    attempts: Histogram,
    journal: Family<Labels, Gauge>,
    runs: Family<Labels, Gauge>,
    removed: Gauge<i64>,
    streams: Gauge<i64>,
    traced: Family<Labels, Counter>,
    connections: Gauge<i64>,
    guest_memory: Gauge<u64, AtomicU64>,
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Active(Gauge<i64>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What is read when the numbers are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) counts: RunCounts,
    pub(crate) streams: usize,
    pub(crate) memory_bytes: u64,
    /// The sizes of the journal's file and of its write-ahead log, if it has files.
    pub(crate) journal_bytes: Option<(u64, u64)>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("hostel");
        let requests = Family::<Labels, Counter>::default();
        registry.register("requests", "Answered requests, by route, method and status", requests.clone());
        let seconds = Histogram::new(SECONDS);
        registry.register_with_unit(
            "request",
            "Time until the head of an answer",
            Unit::Seconds,
            seconds.clone(),
        );
        let active = gauge(&mut registry, "requests_active", "Requests that are being answered");
        let events = Family::<Labels, Counter>::default();
        let about = "Events of runs since the start of the server, by kind: CacheHit is a hit, Rescued a lease that was lost";
        registry.register("events", about, events.clone());
        let waits = Histogram::new(RUN_SECONDS);
        registry.register_with_unit(
            "queue_wait",
            "Time from when a run could begin to its attempt",
            Unit::Seconds,
            waits.clone(),
        );
        let attempts = Histogram::new(RUN_SECONDS);
        registry.register_with_unit("attempt", "Time of attempts", Unit::Seconds, attempts.clone());
        let journal = Family::<Labels, Gauge>::default();
        registry.register_with_unit(
            "journal",
            "Size of the journal's file, and of its write-ahead log",
            Unit::Bytes,
            journal.clone(),
        );
        let runs = Family::<Labels, Gauge>::default();
        registry.register("runs", "Runs in the journal, by state", runs.clone());
        let removed = gauge(&mut registry, "runs_removed", "Runs that were removed from the journal");
        let streams = gauge(&mut registry, "streams", "Open event streams and followed logs");
        let traced = register_traced(&mut registry);
        let connections = gauge(&mut registry, "connections", "Open connections");
        let guest_memory = Gauge::<u64, AtomicU64>::default();
        registry.register_with_unit(
            "guest_memory",
            "Linear memory of live guests",
            Unit::Bytes,
            guest_memory.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            active,
            events,
            waits,
            attempts,
            journal,
            runs,
            removed,
            streams,
            traced,
            connections,
            guest_memory,
        }
    }
}

fn gauge(registry: &mut Registry, name: &str, about: &str) -> Gauge<i64> {
    let gauge = Gauge::default();
    registry.register(name, about, gauge.clone());
    gauge
}

fn register_traced(registry: &mut Registry) -> Family<Labels, Counter> {
    let traced = Family::default();
    let about = "Runs and requests whose spans the collector of traces took (exported), or did not (dropped)";
    registry.register("traced", about, Family::clone(&traced));
    traced
}

impl Metrics {
    /// A request was answered.
    pub(crate) fn answered(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let standard = [
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::POST,
            Method::DELETE,
            Method::OPTIONS,
            Method::PATCH,
        ];
        // Clients may make up methods, and each set of labels stays.
        let method = if standard.contains(method) { method.as_str() } else { "other" };
        let labels = vec![
            ("route", route.to_owned()),
            ("method", method.to_owned()),
            ("status", status.as_str().to_owned()),
        ];
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// A request begins to be answered. It counts until the value is dropped.
    pub(crate) fn begin(&self) -> Active {
        self.active.inc();
        Active(self.active.clone())
    }

    /// Something has happened to a run.
    pub(crate) fn happened(&self, kind: &str) {
        self.events.get_or_create(&vec![("kind", kind.to_owned())]).inc();
    }

    /// A run has waited for so long before its attempt.
    pub(crate) fn waited(&self, time: Duration) {
        self.waits.observe(time.as_secs_f64());
    }

    /// An attempt took so long.
    pub(crate) fn executed(&self, time: Duration) {
        self.attempts.observe(time.as_secs_f64());
    }

    /// How many connections there are.
    pub(crate) fn connected(&self, connections: usize) {
        self.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
    }

    /// The number of runs and requests whose spans had this outcome.
    #[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "no spans are sent"))]
    pub(crate) fn traced(&self, outcome: &'static str) -> Counter {
        self.traced.get_or_create(&vec![("outcome", outcome.to_owned())]).clone()
    }

    /// All numbers, as text.
    pub(crate) fn text(&self, reading: &Reading) -> String {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for state in State::ALL {
            let labels = vec![("state", state.name().to_owned())];
            self.runs.get_or_create(&labels).set(number(reading.counts.of(state)));
        }
        self.removed.set(number(reading.counts.removed));
        self.streams.set(i64::try_from(reading.streams).unwrap_or(i64::MAX));
        self.guest_memory.set(reading.memory_bytes);
        if let Some((file, log)) = reading.journal_bytes {
            for (part, bytes) in [("file", file), ("wal", log)] {
                self.journal.get_or_create(&vec![("part", part.to_owned())]).set(number(bytes));
            }
        }
        self.encoded()
    }

    /// All numbers as they are, as text.
    pub(crate) fn encoded(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        _ = encode(&mut text, &self.registry);
        text
    }
}
