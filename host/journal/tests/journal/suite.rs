//! The suite that every driver passes.

use std::sync::Mutex;

use hostel_journal::SqliteJournal;

use hostel_core::journal::{Journal, Submitted};

use crate::scene::{at, check, directory, open, spec};

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
