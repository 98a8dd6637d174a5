//! The suite that every driver passes.

use std::sync::Mutex;

use hostel_journal::SqliteJournal;

use hostel_core::journal::{ClaimRequest, Journal, MAX_PASSED, Submitted};
use hostel_core::{Digest, ExportPath, TaskKey};

use crate::scene::{at, check, directory, id, open, request, spec};

#[test]
fn a_relaxed_journal_is_the_same_journal() {
    let dir = directory();
    let relaxed = SqliteJournal::open_relaxed(dir.path()).unwrap();
    assert_eq!(relaxed.submit(at(1), &[spec(1)]).unwrap(), [Submitted::New]);
    assert_eq!(open(&dir).submit(at(1), &[spec(1), spec(2)]).unwrap(), [Submitted::Existing, Submitted::New]);
    drop(relaxed);
    check(&open(&dir));
}

#[test]
fn the_journal_in_sqlite_passes_the_suite() {
    let directories = Mutex::new(Vec::new());
    hostel_conformance::check(&|| {
        let directory = directory();
        let journal = SqliteJournal::open(directory.path()).unwrap();
        directories.lock().unwrap().push(directory);
        Box::new(journal)
    });
}

#[test]
fn a_claim_looks_past_a_bounded_number_of_runs_that_it_leaves_out() {
    let dir = directory();
    let journal = open(&dir);
    let most = MAX_PASSED as u64;
    for first in [0, most] {
        let runs: Vec<_> = (first..first + most).map(spec).collect();
        journal.submit(at(1), &runs).unwrap();
    }
    let mut last = spec(2 * most);
    last.task = TaskKey { component: Digest::of(b"other"), export: ExportPath::top_level("add") };
    journal.submit(at(1), &[last]).unwrap();
    let without = ClaimRequest { without: vec![spec(0).task], ..request("w", 1, 5) };
    assert_eq!(journal.claim(&without).unwrap(), []);
    assert_eq!(journal.next_due(&without).unwrap(), None);
    // How many are asked for makes no difference.
    assert_eq!(journal.claim(&request("other", MAX_PASSED - 10, 5)).unwrap().len(), MAX_PASSED - 10);
    assert_eq!(journal.claim(&ClaimRequest { limit: 100, ..without.clone() }).unwrap(), []);
    assert_eq!(journal.next_due(&without).unwrap(), None);
    // It is found as soon as fewer are before it.
    assert_eq!(journal.claim(&request("other", 10, 5)).unwrap().len(), 10);
    assert_eq!(journal.next_due(&without).unwrap(), Some(at(5)));
    let claimed = journal.claim(&without).unwrap();
    assert_eq!(claimed.iter().map(|entry| entry.run()).collect::<Vec<_>>(), [id(2 * most)]);
}
