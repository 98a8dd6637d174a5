//! The logs of runs.

use hostel_core::journal::{Journal as _, JournalError, Retention};
use hostel_core::{LogLevel, LogLine, LogStream, RunId};
use hostel_journal::{LogFilter, MAX_LOG_LINES, OpenJournalError, RunLogs};

use crate::scene::{STARTED, add, at, completed, directory, id, open, spec};

fn line(at_nanos: u64, level: LogLevel, text: &str) -> LogLine {
    LogLine { at: at(at_nanos), stream: LogStream::Log, level, text: text.to_owned(), fields: Vec::new() }
}

fn info(at_nanos: u64, text: &str) -> LogLine {
    line(at_nanos, LogLevel::Info, text)
}

/// The numbers of the lines that match, read in pages of so many.
fn numbers(logs: &RunLogs, run: RunId, limit: usize, filter: &LogFilter) -> Vec<u64> {
    let (mut from, mut numbers) = (0, Vec::new());
    loop {
        let page = logs.read(run, from, limit, filter).unwrap();
        assert!(page.lines.len() <= limit && (page.next > from || !page.more));
        numbers.extend(page.lines.iter().map(|line| line.number));
        from = page.next;
        if !page.more {
            return numbers;
        }
    }
}

#[test]
fn lines_are_read_as_they_were_added() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    let fields = vec![("user".to_owned(), "ä\n".to_owned())];
    let lines = vec![info(5, "one"), LogLine { stream: LogStream::Stderr, fields, ..info(6, "") }];
    logs.append(id(1), 1, lines.clone()).unwrap();
    logs.append(id(2), 1, vec![info(7, "of another run")]).unwrap();
    let page = logs.read(id(1), 0, 10, &LogFilter::default()).unwrap();
    assert_eq!(page.lines.iter().map(|line| line.line.clone()).collect::<Vec<_>>(), lines);
    assert_eq!((page.next, page.more), (2, false));
    let nothing = logs.read(id(3), 4, 10, &LogFilter::default()).unwrap();
    assert_eq!((nothing.lines, nothing.next, nothing.more), (vec![], 4, false));
}

#[test]
fn lines_are_numbered_over_all_attempts_and_processes() {
    let dir = directory();
    let (logs, other) = (RunLogs::open(dir.path()).unwrap(), RunLogs::open(dir.path()).unwrap());
    logs.append(id(1), 1, vec![info(1, "a"), info(2, "b")]).unwrap();
    logs.flush().unwrap();
    other.append(id(1), 2, vec![info(3, "c")]).unwrap();
    other.flush().unwrap();
    logs.append(id(1), 3, vec![info(4, "d")]).unwrap();
    let page = logs.read(id(1), 0, 10, &LogFilter::default()).unwrap();
    let places: Vec<_> =
        page.lines.iter().map(|line| (line.number, line.attempt, &*line.line.text)).collect();
    assert_eq!(places, [(0, 1, "a"), (1, 1, "b"), (2, 2, "c"), (3, 3, "d")]);
    let second = LogFilter { attempt: Some(2), ..LogFilter::default() };
    assert_eq!(numbers(&other, id(1), 1, &second), [2]);
}

#[test]
fn what_was_added_is_there_after_the_end() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    logs.append(id(1), 1, vec![info(1, "a")]).unwrap();
    drop(logs);
    let logs = RunLogs::open(dir.path()).unwrap();
    assert_eq!(numbers(&logs, id(1), 9, &LogFilter::default()), [0]);
}

#[test]
fn long_logs_are_read_in_pages() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    let text = "x".repeat(200);
    let levels = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn];
    for first in (0..5_000_u64).step_by(100) {
        let lines = (first..first + 100).map(|number| line(number, levels[(number % 3) as usize], &text));
        logs.append(id(1), 1, lines.collect()).unwrap();
    }
    let all: Vec<_> = (0..5_000).collect();
    for limit in [1_000, 999, 4_999, MAX_LOG_LINES] {
        assert_eq!(numbers(&logs, id(1), limit, &LogFilter::default()), all, "{limit}");
    }
    let warnings = LogFilter { level: Some(LogLevel::Warn), ..LogFilter::default() };
    assert_eq!(
        numbers(&logs, id(1), 7, &warnings),
        (0..5_000).filter(|number| number % 3 == 2).collect::<Vec<_>>()
    );
    let page = logs.read(id(1), 4_321, 2, &LogFilter::default()).unwrap();
    assert_eq!(page.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [4_321, 4_322]);
    assert_eq!((page.next, page.more), (4_323, true));
    assert_eq!(logs.read(id(1), 0, usize::MAX, &LogFilter::default()).unwrap().lines.len(), 5_000);
    // Of a million bytes a small part is stored.
    assert!(logs.size_bytes().unwrap() < 200_000, "{}", logs.size_bytes().unwrap());
}

