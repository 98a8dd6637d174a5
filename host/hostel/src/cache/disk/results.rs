//! The results in a directory, as one process has them open: which index counts, and who reads and writes it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::blobs::Blobs;
use super::connection;
use super::place::{Leftover, Place};
use super::trouble::{Broken, Told, Trouble};
use crate::data_dir::{COMPILED, RESULTS};

/// How many readers' connections are kept for the next who reads: as many as threads that look at the same time, and no
/// more than this.
const IDLE_READERS: usize = 64;

/// How often something is tried again, with the index that has taken the place of the one that could not be used.
const TRIES: usize = 3;

/// A directory of results. Opens what it needs when it is needed.
pub(crate) struct Results {
    pub(super) place: Place,
    pub(super) blobs: Blobs,
    /// The compiled code beside them, of which only leftovers are removed here.
    pub(super) compiled: PathBuf,
    generation: Mutex<Generation>,
    readers: Mutex<Vec<Open>>,
    writer: Mutex<Option<Open>>,
    /// What was told of the directory, and of not being able to put anything there.
    pub(super) told: Told,
    pub(super) told_of_puts: Told,
}

/// Which index counts.
#[derive(Default)]
struct Generation {
    /// `None` while none was found.
    current: Option<u32>,
    /// The number of the next one, if none is found: those who hold one that is gone are told from those who hold it.
    next: u32,
}

/// A connection to one generation of the index.
struct Open {
    generation: u32,
    connection: Connection,
}

impl Results {
    pub(crate) fn of_data_dir(data_dir: &Path) -> Self {
        let place = Place::new(data_dir.join(RESULTS));
        Self {
            blobs: Blobs::new(place.blobs()),
            place,
            compiled: data_dir.join(COMPILED),
            generation: Mutex::default(),
            readers: Mutex::default(),
            writer: Mutex::default(),
            told: Told::default(),
            told_of_puts: Told::default(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.place.dir()
    }

    /// Asks the index, with a connection that nobody else uses meanwhile; `None` if there is no index.
    pub(super) fn read<T>(
        &self,
        ask: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Broken> {
        self.again(|| {
            let Some(generation) = self.generation()? else { return Ok(None) };
            let reader = self.reader(generation)?;
            let answer = ask(&reader.connection).map_err(Broken::from);
            // What cannot be written is read as if nobody else wrote; where somebody does, it may seem to be damaged.
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

    /// Changes the index in one transaction, which is begun anew if another index has to take its place; makes the index
    /// if there is none. Waits for other writers, in this process and in others.
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

    /// Sees to it that nobody who opens the index next has a log to read that is longer than this.
    pub(super) fn shorten_log(&self, most_bytes: u64) {
        let Some(generation) = lock(&self.generation).current else { return };
        let log = self.place.log(generation).metadata().map_or(0, |log| log.len());
        if log > most_bytes {
            // Whoever is at work meanwhile does it later.
            let _ = self.maintain(connection::shorten_log);
        }
    }

    /// Looks after the index outside of a transaction; `None` if there is no index.
    pub(super) fn maintain<T>(
        &self,
        work: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Broken> {
        let Some(generation) = self.generation()? else { return Ok(None) };
        self.with_writer(generation, |connection| Ok(work(connection)?)).map(Some)
    }

    /// Whether there is an index.
    pub(super) fn exists(&self) -> Result<bool, Broken> {
        Ok(self.generation()?.is_some())
    }

    /// The files of indexes that another one has taken the place of, or that never got their names.
    pub(super) fn leftovers(&self) -> Result<Vec<Leftover>, Broken> {
        Ok(self.place.leftovers(self.generation()?)?)
    }

    fn with_writer<T>(
        &self,
        generation: u32,
        work: impl FnOnce(&mut Connection) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let mut writer = lock(&self.writer);
        // Someone may have removed it: then another one is begun, instead of writing to where nobody reads.
        let is_usable = |open: &Open| open.generation == generation && self.place.index(generation).exists();
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
        let path = self.place.index(generation);
        connection::check_files(&path)?;
        open(&path).map_err(|error| match Broken::from(error) {
            // SQLite does not say which it was.
            error if error.trouble() == Trouble::Gone && path.exists() => {
                std::io::Error::new(std::io::ErrorKind::PermissionDenied, error).into()
            }
            error => error,
        })
    }

    /// Tries something again if another index has taken the place of the one that could not be used.
    fn again<T>(&self, work: impl Fn() -> Result<T, Broken>) -> Result<T, Broken> {
        for _ in 1..TRIES {
            match work() {
                Err(error) if [Trouble::Damaged, Trouble::Gone].contains(&error.trouble()) => {}
                done => return done,
            }
        }
        work()
    }

    /// If something went wrong because of the index, sees to it that another one takes its place.
    fn judged<T>(&self, generation: u32, done: Result<T, Broken>) -> Result<T, Broken> {
        let Err(error) = &done else { return done };
        match error.trouble() {
            Trouble::Damaged => {
                if self.set_aside(generation)? && self.told.is_first(Trouble::Damaged) {
                    let path = self.place.index(generation);
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

    /// Takes the next generation, and begins it if nobody has. `false` if that was done before.
    fn set_aside(&self, damaged: u32) -> Result<bool, Broken> {
        let mut known = lock(&self.generation);
        if known.current != Some(damaged) {
            return Ok(false);
        }
        let next = damaged.saturating_add(1).max(self.place.newest()?.unwrap_or_default());
        connection::create(&self.place.index(next))?;
        known.current = Some(next);
        lock(&self.readers).clear();
        Ok(true)
    }

    fn generation(&self) -> Result<Option<u32>, Broken> {
        let mut known = lock(&self.generation);
        if known.current.is_none() {
            known.current = self.place.newest()?;
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
        connection::create(&self.place.index(known.next))?;
        known.current = Some(known.next);
        Ok(known.next)
    }
}

/// Nothing panics while it holds one of these locks, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
