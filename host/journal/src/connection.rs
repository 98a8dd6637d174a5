//! Connections to a journal: for the writer, for readers, and for the number of changes.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How often a process tries to get the lock that another one has. With [`WAIT`] between, that is about ten seconds.
const MAX_WAITS: i32 = 5_000;

/// The pause between two attempts. Short, because SQLite gives the lock to the first process that asks, not to the one that has waited longest.
const WAIT: Duration = Duration::from_millis(2);

/// The pages of the log, of 4 KiB, at which they are copied to the database.
const LOG_PAGES: i64 = 4_000;

/// The size to which the log is cut when it begins anew.
const LOG_BYTES: i64 = 64 << 20;

/// The writer's page cache in KiB.
const WRITERS_CACHE_KIB: i64 = 64 << 10;

/// A reader's page cache in KiB.
const READERS_CACHE_KIB: i64 = 8 << 10;

/// The number of prepared statements of a connection: more than there are texts of statements in common use.
const STATEMENTS: usize = 128;

/// How often a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// At every commit: a power cut loses nothing.
    Full,
    /// At checkpoints: a power cut may cost the last commits, and the crash of a process nothing.
    Normal,
}

/// What becomes of the space of what is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FreeSpace {
    /// It is used again.
    Reused,
    /// It can be returned to the system.
    Returned,
}

/// Waits a little for the lock of another process.
fn wait(count: i32) -> bool {
    std::thread::sleep(WAIT);
    count < MAX_WAITS
}

fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_handler(Some(wait))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Opens a file for writing.
pub(crate) fn open_to_write(
    path: &Path,
    durability: Durability,
    space: FreeSpace,
) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    if space == FreeSpace::Returned {
        // Only a file without tables takes it.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    debug_assert_eq!(mode, "wal");
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -WRITERS_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// How a file is opened for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAs {
    /// Beside writers. Readers of a log in WAL mode write to its shared memory, so that the file is not opened read-only.
    Shared,
    /// By a process that cannot write to it, with the shared memory that is there.
    ReadOnly,
    /// The same, without shared memory: nobody has the file open for writing.
    Alone,
}

impl ReadAs {
    /// For a process that cannot write to a file or to its directory.
    pub(crate) fn without_writing(path: &Path) -> rusqlite::Result<Self> {
        match open_to_read(path, Self::ReadOnly).and_then(|db| look(&db)) {
            Ok(()) => Ok(Self::ReadOnly),
            // What is in the log is not in the file yet.
            Err(error) if has_log(path) => Err(error),
            Err(_) => open_to_read(path, Self::Alone).and_then(|db| look(&db)).map(|()| Self::Alone),
        }
    }
}

/// Reads something.
fn look(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// The address of a file for SQLite, with a parameter.
fn address(path: &Path, parameter: &str) -> String {
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                address.push(char::from(*byte))
            }
            _ => address.push_str(&format!("%{byte:02x}")),
        }
    }
    format!("{address}?{parameter}")
}

/// Opens a file for reading.
pub(crate) fn open_to_read(path: &Path, read_as: ReadAs) -> rusqlite::Result<Connection> {
    let connection = match read_as {
        ReadAs::Shared => open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        ReadAs::ReadOnly => open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        ReadAs::Alone => open(
            Path::new(&address(path, "immutable=1")),
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        )?,
    };
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READERS_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}
