//! The thread that writes logs: it collects lines of each run, and writes them in chunks.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hostel_core::journal::JournalError;
use hostel_core::{LogLine, RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::line;
use crate::error::medium;

/// A chunk is written when it has so many bytes. A longer line has a chunk of its own.
const CHUNK_BYTES: usize = 64 << 10;

/// A chunk is written so long after its first line came.
const CHUNK_TIME: Duration = Duration::from_millis(250);

/// All chunks are written when they have so many bytes together.
const MAX_BYTES: usize = 8 << 20;

/// The most messages that wait for the thread. Those who bring more wait.
const MAX_WAITING: usize = 1_024;

/// The pages that are returned to the system after something was removed.
const FREED_PAGES: i64 = 2_000;

/// The writer of the logs in this process. Dropping it writes what it has.
pub(super) struct Writer {
    messages: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
}

type Answer<T> = SyncSender<Result<T, JournalError>>;

enum Message {
    Append {
        run: RunId,
        attempt: u32,
        lines: Vec<LogLine>,
    },
    /// The whole logs of runs, unless they have one.
    Store(Vec<(RunId, Vec<LogLine>)>, Answer<()>),
    Flush(Answer<()>),
    Remove(RunId, Answer<()>),
    /// Those that ended before this, at most so many.
    Prune(Timestamp, u32, Answer<u64>),
}

impl Writer {
    pub(super) fn start(db: Connection) -> std::io::Result<Self> {
        let (messages, received) = mpsc::sync_channel(MAX_WAITING);
        let mut collector = Collector { db, chunks: HashMap::new(), bytes: 0, lost: None };
        let thread =
            thread::Builder::new().name("hostel-logs".into()).spawn(move || collector.serve(&received))?;
        Ok(Self { messages: Some(messages), thread: Some(thread) })
    }

    pub(super) fn append(&self, run: RunId, attempt: u32, lines: Vec<LogLine>) -> Result<(), JournalError> {
        self.send(Message::Append { run, attempt, lines })
    }

    pub(super) fn store(&self, logs: Vec<(RunId, Vec<LogLine>)>) -> Result<(), JournalError> {
        self.ask(|answer| Message::Store(logs, answer))
    }

    pub(super) fn flush(&self) -> Result<(), JournalError> {
        self.ask(Message::Flush)
    }

    pub(super) fn remove(&self, run: RunId) -> Result<(), JournalError> {
        self.ask(|answer| Message::Remove(run, answer))
    }

    pub(super) fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, JournalError> {
        self.ask(|answer| Message::Prune(before, limit, answer))
    }

    fn send(&self, message: Message) -> Result<(), JournalError> {
        self.messages.as_ref().ok_or_else(ended)?.send(message).map_err(|_| ended())
    }

    fn ask<T>(&self, message: impl FnOnce(Answer<T>) -> Message) -> Result<T, JournalError> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.send(message(answer))?;
        answered.recv().map_err(|_| ended())?
    }
}

fn ended() -> JournalError {
    medium("write the log", "its writer has ended")
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.messages.take());
        if let Some(thread) = self.thread.take() {
            // It has panicked: its callers know that already.
            let _ = thread.join();
        }
    }
}

/// Lines that are not written yet.
struct Chunk {
    since: Instant,
    bytes: Vec<u8>,
    lines: i64,
    began: Timestamp,
    ended: Timestamp,
    level: i64,
}

impl Chunk {
    /// A chunk without lines, before this one is added.
    fn beginning_with(line: &LogLine) -> Self {
        let level = line::level_code(line.level);
        Self { since: Instant::now(), bytes: Vec::new(), lines: 0, began: line.at, ended: line.at, level }
    }

    /// Adds a line, and returns its bytes.
    fn add(&mut self, line: &LogLine) -> usize {
        let before = self.bytes.len();
        line::write(&mut self.bytes, line);
        self.lines += 1;
        self.began = self.began.min(line.at);
        self.ended = self.ended.max(line.at);
        self.level = self.level.max(line::level_code(line.level));
        self.bytes.len() - before
    }
}

/// What the thread has.
struct Collector {
    db: Connection,
    chunks: HashMap<(RunId, u32), Chunk>,
    bytes: usize,
    /// Why lines were lost, until the error is returned.
    lost: Option<rusqlite::Error>,
}

impl Collector {
    fn serve(&mut self, messages: &Receiver<Message>) {
        loop {
            let message = match self.next_due() {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.write_all(),
            }
            if self.bytes >= MAX_BYTES || self.next_due().is_some_and(|due| due <= Instant::now()) {
                self.write_all();
            }
        }
    }

    /// When the first chunk has waited for long enough.
    fn next_due(&self) -> Option<Instant> {
        self.chunks.values().map(|chunk| chunk.since + CHUNK_TIME).min()
    }

