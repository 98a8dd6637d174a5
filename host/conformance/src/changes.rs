//! Many facts at once, and waiting for changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hostel_core::journal::{Append, Journal, JournalConflict, JournalError, MAX_CLAIMED};
use hostel_core::{Event, RunFact, State};

use crate::cases;
use crate::world::{STARTED, at, claim, completed, entry, fence, id, state, submit_some};

cases![
    facts_of_several_runs_are_added_on_their_own_terms,
    nothing_is_added_to_no_runs,
    too_many_appends_are_refused,
    a_change_is_seen_at_once,
    a_change_wakes_those_who_wait,
    without_a_change_the_wait_ends,
];

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

fn facts_of_several_runs_are_added_on_their_own_terms(journal: &dyn Journal) {
    submit_some(journal, 1..=4);
    let claimed = claim(journal, "w", 3, 2);
    let of = |index: usize, facts: Vec<RunFact>| Append {
        run: claimed[index].run(),
        expected: 1,
        fence: Some(fence(&claimed[index])),
        facts: facts.into_iter().map(|fact| (at(3), fact)).collect(),
    };
    let appends = [
        of(0, vec![STARTED, completed()]),
        Append { expected: 7, ..of(1, vec![STARTED]) },
        of(2, vec![STARTED, RunFact::Event(Event::RolledBack)]),
        Append { run: id(9), ..of(1, vec![STARTED]) },
        of(1, vec![STARTED]),
        Append { fence: None, run: id(4), ..of(1, vec![STARTED]) },
    ];
    let answers = journal.append_all(&appends).unwrap();
    let [done, version, fact, unknown, started, unclaimed] = <[_; 6]>::try_from(answers).unwrap();
    assert_eq!((done.unwrap(), started.unwrap(), unclaimed.unwrap()), (3, 2, 2));
    assert!(matches!(version, Err(JournalError::Conflict(JournalConflict::Version { .. }))));
    assert!(matches!(fact, Err(JournalError::Conflict(JournalConflict::Fact { index: 1, .. }))));
    assert!(matches!(unknown, Err(JournalError::NotFound { run }) if run == id(9)));
    assert_eq!((state(journal, 1), state(journal, 2)), (State::Completed, State::Running));
    assert_eq!((entry(journal, 3).version(), state(journal, 4)), (1, State::Running));
}

fn nothing_is_added_to_no_runs(journal: &dyn Journal) {
    assert!(journal.append_all(&[]).unwrap().is_empty());
}

fn too_many_appends_are_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let append = Append { run: id(1), expected: 1, fence: None, facts: vec![(at(2), STARTED)] };
    let error = journal.append_all(&vec![append; MAX_CLAIMED + 1]).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { count, .. } if count == MAX_CLAIMED + 1));
    assert_eq!(entry(journal, 1).version(), 1);
}

fn a_change_is_seen_at_once(journal: &dyn Journal) {
    let seen = journal.changes().unwrap();
    submit_some(journal, [1]);
    assert_ne!(journal.wait_for_change(seen, LONG).unwrap(), seen);
}

fn a_change_wakes_those_who_wait(journal: &dyn Journal) {
    let is_submitted = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = journal.changes().unwrap();
            // Numbers may change without reason.
            while !is_submitted.load(Ordering::SeqCst) {
                seen = journal.wait_for_change(seen, LONG).unwrap();
            }
        });
        is_submitted.store(true, Ordering::SeqCst);
        submit_some(journal, [1]);
    });
    assert_eq!(state(journal, 1), State::Pending);
}

fn without_a_change_the_wait_ends(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let seen = journal.changes().unwrap();
    journal.wait_for_change(seen, Duration::from_millis(1)).unwrap();
}
