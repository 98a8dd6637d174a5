//! The spans of a run that has ended, from its record: one for the run, and one below it for each attempt.
//!
//! They have no values: neither inputs nor results, no error that the guest returned, nothing that it printed, and not the run's
//! name, which may be made of inputs.

use std::time::{Duration, SystemTime};

use hostel::journal::{AttemptRecord, RunRecord, StoredOutcome, TraceParent};
use hostel::{Failure, Outcome, State, Timestamp};
use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{
    Sampler, SamplingDecision, ShouldSample as _, SpanData, SpanEvents, SpanLinks,
};

use super::ids::{span_of_attempt, span_of_run, trace_of_run};
use super::settings::TraceSampling;

/// The most attempts of a run that have spans, the last ones; and the most of its events.
const MOST: usize = 100;

/// Which spans there are.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    follows_parent: bool,
    others: Sampler,
}

/// Where a span is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    trace: TraceId,
    span: SpanId,
    parent: SpanId,
    /// Whether another process has the parent.
    is_remote: bool,
}

impl Place {
    /// Below the span of a caller, or at the root of a trace of its own.
    pub(super) fn new(caller: Option<TraceParent>, root: impl FnOnce() -> TraceId, span: SpanId) -> Self {
        match caller {
            Some(caller) => Self {
                trace: TraceId::from_bytes(caller.trace()),
                span,
                parent: SpanId::from_bytes(caller.span()),
                is_remote: true,
            },
            None => Self { trace: root(), span, parent: SpanId::INVALID, is_remote: false },
        }
    }

    const fn below(self, span: SpanId) -> Self {
        Self { trace: self.trace, span, parent: self.span, is_remote: false }
    }
}

impl Plan {
    pub(super) const fn new(sampling: TraceSampling) -> Self {
        Self { follows_parent: sampling.follows_parent, others: Sampler::TraceIdRatioBased(sampling.ratio) }
    }

