//! A data directory that this process cannot write.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hostel_core::journal::{Journal, JournalError, Page};
use hostel_core::{ErrorKind, LogLevel, LogLine, LogStream, RunFilter};
use hostel_journal::{LogFilter, OpenJournalError, RunLogs, SqliteJournal};
use tempfile::TempDir;

use crate::scene::{at, id, request, spec, spec_with_input};

/// The directory of a child that may not write there.
const CHILD: &str = "HOSTEL_JOURNAL_READ_ONLY";

/// Someone without any rights.
const NOBODY: u32 = 65_534;

fn line() -> LogLine {
    let (stream, level) = (LogStream::Stdout, LogLevel::Info);
    LogLine { at: at(1), stream, level, text: "hello".into(), fields: vec![] }
}

/// A directory with two runs and a log, in which nobody may write.
fn unwritable(leave_log: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let journal = SqliteJournal::open(&data).unwrap();
    journal.submit(at(1), &[spec(1), spec_with_input(2, 20_000)]).unwrap();
    let logs = RunLogs::open(&data).unwrap();
    logs.append(id(1), 1, vec![line()]).unwrap();
    drop(logs);
    if leave_log {
        // As after a crash: the last change is only in the log.
        std::mem::forget(journal);
    }
    lock(&data);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Gives everything to nobody, without the right to write.
fn lock(path: &Path) {
    let is_dir = path.is_dir();
    if is_dir {
        fs::read_dir(path).unwrap().for_each(|entry| lock(&entry.unwrap().path()));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(if is_dir { 0o500 } else { 0o400 })).unwrap();
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// So that the directory can be removed by those who are not root.
fn unlock(path: &Path) {
    if path.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        fs::read_dir(path).unwrap().for_each(|entry| unlock(&entry.unwrap().path()));
    }
}

/// Executes a test of this file in a child that is not root, which writes where it likes.
fn as_nobody(test: &str, dir: &TempDir) {
    let program = dir.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = Command::new(program);
    child.args(["--exact", test, "--nocapture"]).env(CHILD, dir.path().join("data"));
    if is_root() {
        child.uid(NOBODY).gid(NOBODY);
    }
    // A process that another test started at the same time may still have the file open for the copying, until it executes its own.
    let began = Instant::now();
    let output = loop {
        match child.output() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                assert!(began.elapsed() < Duration::from_secs(60), "{error}");
                std::thread::yield_now();
            }
            output => break output.unwrap(),
        }
    };
    unlock(&dir.path().join("data"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_child_reads_what_it_cannot_write() {
    let Ok(data) = std::env::var(CHILD) else { return };
    let data = Path::new(&data);
    let journal = SqliteJournal::open(data).unwrap();
    assert_eq!(journal.find(&RunFilter::new(), Page::first(9)).unwrap().runs.len(), 2);
    let entry = journal.get(id(2)).unwrap().unwrap();
    assert_eq!((entry.run(), journal.counts().unwrap().total()), (id(2), 2));
    assert_eq!((journal.events(0, 9).unwrap().len(), journal.limits().unwrap().len()), (2, 0));
    assert_eq!(journal.fsck().unwrap().problems, Vec::<String>::new());
    let seen = journal.changes().unwrap();
    assert_eq!(journal.wait_for_change(seen, Duration::from_millis(1)).unwrap(), seen);
    for error in [
        journal.submit(at(2), &[spec(3)]).unwrap_err(),
        journal.claim(&request("w", 1, 2)).unwrap_err(),
        journal.remove(id(1)).unwrap_err(),
    ] {
        let expected = "the journal can only be read: its directory cannot be written";
        assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Denied));
    }
    let logs = RunLogs::open(data).unwrap();
    assert_eq!(logs.read(id(1), 0, 9, &LogFilter::default()).unwrap().lines[0].line, line());
    assert!(matches!(logs.append(id(1), 1, vec![line()]), Err(JournalError::ReadOnly { .. })));
}

#[test]
fn a_child_finds_no_journal() {
    let Ok(data) = std::env::var(CHILD) else { return };
    let error = SqliteJournal::open(Path::new(&data)).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenJournalError::Unwritable { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.ends_with("has no journal, and none can be created: its directory cannot be written"),
        "{said}"
    );
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[test]
fn a_journal_that_cannot_be_written_is_read() {
    for leave_log in [false, true] {
        as_nobody("read_only::a_child_reads_what_it_cannot_write", &unwritable(leave_log));
    }
}

#[test]
fn a_directory_that_cannot_be_written_and_has_no_journal_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    lock(&dir.path().join("data"));
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    as_nobody("read_only::a_child_finds_no_journal", &dir);
}