#[test]
fn a_page_of_long_lines_is_short() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    let texts = ["\u{1}".repeat(50_000), "x".repeat(300_000)];
    for number in 0..20 {
        logs.append(id(1), 1, vec![info(number, &texts[usize::from(number >= 10)])]).unwrap();
    }
    let lines = |from| logs.read(id(1), from, MAX_LOG_LINES, &LogFilter::default()).unwrap().lines.len();
    // As JSON, a control character takes six bytes.
    assert_eq!((lines(0), lines(10)), (4, 4));
    assert_eq!(numbers(&logs, id(1), MAX_LOG_LINES, &LogFilter::default()), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_filter_finds_its_lines() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    let field = vec![("shard".to_owned(), "seven".to_owned())];
    let lines = vec![
        line(1, LogLevel::Debug, "begin"),
        LogLine { stream: LogStream::Stdout, ..info(2, "seven of nine") },
        LogLine { fields: field, ..line(3, LogLevel::Error, "broken") },
    ];
    logs.append(id(1), 1, lines).unwrap();
    let find = |filter: LogFilter| numbers(&logs, id(1), 9, &filter);
    let text = |text: &str| LogFilter { text: Some(text.into()), ..LogFilter::default() };
    assert_eq!(
        (find(text("seven")), find(text("shard")), find(text("Seven"))),
        (vec![1, 2], vec![2], vec![])
    );
    let stream = LogFilter { stream: Some(LogStream::Stdout), ..LogFilter::default() };
    let level = LogFilter { level: Some(LogLevel::Info), ..LogFilter::default() };
    assert_eq!((find(stream.clone()), find(level)), (vec![1], vec![1, 2]));
    assert_eq!(find(LogFilter { level: Some(LogLevel::Error), ..stream }), [0_u64; 0]);
}

#[test]
fn a_chunk_of_lower_levels_is_passed_over() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    for (number, level) in [(0, LogLevel::Debug), (1, LogLevel::Info), (2, LogLevel::Error)] {
        logs.append(id(1), 1, vec![line(number, level, "a")]).unwrap();
        logs.flush().unwrap();
    }
    let level = LogFilter { level: Some(LogLevel::Warn), ..LogFilter::default() };
    let page = logs.read(id(1), 0, 1, &level).unwrap();
    assert_eq!((page.lines[0].number, page.next, page.more), (2, 3, false));
}

#[test]
fn a_log_is_removed() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    for run in [1, 2] {
        logs.append(id(run), 1, vec![info(1, &"x".repeat(100_000))]).unwrap();
        logs.append(id(run), 1, vec![info(1, "not written yet")]).unwrap();
    }
    logs.remove(id(1)).unwrap();
    logs.remove(id(3)).unwrap();
    assert_eq!(numbers(&logs, id(1), 9, &LogFilter::default()), [0_u64; 0]);
    assert_eq!(numbers(&logs, id(2), 9, &LogFilter::default()), [0, 1]);
}

#[test]
fn old_lines_are_removed_and_the_others_keep_their_numbers() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    for number in 0..4 {
        logs.append(id(1), 1, vec![info(number * 10, "a"), info(number * 10 + 5, "b")]).unwrap();
        logs.flush().unwrap();
    }
    assert_eq!(logs.prune(at(15)).unwrap(), 1);
    assert_eq!(numbers(&logs, id(1), 1, &LogFilter::default()), [2, 3, 4, 5, 6, 7]);
    assert_eq!((logs.prune(at(1_000)).unwrap(), logs.prune(at(1_000)).unwrap()), (3, 0));
    assert_eq!(numbers(&logs, id(1), 1, &LogFilter::default()), [0_u64; 0]);
}