    /// Whether the trace is exported.
    pub(super) fn exports(&self, place: &Place, caller: Option<TraceParent>) -> bool {
        if let Some(caller) = caller.filter(|_| self.follows_parent) {
            return caller.is_sampled();
        }
        let result = self.others.should_sample(None, place.trace, "", &SpanKind::Internal, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    /// The spans of a run: none if it has not ended, or its trace is not exported.
    pub(super) fn run(&self, record: &RunRecord) -> Vec<SpanData> {
        let spec = record.spec();
        let place = Place::new(spec.trace, || trace_of_run(spec.id), span_of_run(spec.id));
        let Some(ended) = record.ended_at().filter(|_| self.exports(&place, spec.trace)) else {
            return Vec::new();
        };
        let skipped = record.attempts().len().saturating_sub(MOST);
        let attempts = record.attempts().iter().skip(skipped);
        let attempts = attempts.map(|attempt| attempt_span(place, record, attempt, ended));
        [run_span(place, record, ended)].into_iter().chain(attempts).collect()
    }
}

/// A span without contents.
pub(super) fn span(place: Place, name: String, kind: SpanKind) -> SpanData {
    let scope = InstrumentationScope::builder("hostel").with_version(env!("CARGO_PKG_VERSION")).build();
    SpanData {
        span_context: SpanContext::new(
            place.trace,
            place.span,
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: place.parent,
        parent_span_is_remote: place.is_remote,
        span_kind: kind,
        name: name.into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope,
    }
}

pub(super) fn time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(at.unix_nanos())
}

fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn run_span(place: Place, record: &RunRecord, ended: Timestamp) -> SpanData {
    let spec = record.spec();
    let function = spec.script_function();
    let name = function.map_or_else(|| spec.task.export.to_string(), |function| function.to_string());
    let tags = spec.all_tags().iter().map(|tag| StringValue::from(tag.to_string())).collect();
    let mut attributes = vec![
        KeyValue::new("hostel.run.id", spec.id.to_string()),
        KeyValue::new("hostel.task", spec.task.to_string()),
        KeyValue::new("hostel.component", spec.task.component.to_string()),
        KeyValue::new("hostel.queue", spec.queue.to_string()),
        KeyValue::new("hostel.tags", Value::Array(Array::String(tags))),
        KeyValue::new("hostel.state", record.state().name()),
        KeyValue::new("hostel.attempts", number(record.attempts().len())),
    ];
    let mut add = |name, value: Option<String>| {
        attributes.extend(value.map(|value| KeyValue::new(name, value)));
    };
    add("hostel.cached_from", record.cached_from().map(|run| run.to_string()));
    add("hostel.parent_run", spec.parent.map(|run| run.to_string()));
    add("hostel.schedule", spec.schedule.as_ref().map(|slot| slot.schedule.to_string()));
    let mut span = span(place, name, SpanKind::Consumer);
    span.start_time = time(spec.created);
    span.end_time = time(ended.max(spec.created));
    span.events = events(record);
    span.attributes = attributes;
    fail(&mut span, record.outcome());
    span
}

/// What happened to the run between its birth and its end, such as `CameDue`, `Started` and `RetryPlanned`.
fn events(record: &RunRecord) -> SpanEvents {
    let happened = record.history().iter().filter_map(|transition| {
        let cause = transition.cause.filter(|_| !transition.state.is_terminal())?;
        Some(Event::new(cause.name(), time(transition.at), Vec::new(), 0))
    });
    let mut events = SpanEvents::default();
    events.events = happened.collect();
    let skipped = events.events.len().saturating_sub(MOST);
    events.events.drain(..skipped);
    events.dropped_count = u32::try_from(skipped).unwrap_or(u32::MAX);
    events
}

fn attempt_span(place: Place, record: &RunRecord, attempt: &AttemptRecord, ended: Timestamp) -> SpanData {
    let run = record.spec().id;
    let place = place.below(span_of_attempt(run, attempt.number));
    let mut attributes = vec![
        KeyValue::new("hostel.run.id", run.to_string()),
        KeyValue::new("hostel.attempt.number", i64::from(attempt.number)),
        KeyValue::new("hostel.attempt.outcome", outcome_name(record.state(), attempt.outcome.as_ref())),
    ];
    if let Some(receipt) = &attempt.receipt {
        attributes.push(KeyValue::new("hostel.cpu_ms", receipt.cpu_time.as_secs_f64() * 1_000.0));
        attributes.push(KeyValue::new("hostel.peak_memory_bytes", number(receipt.peak_memory_bytes)));
    }
    let mut span = span(place, "attempt".to_owned(), SpanKind::Internal);
    span.start_time = time(attempt.began);
    span.end_time = time(attempt.ended.unwrap_or(ended).max(attempt.began));
    span.attributes = attributes;
    match &attempt.outcome {
        Some(outcome) => fail(&mut span, Some(outcome)),
        None => mark(&mut span, "lost", "its host was lost".to_owned()),
    }
    span
}

fn outcome_name(run: State, outcome: Option<&StoredOutcome>) -> &'static str {
    match outcome {
        Some(Outcome::Completed(_)) => "completed",
        Some(Outcome::Failed(_)) => "failed",
        Some(Outcome::Crashed { .. }) => "crashed",
        Some(Outcome::Cancelled) if run != State::Cancelled => "given back",
        Some(Outcome::Cancelled) => "cancelled",
        None => "lost",
    }
}

/// Marks a span as failed if this outcome is a failure.
fn fail(span: &mut SpanData, outcome: Option<&StoredOutcome>) {
    let Some((kind, line)) = outcome.and_then(|outcome| Some((error_kind(outcome)?, line(outcome)))) else {
        return;
    };
    mark(span, kind, line);
}

fn mark(span: &mut SpanData, kind: &'static str, line: String) {
    span.attributes.push(KeyValue::new("error.type", kind));
    span.status = Status::error(line);
}

fn error_kind(outcome: &StoredOutcome) -> Option<&'static str> {
    match outcome {
        Outcome::Failed(failure) => Some(failure.kind().name()),
        Outcome::Crashed { .. } => Some("crashed"),
        Outcome::Completed(_) | Outcome::Cancelled => None,
    }
}

