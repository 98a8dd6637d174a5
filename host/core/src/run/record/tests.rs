//! The record of a run: what can follow what, and how attempts are counted.

use super::*;
use crate::{Digest, ExportPath, StoredValue, TaskKey, TaskSpec, UpstreamChain, UpstreamRun};

const ID: RunId = RunId::from_bytes([1; 16]);

const fn at(nanos: u64) -> Timestamp {
    Timestamp::from_unix_nanos(nanos)
}

fn spec(due: Option<Timestamp>) -> RunSpec {
    let task = TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level("add") };
    RunSpec { due, ..RunSpec::new(ID, task, TaskSpec::default().into(), at(0)) }
}

fn completed() -> StoredOutcome {
    Outcome::Completed(StoredValue::Bytes([1, 2, 41].into()))
}

fn upstream() -> StoredOutcome {
    let run = UpstreamRun { run: ID, name: "a".into() };
    Outcome::Failed(Failure::Upstream { chain: UpstreamChain::root(run, "was cancelled") })
}

/// An outcome of each kind.
fn outcomes() -> [StoredOutcome; 6] {
    [
        completed(),
        Outcome::Failed(Failure::Exit { code: 1, stderr_tail: vec![] }),
        Outcome::Failed(Failure::TimedOut { after: std::time::Duration::from_secs(1) }),
        upstream(),
        Outcome::Crashed { reason: "lost".into() },
        Outcome::Cancelled,
    ]
}

const fn event(event: Event) -> RunFact {
    RunFact::Event(event)
}

fn attempt_ended() -> RunFact {
    RunFact::AttemptEnded { outcome: completed(), receipt: Box::default() }
}

fn ended(event: Event, outcome: StoredOutcome) -> RunFact {
    RunFact::Ended { event, outcome }
}

/// The record after these facts, at the times 2, 3 and so on.
fn record(due: Option<Timestamp>, facts: Vec<RunFact>) -> Result<RunRecord, IllegalFact> {
    let born = (at(1), RunFact::Born(spec(due).into()));
    let facts = facts.into_iter().zip(2..).map(|(fact, time)| (at(time), fact));
    RunRecord::replay([born].into_iter().chain(facts))
}

#[test]
fn a_life_leads_to_its_state() {
    use Event::{
        CacheHit, CameDue, CancelRequested, Cancelled, Completed, Crashed, Rescued, RetryPlanned, RolledBack,
        SlotAwaited, SlotGranted, Started,
    };
    let check = |due: Option<u64>, facts: Vec<RunFact>, state: State, attempts: usize, version: u64| {
        let run = record(due.map(at), facts).unwrap();
        assert_eq!((run.state(), run.attempts().len(), run.version()), (state, attempts, version));
        assert_eq!(run.outcome().is_some(), state.is_terminal());
        assert_eq!(RunRecord::replay(run.facts()), Ok(run.clone()));
        assert_eq!(RunRecord::decode(&run.encode()), Ok(run));
    };
    let retry = || event(RetryPlanned { due: at(9) });
    check(None, vec![], State::Pending, 0, 1);
    check(Some(5), vec![], State::Scheduled, 0, 1);
    check(Some(5), vec![event(CameDue)], State::Pending, 0, 2);
    check(None, vec![event(SlotAwaited)], State::AwaitingConcurrencySlot, 0, 1);
    check(None, vec![event(SlotAwaited), event(SlotGranted), event(Started)], State::Running, 1, 2);
    check(None, vec![ended(CancelRequested, Outcome::Cancelled)], State::Cancelled, 0, 2);
    check(None, vec![ended(CacheHit { producer: ID }, completed())], State::Cached, 0, 2);
    let complete = || vec![event(Started), attempt_ended(), ended(Completed, completed())];
    check(None, complete(), State::Completed, 1, 4);
    check(None, [complete(), vec![event(RolledBack)]].concat(), State::RolledBack, 1, 5);
    let retried = || vec![event(Started), attempt_ended(), retry(), event(Started)];
    check(None, retried(), State::Retrying, 2, 5);
    check(None, vec![event(Started), event(Rescued)], State::Pending, 1, 3);
    check(None, [retried(), vec![event(Rescued), event(Started)]].concat(), State::Running, 3, 7);
    let cancelling = || vec![event(Started), event(CancelRequested), event(CancelRequested)];
    check(None, cancelling(), State::Cancelling, 1, 4);
    let rescued = ended(Rescued, Outcome::Cancelled);
    check(None, [cancelling(), vec![rescued]].concat(), State::Cancelled, 1, 5);
    let stopped = vec![attempt_ended(), ended(Cancelled, Outcome::Cancelled)];
    check(None, [cancelling(), stopped].concat(), State::Cancelled, 1, 6);
    let lost = ended(Crashed, Outcome::Crashed { reason: "lost".into() });
    check(None, vec![event(Started), lost], State::Crashed, 1, 3);
    let failed = || vec![event(Started), attempt_ended(), ended(Event::Failed, outcomes()[1].clone())];
    let again = || [failed(), vec![event(Event::RetryRequested)]].concat();
    check(None, again(), State::Pending, 1, 5);
    check(None, [again(), complete()].concat(), State::Completed, 2, 8);
    check(None, [again(), failed(), vec![event(Event::RetryRequested)]].concat(), State::Pending, 2, 9);
    let cancelled = vec![ended(CancelRequested, Outcome::Cancelled), event(Event::RetryRequested)];
    check(None, [again(), cancelled].concat(), State::Pending, 1, 7);
    check(None, vec![RunFact::Named("a".into()), event(Started)], State::Running, 1, 3);
    check(None, vec![event(Started), attempt_ended(), RunFact::Named("a".into())], State::Running, 1, 4);
}

