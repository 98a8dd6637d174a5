//! Long values, which are files, and what nothing needs any more.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostel_core::journal::{Journal, Prune, Submitted};
use hostel_core::{InputSpec, Outcome, RunRecord, StoredValue, TaskSpec};

use crate::scene::{
    STARTED, add, at, check, completed, directory, expire, id, open, request, spec, spec_with_input, value,
};

/// The longest value that is stored beside its run.
const MOST: usize = StoredValue::MAX_INLINE_BYTES;

/// More than a day, after which what nothing names is removed.
const LATER: Duration = Duration::from_secs(25 * 60 * 60);

/// All files of values.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries =
        |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries(dir.join("blobs")).flat_map(entries).collect()
}

#[test]
fn long_inputs_are_files() {
    let dir = directory();
    let journal = open(&dir);
    journal.submit(at(1), &[spec_with_input(1, MOST), spec_with_input(2, MOST + 1)]).unwrap();
    assert_eq!(files(dir.path()).len(), 1);
    let of = |number| journal.get(id(number)).unwrap().unwrap().record().spec().inputs[0].clone();
    assert_eq!(of(1), InputSpec::Value(value(1, MOST)));
    let InputSpec::Value(StoredValue::Blob(blob)) = of(2) else { panic!("{:?}", of(2)) };
    assert_eq!(journal.blob(&blob).unwrap().unwrap().as_ref(), vec![2; MOST + 1]);
    // The same submission again, with the bytes.
    assert_eq!(journal.submit(at(1), &[spec_with_input(2, MOST + 1)]).unwrap(), [Submitted::Existing]);
    check(&journal);
}

#[test]
fn long_results_are_files_that_runs_share() {
    let dir = directory();
    let journal = open(&dir);
    journal.submit(at(1), &[spec(1), spec(2)]).unwrap();
    for run in [1, 2] {
        add(&journal, run, 2, [STARTED, completed(100_000)]).unwrap();
        let entry = journal.get(id(run)).unwrap().unwrap();
        let Some(Outcome::Completed(StoredValue::Blob(blob))) = entry.record().outcome() else { panic!() };
        assert_eq!(journal.blob(blob).unwrap().unwrap().len(), 100_000);
    }
    assert_eq!(files(dir.path()).len(), 1);
}

#[test]
fn long_values_of_imported_runs_are_files() {
    let dir = directory();
    let journal = open(&dir);
    let mut record = RunRecord::born(at(1), spec_with_input(1, 30_000));
    record.apply(at(2), STARTED).unwrap();
    record.apply(at(3), completed(40_000)).unwrap();
    journal.import(&[record]).unwrap();
    assert_eq!(files(dir.path()).len(), 2);
    let entry = journal.get(id(1)).unwrap().unwrap();
    let Some(Outcome::Completed(StoredValue::Blob(blob))) = entry.record().outcome() else { panic!() };
    assert_eq!(journal.blob(blob).unwrap().unwrap().len(), 40_000);
    assert_eq!(journal.submit(at(9), &[spec_with_input(1, 30_000)]).unwrap(), [Submitted::Existing]);
    check(&journal);
}

#[test]
fn values_that_nothing_names_are_removed_after_a_day() {
    let dir = directory();
    let journal = open(&dir);
    journal.submit(at(1), &[spec(1), spec_with_input(2, 30_000)]).unwrap();
    add(&journal, 1, 2, [STARTED, completed(100_000)]).unwrap();
    std::fs::write(files(dir.path())[0].with_file_name(".tmpXYZ"), "unfinished").unwrap();
    let now = SystemTime::now();
    assert_eq!((journal.sweep(now + LATER).unwrap(), files(dir.path()).len()), (1, 2));
    journal.prune(Prune { ended_before: None, keep: Some(0) }).unwrap();
    assert_eq!((journal.sweep(now).unwrap(), files(dir.path()).len()), (0, 2));
    assert_eq!((journal.sweep(now + LATER).unwrap(), files(dir.path()).len()), (1, 1));
    check(&journal);
    // One that was removed is written again.
    journal.submit(at(3), &[spec(3)]).unwrap();
    add(&journal, 3, 4, [STARTED, completed(100_000)]).unwrap();
    assert_eq!(files(dir.path()).len(), 2);
}

#[test]
fn a_value_with_other_bytes_is_none() {
    let dir = directory();
    let journal = open(&dir);
    journal.submit(at(1), &[spec_with_input(1, 30_000)]).unwrap();
    let entry = journal.get(id(1)).unwrap().unwrap();
    let InputSpec::Value(StoredValue::Blob(blob)) = &entry.record().spec().inputs[0] else { panic!() };
    let file = &files(dir.path())[0];
    std::fs::write(file, vec![9; 30_000]).unwrap();
    assert_eq!(journal.blob(blob).unwrap(), None);
    std::fs::remove_file(file).unwrap();
    assert_eq!(journal.blob(blob).unwrap(), None);
    let problems = journal.fsck().unwrap().problems;
    assert_eq!(problems, [format!("the value {} is missing", blob.digest)]);
}

#[test]
fn changes_of_others_are_noticed() {
    let dir = directory();
    let (journal, other) = (open(&dir), open(&dir));
    let before = journal.changes().unwrap();
    other.submit(at(1), &[spec(1)]).unwrap();
    let after = journal.changes().unwrap();
    assert_ne!(before, after);
    // What changes nothing is no change: nothing is due, and no lease is over.
    assert_eq!(other.claim(&request("w", 0, 2)).unwrap(), []);
    assert_eq!(expire(&other, at(2)), []);
    other.get(id(1)).unwrap();
    assert_eq!(journal.changes().unwrap(), after);
}

#[test]
fn options_of_tasks_are_stored_once_and_removed_with_the_last_run() {
    let dir = directory();
    let (journal, other) = (open(&dir), open(&dir));
    let with = |number, priority| {
        let options = TaskSpec { priority, ..TaskSpec::default() };
        hostel_core::RunSpec { spec: options.into(), ..spec(number) }
    };
    journal.submit(at(1), &[with(1, 5), with(2, 5), with(3, 6)]).unwrap();
    other.submit(at(1), &[with(4, 5)]).unwrap();
    for run in [1, 2, 4] {
        journal.cancel(at(2), id(run)).unwrap();
        journal.remove(id(run)).unwrap();
    }
    assert_eq!(journal.sweep(SystemTime::now()).unwrap(), 1);
    // The other process remembers them, and learns that they are gone.
    other.submit(at(3), &[with(7, 5), with(8, 6)]).unwrap();
    assert_eq!(journal.get(id(7)).unwrap().unwrap().record().spec(), &with(7, 5));
    check(&journal);
}
