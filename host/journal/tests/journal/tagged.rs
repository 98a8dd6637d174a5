//! Counts and times of the runs with a tag.

use hostel_core::journal::{Journal, Page};
use hostel_core::{Amendment, RunFilter, RunSpec, State, TaskSpec, Timestamp};
use hostel_journal::{RunSpan, RunTimes, SqliteJournal};

use crate::scene::{STARTED, add, at, check, completed, directory, failed, id, open, request, spec};

fn tagged(number: u64, tags: &[&str]) -> RunSpec {
    RunSpec { tags: tags.iter().copied().collect(), ..spec(number) }
}

/// Compares what is counted with what is found, and returns how many runs have the tag and whether some have lost it.
fn counted(journal: &SqliteJournal, tag: &str) -> (u64, bool) {
    let of_tag = || RunFilter::new().tag(tag);
    let found = |filter| journal.find(&filter, Page::first(100)).unwrap().runs.len() as u64;
    let counts = journal.tag_counts(tag).unwrap();
    for state in State::ALL {
        assert_eq!(counts.counts.of(state), found(of_tag().states([state])), "{tag}: {state}");
    }
    assert_eq!(counts.counts.total(), found(of_tag()), "{tag}");
    check(journal);
    (counts.counts.total(), counts.has_gaps)
}

#[test]
fn runs_with_a_tag_are_counted_by_state() {
    let dir = directory();
    let journal = open(&dir);
    assert_eq!(counted(&journal, "a"), (0, false));
    let of_task = TaskSpec { tags: ["a"].into_iter().collect(), ..TaskSpec::default() };
    let with_both = RunSpec { spec: of_task.into(), ..tagged(4, &["a", "b"]) };
    let runs = [tagged(1, &["a"]), tagged(2, &["a", "b"]), tagged(3, &["b"]), with_both, spec(5)];
    journal.submit(at(1), &runs).unwrap();
    assert_eq!((counted(&journal, "a"), counted(&journal, "b")), ((3, false), (3, false)));
    journal.claim(&request("w", 9, 2)).unwrap();
    add(&journal, 1, 3, [STARTED]).unwrap();
    add(&journal, 2, 3, [STARTED, completed(1)]).unwrap();
    add(&journal, 3, 3, [STARTED, failed()]).unwrap();
    assert_eq!((counted(&journal, "a"), counted(&journal, "b")), ((3, false), (3, false)));
    journal.retry(at(4), id(3)).unwrap();
    journal.cancel(at(4), id(4)).unwrap();
    assert_eq!((counted(&journal, "a"), counted(&journal, "b")), ((3, false), (3, false)));
    // In another process, too.
    assert_eq!(counted(&open(&dir), "b"), (3, false));
}

#[test]
fn a_submission_that_is_refused_counts_nothing() {
    let dir = directory();
    let journal = open(&dir);
    journal.submit(at(1), &[tagged(1, &["a"])]).unwrap();
    journal.submit(at(1), &[tagged(2, &["a", "b"]), tagged(1, &["other"])]).unwrap_err();
    assert_eq!((counted(&journal, "a"), counted(&journal, "b")), ((1, false), (0, false)));
    journal.submit(at(1), &[tagged(2, &["a", "b"])]).unwrap();
    assert_eq!((counted(&journal, "a"), counted(&journal, "b")), ((2, false), (1, false)));
}

#[test]
fn a_tag_that_a_run_has_lost_has_gaps_until_no_run_has_it() {
    let dir = directory();
    let journal = open(&dir);
    let runs: Vec<_> = (1..=3).map(|number| tagged(number, &["a", "b"])).collect();
    journal.submit(at(1), &runs).unwrap();
    // The tags change, and the state with them.
    let tags = Some(["b", "c"].into_iter().collect());
    let amendment = Amendment { tags, due: Some(at(50)), ..Amendment::default() };
    journal.amend(at(2), id(2), &amendment).unwrap();
    assert_eq!((counted(&journal, "a"), counted(&journal, "c")), ((2, true), (1, false)));
    // It had this one before, and has it again.
    assert_eq!(counted(&journal, "b").0, 3);
    for run in [1, 3] {
        journal.cancel(at(3), id(run)).unwrap();
        journal.remove(id(run)).unwrap();
    }
    assert_eq!((counted(&journal, "a"), counted(&journal, "b")), ((0, false), (1, true)));
    journal.submit(at(4), &[tagged(1, &["a"])]).unwrap();
    assert_eq!(counted(&journal, "a"), (1, false));
}

/// The times of the runs with a tag, in order.
fn spans(journal: &SqliteJournal, tag: &str) -> Vec<(State, Option<u64>, Option<u64>)> {
    let nanos = |time: Option<Timestamp>| time.map(|time| time.unix_nanos());
    let of = |_, RunSpan { state, started, ended }| (state, nanos(started), nanos(ended));
    let (origin, mut spans) = journal.tag_spans(tag, of).unwrap().unwrap();
    assert_eq!(origin, at(1));
    spans.sort_by_key(|(_, started, ended)| (*started, *ended));
    spans
}

