//! The suite that every driver passes.

use std::sync::Mutex;

use hostel_journal::SqliteJournal;

use crate::scene::directory;

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