    fn take(&mut self, message: Message) {
        // Nobody waits for an answer any more: that changes nothing.
        match message {
            Message::Append { run, attempt, lines } => self.collect(run, attempt, &lines),
            Message::Store(logs, answer) => {
                self.write_all();
                let store_all =
                    |db: &Transaction<'_>| logs.iter().try_for_each(|(run, lines)| store(db, *run, lines));
                let _ = answer.send(self.changed(store_all));
            }
            Message::Flush(answer) => {
                self.write_all();
                let lost = self.lost.take().map(|error| medium("write the log", error));
                let _ = answer.send(lost.map_or(Ok(()), Err));
            }
            Message::Remove(run, answer) => {
                self.chunks.retain(|(of, _), _| *of != run);
                let _ = answer.send(self.changed(|db| remove(db, run)));
            }
            Message::Prune(before, limit, answer) => {
                let _ = answer.send(self.changed(|db| prune(db, before, limit)));
            }
        }
    }

    fn changed<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let answer = in_transaction(&mut self.db, change);
        // Space that is not returned now is returned later.
        let _ = self.db.execute_batch(&format!("PRAGMA incremental_vacuum({FREED_PAGES})"));
        answer.map_err(|error| medium("write the log", error))
    }

    fn collect(&mut self, run: RunId, attempt: u32, lines: &[LogLine]) {
        for one in lines {
            let chunk = self.chunks.entry((run, attempt)).or_insert_with(|| Chunk::beginning_with(one));
            self.bytes += chunk.add(one);
            if chunk.bytes.len() >= CHUNK_BYTES {
                // All of the run, so that lines of one attempt never come before those of the attempt before it.
                self.write_all();
            }
        }
    }

    /// Writes all chunks in one transaction. If that fails they are lost: a full disk must not fill the memory, too.
    fn write_all(&mut self) {
        let mut chunks: Vec<_> = self.chunks.drain().collect();
        self.bytes = 0;
        if chunks.is_empty() {
            return;
        }
        chunks.sort_unstable_by_key(|((run, attempt), chunk)| (*run, *attempt, chunk.since));
        let written = in_transaction(&mut self.db, |db| {
            chunks.iter().try_for_each(|((run, attempt), chunk)| write(db, *run, *attempt, chunk))
        });
        self.lost = written.err().or(self.lost.take());
    }
}

fn in_transaction<T>(
    db: &mut Connection,
    change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answer = change(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}

/// Writes a whole log, unless the run has one: another process may have stored the same.
fn store(db: &Connection, run: RunId, lines: &[LogLine]) -> rusqlite::Result<()> {
    let mut find = db.prepare_cached("SELECT 1 FROM run WHERE run = ?")?;
    if find.exists([run.as_bytes()])? {
        return Ok(());
    }
    let mut rest = lines.iter().peekable();
    while let Some(first) = rest.peek() {
        let mut chunk = Chunk::beginning_with(first);
        while let Some(line) = rest.next_if(|_| chunk.bytes.len() < CHUNK_BYTES) {
            chunk.add(line);
        }
        write(db, run, 1, &chunk)?;
    }
    Ok(())
}

fn write(db: &Connection, run: RunId, attempt: u32, chunk: &Chunk) -> rusqlite::Result<()> {
    let mut number = db.prepare_cached(
        "INSERT INTO run (run, lines) VALUES (?1, ?2) ON CONFLICT (run) DO UPDATE SET lines = lines + ?2 RETURNING id, lines",
    )?;
    let (id, lines): (i64, i64) =
        number.query_row(params![run.as_bytes(), chunk.lines], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut insert = db.prepare_cached(
        "INSERT INTO chunk (run, first, lines, attempt, began, ended, level, length, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    insert.execute(params![
        id,
        lines - chunk.lines,
        chunk.lines,
        attempt,
        chunk.began.unix_nanos().cast_signed(),
        sortable(chunk.ended),
        chunk.level,
        chunk.bytes.len() as i64,
        line::compress(&chunk.bytes),
    ])?;
    Ok(())
}

fn sortable(time: Timestamp) -> i64 {
    i64::try_from(time.unix_nanos()).unwrap_or(i64::MAX)
}

fn remove(db: &Connection, run: RunId) -> rusqlite::Result<()> {
    let mut find = db.prepare_cached("SELECT id FROM run WHERE run = ?")?;
    if let Some(id) = find.query_row([run.as_bytes()], |row| row.get::<_, i64>(0)).optional()? {
        db.prepare_cached("DELETE FROM chunk WHERE run = ?")?.execute([id])?;
        db.prepare_cached("DELETE FROM run WHERE id = ?")?.execute([id])?;
    }
    Ok(())
}

/// The numbers of the lines that stay do not change.
fn prune(db: &Connection, before: Timestamp, limit: u32) -> rusqlite::Result<u64> {
    let mut old = db.prepare_cached("SELECT rowid, run FROM chunk WHERE ended < ? ORDER BY ended LIMIT ?")?;
    let old: Vec<(i64, i64)> = old
        .query_map([sortable(before), limit.into()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (chunk, run) in &old {
        db.prepare_cached("DELETE FROM chunk WHERE rowid = ?")?.execute([chunk])?;
        let mut forget = db.prepare_cached(
            "DELETE FROM run WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM chunk WHERE run = ?1)",
        )?;
        forget.execute([run])?;
    }
    Ok(old.len() as u64)
}
