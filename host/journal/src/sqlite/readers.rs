//! Connections for reading: a few, which are used again.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::connection::open_to_read;
use super::error::Fault;
use super::names::Names;

/// The most connections that wait for the next reader.
const MAX_IDLE: usize = 8;

/// A connection with what it remembers.
struct Reader {
    db: Connection,
    names: Names,
}

/// The readers of a journal. As many read at once as want to.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    /// Reads in one transaction, which sees one state of the journal. Should be short: the log cannot be cut meanwhile.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &mut Names) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut reader = self.take()?;
        let transaction = reader.db.unchecked_transaction()?;
        let answer = read(&transaction, &mut reader.names);
        transaction.finish()?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(reader);
        }
        answer
    }

    fn take(&self) -> rusqlite::Result<Reader> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(reader) => Ok(reader),
            None => Ok(Reader { db: open_to_read(&self.path)?, names: Names::default() }),
        }
    }
}
