//! Several threads with one journal.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use hostel_core::State;
use hostel_core::journal::{Journal, JournalError, Submitted};

use crate::cases;
use crate::world::{STARTED, append, at, claim, completed, entry, fence, id, spec, state, submit_some};

cases![
    no_run_is_claimed_by_two_threads,
    one_thread_of_many_appends,
    one_thread_of_many_submits,
    threads_work_off_a_queue,
];

/// How many threads there are.
const THREADS: u64 = 4;

fn no_run_is_claimed_by_two_threads(journal: &dyn Journal) {
    submit_some(journal, 0..200);
    let claimed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let some = claim(journal, "w", 3, 2);
                    if some.is_empty() {
                        return;
                    }
                    let some = some.iter().map(|entry| (entry.run(), fence(entry)));
                    claimed.lock().unwrap().extend(some);
                }
            });
        }
    });
    let claimed = claimed.into_inner().unwrap();
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.iter().map(|(run, _)| run).collect::<BTreeSet<_>>().len(), 200);
    assert_eq!(claimed.iter().map(|(_, fence)| fence).collect::<BTreeSet<_>>().len(), 200);
}

fn one_thread_of_many_appends(journal: &dyn Journal) {
    submit_some(journal, 0..20);
    let won = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for number in 0..20 {
                    match append(journal, number, 1, None, 2, [STARTED]) {
                        Ok(version) => {
                            assert_eq!(version, 2);
                            *won.lock().unwrap() += 1;
                        }
                        Err(error) => assert!(matches!(error, JournalError::Conflict(_)), "{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(won.into_inner().unwrap(), 20);
}

fn one_thread_of_many_submits(journal: &dyn Journal) {
    let new = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for number in 0..20 {
                    let answers = journal.submit(at(1), &[spec(number)]).unwrap();
                    *new.lock().unwrap() += usize::from(answers == [Submitted::New]);
                }
            });
        }
    });
    assert_eq!((new.into_inner().unwrap(), journal.counts().unwrap().total()), (20, 20));
}

fn threads_work_off_a_queue(journal: &dyn Journal) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                submit_some(journal, thread * 50..(thread + 1) * 50);
                loop {
                    let some = claim(journal, "w", 2, 2);
                    if some.is_empty() {
                        return;
                    }
                    for run in &some {
                        let number = u128::from_be_bytes(*run.run().as_bytes()) as u64;
                        append(journal, number, 1, Some(fence(run)), 3, [STARTED, completed()]).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(journal.counts().unwrap().of(State::Completed), THREADS * 50);
    assert!((0..THREADS * 50).all(|number| state(journal, number) == State::Completed));
    let events = journal.events(0, 1_000).unwrap();
    assert_eq!((events.len() as u64, events.last().unwrap().seq), (THREADS * 150, THREADS * 150));
    assert_eq!(entry(journal, 0).run(), id(0));
}
