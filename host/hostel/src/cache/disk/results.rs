//! The results in a directory, as one process has them open: the current index, its readers and its writer.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::blobs::Blobs;
use super::connection;
use super::layout::{Layout, Leftover};
use super::trouble::{Broken, Reported, Trouble};
use crate::data_dir::{COMPILED, RESULTS};

/// The maximum number of reader connections kept for reuse: as many as threads that read at the same time.
const IDLE_READERS: usize = 64;

/// How often an operation is retried with the index that has replaced an unusable one.
const TRIES: usize = 3;

/// A directory of results. Opens everything on first use.
pub(crate) struct Results {
    pub(super) layout: Layout,
    pub(super) blobs: Blobs,
    /// The compiled code beside them; only its leftovers are removed here.
    pub(super) compiled: PathBuf,
    /// The same.
    pub(super) data_dir: PathBuf,
    generation: Mutex<Generation>,
    readers: Mutex<Vec<Open>>,
    writer: Mutex<Option<Open>>,
    /// Which problems of reading and of writing were logged.
    pub(super) reported_reads: Reported,
    pub(super) reported_writes: Reported,
}

/// The current index.
#[derive(Default)]
struct Generation {
    /// `None` while no index was found.
    current: Option<u32>,
    /// The number of the next index, if none is found. It distinguishes holders of a removed index from holders of its
    /// successor.
    next: u32,
}

/// A connection to one generation of the index.
struct Open {
    generation: u32,
    connection: Connection,
}