/// What went wrong, in one line in the host's words. An error that a guest has returned is a value.
fn line(outcome: &StoredOutcome) -> String {
    match outcome {
        Outcome::Failed(Failure::Error(_)) => "returned an error".to_owned(),
        Outcome::Failed(Failure::Upstream { .. }) => {
            "never started: a run that it depends on did not complete".to_owned()
        }
        Outcome::Failed(
            Failure::Trap(_) | Failure::Exit { .. } | Failure::Limit { .. } | Failure::TimedOut { .. },
        )
        | Outcome::Crashed { .. }
        | Outcome::Completed(_)
        | Outcome::Cancelled => outcome.error_line().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use hostel::journal::{RunFact, RunSpec, StoredValue};
    use hostel::{
        Digest, Event as Cause, ExportPath, Receipt, RunId, TaskKey, TaskSpec, Type, UpstreamChain,
        UpstreamRun,
    };

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_nanos(seconds * 1_000_000_000)
    }

    fn born() -> RunRecord {
        let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
        let spec = RunSpec::new(RunId::from_bytes([1; 16]), task, TaskSpec::default().into(), at(1));
        RunRecord::born(at(1), spec)
    }

    fn spans(record: &RunRecord) -> Vec<SpanData> {
        Plan::new(TraceSampling::default()).run(record)
    }

    fn error(text: &str) -> StoredOutcome {
        let value = hostel::Value::String(text.into());
        Outcome::Failed(Failure::Error(StoredValue::new(&value, &Type::String).unwrap()))
    }

    fn attribute(span: &SpanData, name: &str) -> Option<String> {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name)?;
        Some(found.value.to_string())
    }

    #[test]
    fn a_run_that_has_not_ended_has_no_spans() {
        let mut run = born();
        assert_eq!(spans(&run), []);
        run.apply(at(2), RunFact::Event(Cause::Started)).unwrap();
        assert_eq!(spans(&run), []);
    }

    #[test]
    fn attempts_that_were_lost_or_given_back_are_shown_so() {
        let mut run = born();
        let cancelled =
            RunFact::AttemptEnded { outcome: Outcome::Cancelled, receipt: Receipt::default().into() };
        let facts = [
            RunFact::Event(Cause::Started),
            RunFact::Event(Cause::Rescued),
            RunFact::Event(Cause::Started),
            cancelled,
            RunFact::Event(Cause::Rescued),
            RunFact::Event(Cause::Started),
            RunFact::Ended {
                event: Cause::Crashed,
                outcome: Outcome::Crashed { reason: "out of luck".into() },
            },
        ];
        for (second, fact) in (2..).zip(facts) {
            run.apply(at(second), fact).unwrap();
        }
        let all = spans(&run);
        let outcomes: Vec<_> = all.iter().map(|span| attribute(span, "hostel.attempt.outcome")).collect();
        let outcome = |text: &str| Some(text.to_owned());
        assert_eq!(outcomes, [None, outcome("lost"), outcome("given back"), outcome("lost")]);
        let errors: Vec<_> = all.iter().map(|span| attribute(span, "error.type")).collect();
        assert_eq!(errors, [outcome("crashed"), outcome("lost"), None, outcome("lost")]);
        assert_eq!(all[0].status, Status::error("crashed: out of luck"));
        assert!(all.iter().all(|span| span.start_time <= span.end_time));
    }

    #[test]
    fn no_error_of_a_guest_is_shown_not_even_of_another_run() {
        let mut failed = born();
        failed.apply(at(2), RunFact::Event(Cause::Started)).unwrap();
        failed.apply(at(3), RunFact::Ended { event: Cause::Failed, outcome: error("a secret") }).unwrap();
        let mut upstream = born();
        let root = UpstreamRun { run: RunId::from_bytes([2; 16]), name: "add a secret".into() };
        let chain = UpstreamChain::root(root, "returned the error \"a secret\"");
        let outcome = Outcome::Failed(Failure::Upstream { chain });
        upstream.apply(at(2), RunFact::Ended { event: Cause::UpstreamFailed, outcome }).unwrap();
        for run in [failed, upstream] {
            let spans = spans(&run);
            assert!(matches!(spans[0].status, Status::Error { .. }), "{spans:?}");
            assert!(!format!("{spans:?}").contains("secret"), "{spans:?}");
        }
    }

    #[test]
    fn a_run_with_many_attempts_has_spans_for_the_last_ones() {
        let mut run = born();
        for second in 0..200 {
            run.apply(at(second), RunFact::Event(Cause::Started)).unwrap();
            run.apply(at(second), RunFact::Event(Cause::Rescued)).unwrap();
        }
        let end = RunFact::Ended { event: Cause::CancelRequested, outcome: Outcome::Cancelled };
        run.apply(at(900), end).unwrap();
        let all = spans(&run);
        assert_eq!((all.len(), attribute(&all[0], "hostel.attempts").as_deref()), (101, Some("200")));
        assert_eq!(attribute(&all[100], "hostel.attempt.number").as_deref(), Some("200"));
        assert_eq!((all[0].events.len(), all[0].events.dropped_count), (100, 300));
    }
}