#[test]
fn the_times_of_runs_with_a_tag_are_those_of_what_has_begun() {
    let dir = directory();
    let journal = open(&dir);
    assert!(journal.tag_spans("a", |_, span| span).unwrap().is_none());
    let runs: Vec<_> = (1..=5).map(|number| tagged(number, &["a"])).collect();
    journal.submit(at(1), &runs).unwrap();
    journal.claim(&request("w", 3, 2)).unwrap();
    assert_eq!(spans(&journal, "a"), []);
    add(&journal, 1, 3, [STARTED]).unwrap();
    add(&journal, 1, 9, [completed(1)]).unwrap();
    add(&journal, 2, 4, [STARTED]).unwrap();
    journal.cancel(at(7), id(5)).unwrap();
    let ran = (State::Completed, Some(3), Some(9));
    let runs = (State::Running, Some(4), None);
    let never = (State::Cancelled, None, Some(7));
    assert_eq!(spans(&journal, "a"), [never, ran, runs]);
    // Others between them make no difference, and a clock that was put back loses none.
    journal.submit(at(10), &[spec(6), tagged(7, &["a"]), tagged(8, &["b"])]).unwrap();
    journal.cancel(at(0), id(7)).unwrap();
    journal.cancel(at(11), id(6)).unwrap();
    journal.cancel(at(11), id(8)).unwrap();
    assert_eq!(spans(&journal, "a"), [(State::Cancelled, None, Some(0)), never, ran, runs]);
    check(&journal);
}

#[test]
fn what_a_timeline_shows_of_runs_with_a_tag_is_what_lists_show() {
    let dir = directory();
    let journal = open(&dir);
    assert_eq!(journal.tag_times("a", 9, |run| run).unwrap(), []);
    let runs: Vec<_> = (1..=4).map(|number| tagged(number, &["a", "b"])).collect();
    journal.submit(at(1), &runs).unwrap();
    journal.submit(at(2), &[spec(5), tagged(6, &["a"]), tagged(7, &["b"])]).unwrap();
    journal.claim(&request("w", 3, 3)).unwrap();
    add(&journal, 1, 3, [STARTED, completed(1)]).unwrap();
    add(&journal, 2, 4, [STARTED, failed()]).unwrap();
    add(&journal, 3, 5, [STARTED]).unwrap();
    journal.cancel(at(7), id(6)).unwrap();
    journal.retry(at(8), id(2)).unwrap();
    let found = journal.find(&RunFilter::new().tag("a"), Page::first(100)).unwrap().runs;
    let listed = found.iter().rev().map(|head| RunTimes {
        run: head.run,
        state: head.state,
        created: head.created,
        started: head.started,
        ended: head.ended,
        attempts: head.attempts,
    });
    let listed: Vec<_> = listed.collect();
    assert_eq!(listed.iter().map(|run| run.attempts).collect::<Vec<_>>(), [1, 1, 1, 0, 0]);
    assert_eq!(journal.tag_times("a", 9, |run| run).unwrap(), listed);
    assert_eq!(journal.tag_times("a", 2, |run| run).unwrap(), listed[..2]);
    journal.remove(id(1)).unwrap();
    assert_eq!(journal.tag_times("a", 9, |run| run).unwrap(), listed[1..]);
}

#[test]
fn runs_with_a_tag_are_found_by_their_states() {
    let dir = directory();
    let journal = open(&dir);
    let runs: Vec<_> = (1..=40).map(|number| tagged(number, &["a"])).collect();
    journal.submit(at(1), &runs).unwrap();
    journal.submit(at(1), &[tagged(41, &["b"]), tagged(42, &["b"])]).unwrap();
    // Few runs are in one of the states, and many.
    for run in [3, 17, 41] {
        journal.cancel(at(2), id(run)).unwrap();
    }
    let found = |tag: &str, states: &[State]| -> Vec<u64> {
        let filter = RunFilter::new().tag(tag).states(states.iter().copied());
        let runs = journal.find(&filter, Page::first(100)).unwrap().runs;
        let number = |bytes: &[u8; 16]| u64::try_from(u128::from_be_bytes(*bytes)).unwrap();
        runs.iter().map(|head| number(head.run.as_bytes())).collect()
    };
    assert_eq!(found("a", &[State::Cancelled]), [17, 3]);
    assert_eq!(found("b", &[State::Cancelled]), [41]);
    assert_eq!(found("a", &[State::Pending]).len(), 38);
    assert_eq!(found("b", &[State::Pending, State::Running]), [42]);
    assert_eq!(found("a", &[State::Failed, State::Crashed]), [] as [u64; 0]);
    let filter = RunFilter::new().tag("a").tag("b").states([State::Cancelled]);
    assert!(journal.find(&filter, Page::first(9)).unwrap().runs.is_empty());
}
