//! Full disks, damaged files, other versions, and clocks that jump.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use hostel_core::journal::{Journal, JournalError, Page};
use hostel_core::{ErrorKind, RunFilter, State};
use hostel_journal::{JournalHooks, OpenJournalError, SqliteJournal};

use crate::scene::{
    STARTED, add, at, check, completed, directory, expire, id, open, request, spec, spec_with_input,
};

fn sql(dir: &Path, text: &str) {
    let db = rusqlite::Connection::open(dir.join("journal-1.db")).unwrap();
    db.execute_batch(text).unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_half_done() {
    let dir = directory();
    let hooks = JournalHooks { max_pages: 60, ..JournalHooks::default() };
    let journal = SqliteJournal::open_with(dir.path(), hooks).unwrap();
    let mut stored = 0;
    let error = loop {
        let batch: Vec<_> = (stored..stored + 3).map(|number| spec_with_input(number, 2_000)).collect();
        match journal.submit(at(1), &batch) {
            Ok(_) => stored += 3,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::Medium { action: "write", .. }), "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("full"), "{source}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(stored > 3);
    assert_eq!(journal.counts().unwrap().total(), stored);
    check(&journal);
    // What needs no more room goes on, and room that is made is used.
    journal.cancel(at(2), id(0)).unwrap();
    journal.cancel(at(2), id(1)).unwrap();
    journal.cancel(at(2), id(2)).unwrap();
    (0..3).for_each(|run| journal.remove(id(run)).unwrap());
    journal.submit(at(3), &[spec_with_input(1_000, 2_000)]).unwrap();
    check(&journal);
}

#[test]
fn damaged_pages_are_reported_and_the_rest_is_readable() {
    let dir = directory();
    let journal = open(&dir);
    journal
        .submit(at(1), &(0..200).map(|number| spec_with_input(number, 1_000)).collect::<Vec<_>>())
        .unwrap();
    drop(journal);
    damage(&dir.path().join("journal-1.db"), &[150; 500]);
    let journal = open(&dir);
    let problems = journal.fsck().unwrap().problems;
    assert!(!problems.is_empty());
    let read = (0..200).map(|number| journal.get(id(number)));
    let (good, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    assert!(good.len() > 150 && !bad.is_empty(), "{} {}", good.len(), bad.len());
    for error in bad {
        let error = error.unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. } | JournalError::DamagedFile { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
    // Others are found, claimed and finished.
    assert_eq!(journal.find(&RunFilter::new(), Page::first(5)).unwrap().runs.len(), 5);
    journal.submit(at(2), &[spec(1_000)]).unwrap();
    add(&journal, 1_000, 3, [STARTED, completed(5)]).unwrap();
}

#[cfg(unix)]
#[test]
fn nothing_is_acknowledged_after_a_file_is_gone() {
    for name in ["journal-1.db-wal", "journal-1.db"] {
        let dir = directory();
        let journal = open(&dir);
        journal.submit(at(1), &[spec(1)]).unwrap();
        let (file, elsewhere) = (dir.path().join(name), dir.path().join("elsewhere"));
        std::fs::rename(&file, &elsewhere).unwrap();
        let error = journal.submit(at(2), &[spec(2)]).unwrap_err();
        assert!(matches!(error, JournalError::DamagedFile { action: "write", .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Internal);
        let source = std::error::Error::source(&error).unwrap().to_string();
        let expected = format!("{} was removed, replaced or emptied while it was in use", file.display());
        assert!(source.starts_with(&expected), "{source}");
        // Another file of that name is not the one that is written.
        std::fs::copy(&elsewhere, &file).unwrap();
        assert!(journal.submit(at(3), &[spec(3)]).is_err(), "{name}");
        std::fs::rename(&elsewhere, &file).unwrap();
        journal.submit(at(4), &[spec(4)]).unwrap();
    }
}

#[test]
fn nothing_is_acknowledged_after_the_log_is_emptied() {
    let dir = directory();
    let (journal, other) = (open(&dir), open(&dir));
    journal.submit(at(1), &(0..100).map(spec).collect::<Vec<_>>()).unwrap();
    sql(dir.path(), "PRAGMA wal_checkpoint(TRUNCATE)");
    journal.submit(at(1), &(100..300).map(spec).collect::<Vec<_>>()).unwrap();
    let log = OpenOptions::new().write(true).open(dir.path().join("journal-1.db-wal")).unwrap();
    log.set_len(0).unwrap();
    // What a process does not have in memory cannot be read again.
    let error = other.get(id(1)).unwrap_err();
    assert!(matches!(error, JournalError::DamagedFile { action: "read", .. }), "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("emptied or cut while it was in use"), "{source}");
    // And one that has it in memory would write on, after a gap.
    let error = journal.submit(at(2), &[spec(1_000)]).unwrap_err();
    assert!(matches!(error, JournalError::DamagedFile { action: "write", .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Internal);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("emptied"), "{source}");
    // What was in the journal itself is there for the next process.
    drop((journal, other));
    let journal = open(&dir);
    let count = |numbers: std::ops::Range<u64>| {
        numbers.filter(|number| journal.get(id(*number)).unwrap().is_some()).count()
    };
    assert_eq!((count(0..100), count(100..301)), (100, 0));
}

#[test]
fn a_log_that_begins_anew_is_no_loss() {
    let dir = directory();
    let journal = open(&dir);
    for number in 0..3 {
        journal.submit(at(1), &[spec(number)]).unwrap();
        sql(dir.path(), "PRAGMA wal_checkpoint(TRUNCATE)");
        assert_eq!(std::fs::metadata(dir.path().join("journal-1.db-wal")).unwrap().len(), 0);
    }
    journal.submit(at(2), &[spec(3)]).unwrap();
}

#[test]
fn a_file_that_was_emptied_is_not_a_new_journal() {
    let emptied = |beside: &str, make: fn(&Path)| {
        let dir = directory();
        std::fs::write(dir.path().join("journal-1.db"), "").unwrap();
        let beside = dir.path().join(beside);
        make(&beside);
        let error = SqliteJournal::open(dir.path()).err().unwrap();
        assert!(
            matches!(&error, OpenJournalError::Emptied { beside: found, .. } if *found == beside),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(beside.exists());
    };
    emptied("journal-1.db-wal", |path| std::fs::write(path, "log").unwrap());
    emptied("logs-1.db", |path| std::fs::write(path, "logs").unwrap());
    emptied("components", |path| std::fs::create_dir(path).unwrap());
    emptied("blobs", |path| std::fs::create_dir(path).unwrap());
    // Nothing else is there: another process may have been killed before it wrote anything.
    let dir = directory();
    std::fs::write(dir.path().join("journal-1.db"), "").unwrap();
    open(&dir).submit(at(1), &[spec(1)]).unwrap();
}

/// Overwrites the page in which some bytes are.
fn damage(path: &Path, wanted: &[u8]) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let place = bytes.windows(wanted.len()).position(|window| window == wanted).unwrap();
    file.seek(SeekFrom::Start((place / 4_096 * 4_096) as u64)).unwrap();
    file.write_all(&[0x5a; 4_096]).unwrap();
}

#[test]
fn a_damaged_run_does_not_stop_the_queue() {
    let dir = directory();
    let journal = open(&dir);
    journal.submit(at(1), &[spec(1), spec(2)]).unwrap();
    sql(dir.path(), "UPDATE run SET born = x'ff' WHERE seq = 1");
    let error = journal.get(id(1)).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { run, problem: "its specification" } if run == id(1)));
    let claimed = journal.claim(&request("w", 1, 2)).unwrap();
    let claimed = if claimed.is_empty() { journal.claim(&request("w", 1, 2)).unwrap() } else { claimed };
    assert_eq!(claimed[0].run(), id(2));
    let problems = journal.fsck().unwrap().problems;
    assert_eq!(problems, [error.to_string()]);
}

#[test]
fn every_contradiction_is_found() {
    let contradiction = |change: &str, expected: &str| {
        let dir = directory();
        let journal = open(&dir);
        let tagged = hostel_core::RunSpec { tags: ["a"].into_iter().collect(), ..spec(1) };
        journal.submit(at(1), &[tagged, spec(2)]).unwrap();
        add(&journal, 1, 2, [STARTED, completed(5)]).unwrap();
        check(&journal);
        drop(journal);
        sql(dir.path(), change);
        let problems = open(&dir).fsck().unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{change}: {problems:?}");
    };
    contradiction(
        "UPDATE tally SET runs = 7 WHERE state = 2",
        "there are 1 runs that are Pending: the tally has 7",
    );
    contradiction(
        "UPDATE histogram SET runs = 7 WHERE state = 2",
        "the histogram of runs is wrong for 1 minutes",
    );
    contradiction("UPDATE tag_tally SET runs = 7", "the tally of tags is wrong for");
    contradiction("DELETE FROM run_tag", "runs have 1 tags: 0 are in the index of tags");
    contradiction("UPDATE run SET ended = 5 WHERE seq = 1", "do not lead to its row");
    contradiction("UPDATE run SET ready = NULL WHERE seq = 2", "do not lead to its row");
    contradiction("UPDATE run SET state = 9 WHERE seq = 1", "damaged (its state)");
    contradiction("DELETE FROM event WHERE seq = 3", "damaged (an event is missing)");
    contradiction("UPDATE event SET body = x'010106' WHERE change = 19", "damaged (the order of its events)");
    contradiction("UPDATE event SET before = 9 WHERE seq = 3", "damaged (one of its events)");
    contradiction("DELETE FROM spec", "damaged (the options of its task)");
}

#[test]
fn newer_versions_are_read_or_refused() {
    let dir = directory();
    let journal = open(&dir);
    journal.submit(at(1), &[spec(1)]).unwrap();
    drop(journal);
    // Far above what there will be of format 1.
    sql(dir.path(), "PRAGMA user_version = 1999");
    let error = SqliteJournal::open(dir.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenJournalError::Newer { found: 999, .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    sql(dir.path(), "PRAGMA user_version = 2001");
    let journal = open(&dir);
    assert_eq!(journal.get(id(1)).unwrap().unwrap().state(), State::Pending);
    let error = journal.submit(at(1), &[spec(2)]).unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }) && error.kind() == ErrorKind::Denied, "{error}");
    assert!(matches!(journal.claim(&request("w", 1, 2)), Err(JournalError::ReadOnly { .. })));
}

#[test]
fn what_is_no_journal_is_refused() {
    let dir = directory();
    std::fs::write(dir.path().join("journal-1.db"), vec![7; 5_000]).unwrap();
    let error = SqliteJournal::open(dir.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenJournalError::Damaged { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("journal-1.db"), "{error}");
}

#[test]
fn a_clock_that_is_set_back_or_ahead_loses_nothing() {
    let dir = directory();
    let journal = open(&dir);
    let late = |number, due| hostel_core::RunSpec { due: Some(at(due)), ..spec(number) };
    journal.submit(at(1_000), &[late(1, 1_000), late(2, 2_000)]).unwrap();
    assert_eq!(journal.claim(&request("w", 9, 1_000)).unwrap().len(), 1);
    // Back: nothing is due, and no lease is over.
    assert_eq!(journal.claim(&request("w", 9, 10)).unwrap(), []);
    assert_eq!(expire(&journal, at(10)), []);
    add(&journal, 1, 5, [STARTED]).unwrap();
    // Ahead, to the end of time: the lease is over, and all is due.
    assert_eq!(expire(&journal, at(u64::MAX)).len(), 1);
    let claimed = journal.claim(&request("w", 9, u64::MAX - 1_000)).unwrap();
    assert_eq!(claimed.iter().map(|entry| entry.run()).collect::<Vec<_>>(), [1, 2].map(id));
    journal.cancel(at(3), id(1)).unwrap();
    assert_eq!(journal.get(id(1)).unwrap().unwrap().ended(), Some(at(3)));
    check(&journal);
}
