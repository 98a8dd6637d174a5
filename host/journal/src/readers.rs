//! Connections for reading: a few, which are used again.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::connection::{ReadAs, open_to_read};
use crate::error::Fault;

/// The most connections that wait for the next reader.
const MAX_IDLE: usize = 8;

/// A connection with what it remembers.
struct Reader<M> {
    db: Connection,
    memory: M,
}

/// The readers of a file, each of which remembers something. As many read at once as want to.
pub(crate) struct Readers<M> {
    path: PathBuf,
    read_as: ReadAs,
    idle: Mutex<Vec<Reader<M>>>,
}

impl<M: Default> Readers<M> {
    pub(crate) fn new(path: PathBuf, read_as: ReadAs) -> Self {
        Self { path, read_as, idle: Mutex::default() }
    }

    /// Reads in one transaction, which sees one state of the file. Should be short: the log cannot be cut meanwhile.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &mut M) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut reader = self.take()?;
        let transaction = reader.db.unchecked_transaction()?;
        let answer = read(&transaction, &mut reader.memory);
        transaction.finish()?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(reader);
        }
        answer
    }

    fn take(&self) -> rusqlite::Result<Reader<M>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(reader) => Ok(reader),
            None => Ok(Reader { db: open_to_read(&self.path, self.read_as)?, memory: M::default() }),
        }
    }
}