impl Results {
    pub(crate) fn of_data_dir(data_dir: &Path) -> Self {
        let layout = Layout::new(data_dir.join(RESULTS));
        Self {
            blobs: Blobs::new(layout.blobs()),
            layout,
            compiled: data_dir.join(COMPILED),
            data_dir: data_dir.to_owned(),
            generation: Mutex::default(),
            readers: Mutex::default(),
            writer: Mutex::default(),
            reported_reads: Reported::default(),
            reported_writes: Reported::default(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.layout.dir()
    }

    /// Reads the index, with a connection of its own; `None` if there is no index.
    pub(super) fn read<T>(
        &self,
        ask: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Broken> {
        self.again(|| {
            let Some(generation) = self.generation()? else { return Ok(None) };
            let reader = self.reader(generation)?;
            let answer = ask(&reader.connection).map_err(Broken::from);
            // A read-only index is read as if no one writes. If someone does, it may look damaged.
            let is_unchanging = answer.is_err() && connection::is_read_only(&reader.connection);
            let answer = if is_unchanging {
                answer.map_err(|error| std::io::Error::other(error).into())
            } else {
                self.judged(generation, answer)
            }?;
            let mut readers = lock(&self.readers);
            if readers.len() < IDLE_READERS {
                readers.push(reader);
            }
            Ok(Some(answer))
        })
    }

    /// Changes the index in one transaction, which is repeated if another index has to replace this one. Creates the
    /// index if there is none. Waits for other writers, in this process and in others.
    pub(super) fn write<T>(
        &self,
        change: impl Fn(&Transaction<'_>) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        self.again(|| {
            let generation = self.generation_or_first()?;
            self.with_writer(generation, |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let changed = change(&transaction)?;
                transaction.commit()?;
                Ok(changed)
            })
        })
    }

    /// Makes sure that the next process that opens the index does not have to read a log longer than this.
    pub(super) fn shorten_log(&self, most_bytes: u64) {
        let Some(generation) = lock(&self.generation).current else { return };
        let log = self.layout.log(generation).metadata().map_or(0, |log| log.len());
        if log > most_bytes {
            // If others are using the index, one of them does it later.
            let _ = self.maintain(connection::shorten_log);
        }
    }

    /// Maintains the index outside a transaction; `None` if there is no index.
    pub(super) fn maintain<T>(
        &self,
        work: impl Fn(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Broken> {
        let Some(generation) = self.generation()? else { return Ok(None) };
        self.with_writer(generation, |connection| Ok(work(connection)?)).map(Some)
    }

    /// Whether there is an index.
    pub(super) fn exists(&self) -> Result<bool, Broken> {
        Ok(self.generation()?.is_some())
    }

    /// The files of replaced indexes, and of unfinished ones.
    pub(super) fn leftovers(&self) -> Result<Vec<Leftover>, Broken> {
        Ok(self.layout.leftovers(self.generation()?)?)
    }

    fn with_writer<T>(
        &self,
        generation: u32,
        work: impl FnOnce(&mut Connection) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let mut writer = lock(&self.writer);
        // The index may have been removed. Then another one is created, instead of writing to a file that no one reads.
        let is_usable = |open: &Open| open.generation == generation && self.layout.index(generation).exists();
        if !writer.as_ref().is_some_and(is_usable) {
            *writer = None;
            let connection = self.judged(generation, self.open(generation, connection::open_to_write))?;
            *writer = Some(Open { generation, connection });
        }
        let Some(open) = &mut *writer else {
            return Err(Broken::Index(rusqlite::Error::QueryReturnedNoRows));
        };
        let done = work(&mut open.connection);
        if done.is_err() {
            *writer = None;
        }
        drop(writer);
        self.judged(generation, done)
    }

    fn reader(&self, generation: u32) -> Result<Open, Broken> {
        loop {
            let Some(open) = lock(&self.readers).pop() else { break };
            if open.generation == generation {
                return Ok(open);
            }
        }
        let connection = self.judged(generation, self.open(generation, connection::open_to_read))?;
        Ok(Open { generation, connection })
    }

    fn open(
        &self,
        generation: u32,
        open: fn(&Path) -> rusqlite::Result<Connection>,
    ) -> Result<Connection, Broken> {
        let path = self.layout.index(generation);
        connection::check_files(&path)?;
        open(&path).map_err(|error| match Broken::from(error) {
            // SQLite does not say which of them.
            error if error.trouble() == Trouble::Gone && path.exists() => {
                std::io::Error::new(std::io::ErrorKind::PermissionDenied, error).into()
            }
            error => error,
        })
    }

    /// Retries an operation if another index has replaced the unusable one.
    fn again<T>(&self, work: impl Fn() -> Result<T, Broken>) -> Result<T, Broken> {
        for _ in 1..TRIES {
            match work() {
                Err(error) if [Trouble::Damaged, Trouble::Gone].contains(&error.trouble()) => {}
                done => return done,
            }
        }
        work()
    }

    /// If the error was caused by the index, makes sure that another one replaces it.
    fn judged<T>(&self, generation: u32, done: Result<T, Broken>) -> Result<T, Broken> {
        let Err(error) = &done else { return done };
        match error.trouble() {
            Trouble::Damaged => {
                if self.set_aside(generation)? && self.reported_reads.is_first(Trouble::Damaged) {
                    let path = self.layout.index(generation);
                    tracing::warn!(
                        "the index of cached results at {} is damaged ({error}); it is set aside, and a new one is created",
                        path.display()
                    );
                }
            }
            Trouble::Gone => {
                let mut known = lock(&self.generation);
                if known.current == Some(generation) {
                    *known = Generation { current: None, next: generation.saturating_add(1) };
                    lock(&self.readers).clear();
                }
            }
            Trouble::Denied | Trouble::Full | Trouble::Busy | Trouble::Failed => {}
        }
        done
    }

    /// Switches to the next generation, and creates it if needed. `false` if that was done before.
    fn set_aside(&self, damaged: u32) -> Result<bool, Broken> {
        let mut known = lock(&self.generation);
        if known.current != Some(damaged) {
            return Ok(false);
        }
        let next = damaged.saturating_add(1).max(self.layout.newest()?.unwrap_or_default());
        connection::create(&self.layout.index(next))?;
        known.current = Some(next);
        lock(&self.readers).clear();
        Ok(true)
    }

    fn generation(&self) -> Result<Option<u32>, Broken> {
        let mut known = lock(&self.generation);
        if known.current.is_none() {
            known.current = self.layout.newest()?;
        }
        Ok(known.current)
    }

    fn generation_or_first(&self) -> Result<u32, Broken> {
        if let Some(generation) = self.generation()? {
            return Ok(generation);
        }
        let mut known = lock(&self.generation);
        if let Some(generation) = known.current {
            return Ok(generation);
        }
        connection::create(&self.layout.index(known.next))?;
        known.current = Some(known.next);
        Ok(known.next)
    }
}

/// No code panics while it holds one of these locks, so a poisoned lock is still valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
