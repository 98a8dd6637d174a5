//! The logs of runs that ended outside a worker, on their way into the store of logs: beside their records in the same files.

use std::collections::VecDeque;
use std::path::Path;

use hostel_core::{LogLevel, LogLine, LogStream, RunId};

use crate::logs::{RunLogs, line};

/// The most bytes of one run's log that are recorded: its last lines.
const MAX_BYTES: usize = 256 << 10;

/// The first byte of a log in a file, where a record has its version. Earlier versions take it for that of a newer one, and leave the
/// file to it.
const MARK: u8 = 0xfe;

/// The bytes before the lines: the mark and the id.
const HEAD_BYTES: usize = 1 + size_of::<[u8; 16]>();

/// The log of a run.
#[derive(Debug, PartialEq)]
pub(crate) struct RecordedLog {
    pub(crate) run: RunId,
    pub(crate) lines: Vec<LogLine>,
}

/// A log as it is in a file; `None` if it has no lines.
pub(crate) fn encode(run: RunId, lines: &[LogLine]) -> Option<Vec<u8>> {
    let mut last = VecDeque::new();
    let mut bytes = 0;
    for one in lines.iter().rev() {
        let mut encoded = Vec::new();
        line::write(&mut encoded, one);
        bytes += encoded.len();
        if bytes > MAX_BYTES {
            break;
        }
        last.push_front(encoded);
    }
    let first = lines.first()?;
    let mut out = vec![MARK];
    out.extend(run.as_bytes());
    let left_out = lines.len() - last.len();
    if left_out > 0 {
        let text = format!("{left_out} earlier lines are not recorded");
        let (stream, level) = (LogStream::Host, LogLevel::Info);
        line::write(&mut out, &LogLine { at: first.at, stream, level, text, fields: Vec::new() });
    }
    last.iter().for_each(|encoded| out.extend(encoded));
    Some(out)
}

/// Whether something in a file is a log.
pub(crate) fn is_log(bytes: &[u8]) -> bool {
    bytes.first() == Some(&MARK)
}

/// The log that [`encode`] wrote; `None` for other bytes.
pub(crate) fn decode(bytes: &[u8]) -> Option<RecordedLog> {
    let (head, lines) = bytes.split_at_checked(HEAD_BYTES)?;
    let id = head.split_first().filter(|(mark, _)| **mark == MARK)?.1;
    Some(RecordedLog { run: RunId::from_bytes(id.try_into().ok()?), lines: line::read_all(lines)? })
}

/// Stores logs, unless that was done before. What cannot be stored is lost: a log is not worth more than its run.
pub(crate) fn store(data_dir: &Path, recorded: Vec<RecordedLog>) {
    if recorded.is_empty() {
        return;
    }
    let Ok(logs) = RunLogs::open(data_dir) else { return };
    let _ = logs.store(recorded.into_iter().map(|log| (log.run, log.lines)).collect());
}

#[cfg(test)]
mod tests {
    use hostel_core::Timestamp;

    use super::*;

    fn lines(count: usize, length: usize) -> Vec<LogLine> {
        let one = |number: usize| LogLine {
            at: Timestamp::from_unix_nanos(number as u64),
            stream: LogStream::Stdout,
            level: LogLevel::Info,
            text: "x".repeat(length),
            fields: vec![("n".into(), number.to_string())],
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn a_log_comes_back_as_it_was() {
        let run = RunId::from_bytes([7; 16]);
        assert_eq!(encode(run, &[]), None);
        let lines = lines(3, 5);
        let bytes = encode(run, &lines).unwrap();
        assert!(is_log(&bytes));
        assert_eq!(decode(&bytes), Some(RecordedLog { run, lines }));
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&bytes[..9]), None);
        assert_eq!(decode(b""), None);
    }

    #[test]
    fn a_log_is_stored_once_whoever_gathers_it() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunId::from_bytes([7; 16]);
        let long = lines(300, 1_000);
        let stored = || store(dir.path(), vec![RecordedLog { run, lines: long.clone() }]);
        // Each call opens the logs anew, as each process does.
        std::thread::scope(|scope| {
            for thread in [scope.spawn(stored), scope.spawn(stored)] {
                thread.join().unwrap();
            }
        });
        stored();
        let logs = RunLogs::open(dir.path()).unwrap();
        let page = logs.read(run, 0, 1_000, &crate::logs::LogFilter::default()).unwrap();
        let texts: Vec<_> = page.lines.iter().map(|line| &line.line.fields).collect();
        assert_eq!(texts, long.iter().map(|line| &line.fields).collect::<Vec<_>>());
    }

    #[test]
    fn of_a_long_log_the_end_is_recorded() {
        let run = RunId::from_bytes([7; 16]);
        let all = lines(300, 1_000);
        let bytes = encode(run, &all).unwrap();
        assert!(bytes.len() < MAX_BYTES + 200, "{}", bytes.len());
        let found = decode(&bytes).unwrap().lines;
        let left_out = all.len() - (found.len() - 1);
        assert_eq!(found[0].text, format!("{left_out} earlier lines are not recorded"));
        assert_eq!(found[1..], all[left_out..]);
    }
}