#[test]
fn what_cannot_follow_changes_nothing() {
    use Event::{CancelRequested, Completed, RolledBack, Started};
    let check = |facts: Vec<RunFact>, fact: RunFact, expected: &str| {
        let mut run = record(None, facts).unwrap();
        let before = run.clone();
        let error = run.apply(at(99), fact).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Conflict));
        assert_eq!(run, before);
    };
    check(
        vec![],
        RunFact::Born(spec(None).into()),
        "the run 01010101-0101-0101-0101-010101010101 is born already",
    );
    check(vec![], event(Completed), "event Completed is not possible in state Pending");
    let done = || vec![event(Started), ended(Completed, completed())];
    check(done(), event(Started), "event Started is not possible in state Completed");
    let wanted = "the event Completed ends the run: expected an outcome with it";
    check(vec![event(Started)], event(Completed), wanted);
    let wanted = "the event CancelRequested ends the run: expected an outcome with it";
    check(vec![], event(CancelRequested), wanted);
    let unwanted = "the event Started does not end the run: expected no outcome with it";
    check(vec![], ended(Started, completed()), unwanted);
    let unwanted = "the event RolledBack does not end the run: expected no outcome with it";
    check(done(), ended(RolledBack, completed()), unwanted);
    check(vec![], attempt_ended(), "no attempt of a run that is Pending can end now");
    let twice = vec![event(Started), attempt_ended()];
    check(twice, attempt_ended(), "no attempt of a run that is Running can end now");
    check(done(), attempt_ended(), "no attempt of a run that is Completed can end now");
    check(
        vec![RunFact::Named("a".into())],
        RunFact::Named("b".into()),
        "the run 01010101-0101-0101-0101-010101010101 has a name already",
    );
}

#[test]
fn a_retry_by_hand_starts_counting_afresh() {
    let failed = || {
        let outcome = outcomes()[1].clone();
        vec![event(Event::Started), attempt_ended(), ended(Event::Failed, outcome)]
    };
    let run = record(None, failed()).unwrap();
    assert_eq!((run.counted_attempts(), run.next_attempt(), run.retried_at()), (1, 2, None));
    assert_eq!((run.ended_at(), run.outcome()), (Some(at(4)), Some(&outcomes()[1])));
    let run = record(None, [failed(), vec![event(Event::RetryRequested)]].concat()).unwrap();
    assert_eq!((run.counted_attempts(), run.next_attempt(), run.retried_at()), (0, 2, Some(at(5))));
    assert_eq!((run.ended_at(), run.outcome(), run.outcomes().len()), (None, None, 1));
    let ends =
        vec![event(Event::RetryRequested), event(Event::Started), ended(Event::Completed, completed())];
    let run = record(None, [failed(), ends, vec![event(Event::RolledBack)]].concat()).unwrap();
    assert_eq!((run.counted_attempts(), run.next_attempt()), (1, 3));
    assert_eq!((run.ended_at(), run.outcome()), (Some(at(7)), Some(&completed())));
    assert_eq!(run.outcomes(), [outcomes()[1].clone(), completed()]);
}

#[test]
fn facts_begin_with_a_birth() {
    assert_eq!(RunRecord::replay([]), Err(IllegalFact::NotBorn));
    assert_eq!(RunRecord::replay([(at(1), event(Event::Started))]), Err(IllegalFact::NotBorn));
}

#[test]
fn an_outcome_fits_its_event() {
    let check = |event: Event, fitting: &[usize]| {
        for (place, outcome) in outcomes().iter().enumerate() {
            assert_eq!(fits(event, outcome), fitting.contains(&place), "{event} {outcome:?}");
        }
    };
    let ends: [(&str, &[usize]); 9] = [
        ("Completed", &[0]),
        ("CacheHit", &[0]),
        ("Failed", &[1]),
        ("TimedOut", &[2]),
        ("UpstreamFailed", &[3]),
        ("Crashed", &[4]),
        ("Cancelled", &[5]),
        ("CancelRequested", &[5]),
        ("Rescued", &[5]),
    ];
    for event in Event::each(at(9), ID) {
        let fitting = ends.iter().find(|(name, _)| *name == event.name());
        check(event, fitting.map_or(&[], |(_, fitting)| *fitting));
    }
    let error = record(None, vec![event(Event::Started), ended(Event::Completed, Outcome::Cancelled)]);
    assert_eq!(error.unwrap_err(), IllegalFact::OtherOutcome { event: Event::Completed });
}

#[test]
fn attempts_have_their_times_and_ends() {
    let facts = vec![
        event(Event::Started),
        event(Event::Rescued),
        event(Event::Started),
        attempt_ended(),
        event(Event::RetryPlanned { due: at(50) }),
        event(Event::Started),
    ];
    let run = record(None, facts).unwrap();
    let times: Vec<_> = run
        .attempts()
        .iter()
        .map(|attempt| {
            let nanos = |at: Timestamp| at.unix_nanos();
            (attempt.number, nanos(attempt.began), attempt.ended.map(nanos), attempt.outcome.is_some())
        })
        .collect();
    assert_eq!(times, [(1, 2, Some(3), false), (2, 4, Some(5), true), (3, 7, None, false)]);
    assert_eq!((run.rescues(), run.name(), run.spec().id), (1, None, ID));
    assert_eq!(run.history().len(), 6);
}