#[test]
fn a_damaged_chunk_is_reported() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    logs.append(id(1), 1, vec![info(1, "a")]).unwrap();
    logs.append(id(2), 1, vec![info(1, "b")]).unwrap();
    logs.flush().unwrap();
    let db = rusqlite::Connection::open(logs.path()).unwrap();
    db.execute_batch("UPDATE chunk SET length = 7 WHERE rowid = 1").unwrap();
    let error = logs.read(id(1), 0, 9, &LogFilter::default()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { run, problem: "its log" } if run == id(1)), "{error}");
    assert_eq!(numbers(&logs, id(2), 9, &LogFilter::default()), [0]);
}

#[test]
fn lines_that_cannot_be_written_are_reported_once() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    let db = rusqlite::Connection::open(logs.path()).unwrap();
    db.execute_batch("ALTER TABLE chunk RENAME TO away").unwrap();
    logs.append(id(1), 1, vec![info(1, "a")]).unwrap();
    let error = logs.flush().unwrap_err();
    assert!(matches!(error, JournalError::Medium { action: "write the log", .. }), "{error}");
    db.execute_batch("ALTER TABLE away RENAME TO chunk").unwrap();
    logs.append(id(1), 1, vec![info(2, "b")]).unwrap();
    assert_eq!(numbers(&logs, id(1), 9, &LogFilter::default()), [0]);
}

#[test]
fn logs_of_a_newer_version_are_refused() {
    let dir = directory();
    let path = RunLogs::open(dir.path()).unwrap().path().to_owned();
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    let error = RunLogs::open(dir.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenJournalError::Newer { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn damaged_logs_cost_no_run() {
    let dir = directory();
    std::fs::write(dir.path().join("logs-1.db"), vec![7; 5_000]).unwrap();
    let logs = RunLogs::open(dir.path()).unwrap();
    logs.flush().unwrap();
    logs.append(id(1), 1, vec![info(1, "hello")]).unwrap();
    let error = logs.flush().unwrap_err();
    assert!(matches!(error, JournalError::DamagedFile { action: "write the log", .. }), "{error}");
    logs.flush().unwrap();
    let error = logs.read(id(1), 0, 9, &LogFilter::default()).unwrap_err();
    assert!(matches!(error, JournalError::DamagedFile { action: "read the log", .. }), "{error}");
    // Nothing of the run depends on it.
    logs.remove(id(1)).unwrap();
    assert_eq!(logs.prune(at(9)).unwrap(), 0);
    let journal = open(&dir);
    journal.submit(at(1), &[spec(1)]).unwrap();
    add(&journal, 1, 2, [STARTED, completed(5)]).unwrap();
    drop(logs);
    std::fs::remove_file(dir.path().join("logs-1.db")).unwrap();
    let logs = RunLogs::open(dir.path()).unwrap();
    logs.append(id(1), 1, vec![info(1, "hello")]).unwrap();
    assert_eq!(logs.read(id(1), 0, 9, &LogFilter::default()).unwrap().lines.len(), 1);
}

#[test]
fn the_oldest_lines_go_until_the_rest_is_small_and_young_enough() {
    let dir = directory();
    let logs = RunLogs::open(dir.path()).unwrap();
    for run in 0..200 {
        // What compresses badly.
        let text = (0..4_000).map(|_| fastrand::alphanumeric()).collect::<String>();
        logs.append(id(run), 1, vec![info(1_000 + run, &text)]).unwrap();
        logs.flush().unwrap();
    }
    let full = logs.size_bytes().unwrap();
    assert!(full > 600_000, "{full}");
    let never = Retention { completed: None, failed: None, logs_age: None, logs_bytes: None };
    assert_eq!(logs.retain(&never, at(9_000)).unwrap(), 0);
    let half = Retention { logs_bytes: Some(full / 2), ..never.clone() };
    let removed = logs.retain(&half, at(9_000)).unwrap();
    assert!(logs.size_bytes().unwrap() <= full / 2 && (100..200).contains(&removed), "{removed}");
    let left = |run| logs.read(id(run), 0, 9, &LogFilter::default()).unwrap().lines.len();
    assert_eq!((left(removed - 1), left(removed)), (0, 1));
    let young = Retention { logs_age: Some(std::time::Duration::from_nanos(100)), ..never };
    assert_eq!(logs.retain(&young, at(1_290)).unwrap(), 190 - removed);
    assert_eq!((left(189), left(190)), (0, 1));
}
