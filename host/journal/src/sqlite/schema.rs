//! The tables of the journal in SQLite, and how older ones become these.
//!
//! Times that only serve to order and to find are nanoseconds since 1970, those after the year 2262 as its last. A run's row
//! is what its events fold to, without anything that only its record needs.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use crate::error::OpenJournalError;
use crate::leftovers::UNFINISHED_COPY;

/// The version of the format that the file's name has. Versions of one format differ in ways that a newer one can undo.
pub(super) const FORMAT: i64 = 1;

/// The version of the tables.
pub(super) const TABLES_VERSION: i64 = 13;

/// What makes each version from the one before, the first from an empty file.
const STEPS: [&str; TABLES_VERSION as usize] = [
    V1,
    REGISTRY,
    super::schedules::TABLES,
    BEAT,
    DRAINER,
    HISTOGRAM,
    BATCH,
    SOLO,
    REFUSED,
    FUNCTION,
    super::tagged::TABLES,
    SCRIPT,
    TRUSTED,
];

/// The tables of the registry. Grants are the options of a task that has only grants.
const REGISTRY: &str = "
    CREATE TABLE component (
        digest BLOB PRIMARY KEY,
        size INTEGER NOT NULL, manifest BLOB NOT NULL, added INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE component_version (
        name TEXT NOT NULL, version TEXT NOT NULL,
        digest BLOB NOT NULL, grants BLOB NOT NULL,
        at INTEGER NOT NULL, by TEXT NOT NULL,
        accepted INTEGER, accepted_by TEXT, -- NULL and a time: it asked for nothing more
        PRIMARY KEY (name, version)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX component_version_digest ON component_version (digest);
";

/// When leases were last looked at.
const BEAT: &str = "ALTER TABLE counter ADD COLUMN beat INTEGER NOT NULL DEFAULT 0;";

/// The worker that claims no other run, to get one that executes alone.
const DRAINER: &str = "
    ALTER TABLE run ADD COLUMN drainer INTEGER;
    CREATE INDEX run_drainer ON run (drainer) WHERE drainer IS NOT NULL;
";

/// How many runs were submitted in each minute, by the states that they have now; and when old ones were last removed.
const HISTOGRAM: &str = "
    CREATE TABLE histogram (
        minute INTEGER NOT NULL, state INTEGER NOT NULL, runs INTEGER NOT NULL, PRIMARY KEY (minute, state)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO histogram SELECT created / 60000000000, state, count(*) FROM run GROUP BY 1, 2;
    ALTER TABLE counter ADD COLUMN upkeep INTEGER;
";

/// Actions on all runs that match a filter.
const BATCH: &str = "
    CREATE TABLE batch (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        action INTEGER NOT NULL, filter BLOB NOT NULL,
        before INTEGER NOT NULL, -- it goes on with runs below this number
        done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
        created INTEGER NOT NULL, finished INTEGER, stopped INTEGER NOT NULL DEFAULT 0
    ) STRICT;
";

/// Runs that crashed once do not execute alone any more.
const SOLO: &str = "UPDATE run SET ready = ready - 2, drainer = NULL WHERE ready >= 2 AND crashes < 2;";

/// The ids of the first runs that refused the action of a batch.
const REFUSED: &str = "ALTER TABLE batch ADD COLUMN refused BLOB NOT NULL DEFAULT x'';";

/// The function of a script that a run calls; not of runs that were stored before.
const FUNCTION: &str = "ALTER TABLE run ADD COLUMN function TEXT;";

/// The component that executes a script.
const SCRIPT: &str = "
    ALTER TABLE component ADD COLUMN runtime BLOB; -- NULL for a component
    CREATE INDEX component_runtime ON component (runtime) WHERE runtime IS NOT NULL;
";

/// Whether schedules whose runs have grants may use a version. Those that were registered before are what such schedules used.
const TRUSTED: &str = "ALTER TABLE component_version ADD COLUMN trusted INTEGER NOT NULL DEFAULT 1;";

const V1: &str = "
    CREATE TABLE counter (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        run INTEGER NOT NULL, event INTEGER NOT NULL, fence INTEGER NOT NULL, removed INTEGER NOT NULL,
        names INTEGER NOT NULL -- changes when a name or a spec was removed, so that what is remembered of them is forgotten
    ) STRICT;
    INSERT INTO counter VALUES (1, 0, 0, 0, 0, 0);

    CREATE TABLE tally (state INTEGER PRIMARY KEY, runs INTEGER NOT NULL) STRICT;

    CREATE TABLE task (
        id INTEGER PRIMARY KEY,
        component BLOB NOT NULL, interface TEXT NOT NULL, function TEXT NOT NULL, -- interface is empty for none
        UNIQUE (component, interface, function)
    ) STRICT;
    CREATE TABLE name (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (kind, name)) STRICT;
    CREATE TABLE spec (id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;

    CREATE TABLE run (
        seq INTEGER PRIMARY KEY,
        id BLOB NOT NULL,
        task INTEGER NOT NULL, spec INTEGER NOT NULL, queue INTEGER NOT NULL, priority INTEGER NOT NULL,
        state INTEGER NOT NULL, version INTEGER NOT NULL,
        due INTEGER NOT NULL, created INTEGER NOT NULL, started INTEGER, ended INTEGER,
        ready INTEGER, -- NULL: not to be claimed; 0: now; 1: when due; 2 and 3: the same for a run that executes alone
        attempts INTEGER NOT NULL, crashes INTEGER NOT NULL,
        attention INTEGER NOT NULL, seen INTEGER NOT NULL,
        worker INTEGER, fence INTEGER, lease INTEGER,
        event INTEGER NOT NULL, -- the last one
        gate INTEGER, -- one that keeps it back
        schedule INTEGER, dedup TEXT, name TEXT, tags TEXT, error TEXT,
        born BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX run_id ON run (id);
    CREATE INDEX run_due ON run (queue, ready, priority DESC, due, seq) WHERE ready IS NOT NULL AND gate IS NULL;
    CREATE INDEX run_gate ON run (gate, queue, ready, priority DESC, due, seq) WHERE gate IS NOT NULL AND ready IS NOT NULL;
    CREATE INDEX run_lease ON run (lease, seq) WHERE lease IS NOT NULL;
    CREATE INDEX run_ended ON run (ended, seq) WHERE ended IS NOT NULL;
    CREATE INDEX run_state ON run (state, seq);
    CREATE INDEX run_task ON run (task, seq);
    CREATE INDEX run_created ON run (created, seq);
    CREATE INDEX run_queue ON run (queue, seq);
    CREATE INDEX run_schedule ON run (schedule, seq) WHERE schedule IS NOT NULL;
    CREATE INDEX run_attention ON run (seq) WHERE attention = 1;
    CREATE UNIQUE INDEX run_dedup ON run (queue, dedup) WHERE dedup IS NOT NULL AND ended IS NULL;
    CREATE TABLE run_tag (tag INTEGER, run INTEGER, PRIMARY KEY (tag, run)) STRICT, WITHOUT ROWID;
    CREATE TABLE run_blob (run INTEGER, digest BLOB, PRIMARY KEY (run, digest)) STRICT, WITHOUT ROWID;
    CREATE INDEX run_blob_digest ON run_blob (digest);

    CREATE TABLE gate (
        id INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL, name INTEGER NOT NULL,
        max_running INTEGER, starts INTEGER, per INTEGER, even_at INTEGER NOT NULL DEFAULT 0,
        paused INTEGER NOT NULL DEFAULT 0, paused_until INTEGER, reason TEXT NOT NULL DEFAULT '',
        UNIQUE (kind, name)
    ) STRICT;
    CREATE TABLE slot (gate INTEGER, run INTEGER, PRIMARY KEY (gate, run)) STRICT, WITHOUT ROWID;
    CREATE INDEX slot_run ON slot (run);

    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        before INTEGER, -- the run's event before it; NULL for its birth
        version INTEGER NOT NULL, at INTEGER NOT NULL, state INTEGER NOT NULL, change INTEGER NOT NULL,
        body BLOB -- the fact; NULL for a birth
    ) STRICT;
";

/// The versions of a file: of its format, and of its tables. Zero for a new file.
pub(super) fn versions(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok((version / FORMAT_UNIT, version % FORMAT_UNIT))
}

/// `user_version` is the format times this, plus the version of the tables.
const FORMAT_UNIT: i64 = 1_000;

/// Brings a file to the newest version, with a copy of it first, unless it is new.
pub(super) fn upgrade(connection: &mut Connection, path: &Path) -> Result<(), OpenJournalError> {
    upgrade_by(connection, path, &STEPS)
}

fn upgrade_by(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), OpenJournalError> {
    let newest = steps.len() as i64;
    let failed = |source| OpenJournalError::sqlite(path, source);
    let (_, version) = versions(connection).map_err(failed)?;
    if version == newest {
        return Ok(());
    }
    if version > 0 {
        copy(connection, path, version)?;
    }
    apply(connection, steps).map_err(failed)
}

/// The name of the copy of a file from before an upgrade.
fn copy_path(path: &Path, version: i64) -> PathBuf {
    path.with_extension(format!("before-upgrade-from-{version}.db"))
}

/// Copies the whole file, if no earlier attempt at the upgrade did.
fn copy(connection: &Connection, path: &Path, version: i64) -> Result<(), OpenJournalError> {
    let copy = copy_path(path, version);
    let dir = path.parent().unwrap_or(path);
    let failed = |source| OpenJournalError::Io { path: copy.clone(), source };
    if copy.exists() {
        return Ok(());
    }
    // In a directory of its own, which only its owner can open, and then renamed: nobody sees half a copy.
    let unfinished = tempfile::Builder::new().prefix(UNFINISHED_COPY).tempdir_in(dir).map_err(failed)?;
    let target = unfinished.path().join("copy");
    connection
        .execute("VACUUM INTO ?", [target.to_string_lossy()])
        .map_err(|source| OpenJournalError::sqlite(&copy, source))?;
    crate::files::make_private(&target).map_err(failed)?;
    std::fs::rename(&target, &copy).map_err(failed)
}

/// Applies all steps that the file lacks, in one transaction. Another process may have done so in the meantime.
fn apply(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (_, version) = versions(&transaction)?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    for step in steps.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    let newest = FORMAT * FORMAT_UNIT + steps.len() as i64;
    transaction.pragma_update(None, "user_version", newest)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);";
    const SECOND: &str = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7;";
    const WRONG: &str = "INSERT INTO a VALUES (2, 2); INSERT INTO nowhere VALUES (1);";

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_file_is_upgraded_in_steps_with_a_copy_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal-1.db");
        let mut connection = Connection::open(&path).unwrap();
        upgrade_by(&mut connection, &path, &[FIRST]).unwrap();
        assert_eq!(versions(&connection).unwrap(), (FORMAT, 1));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        upgrade_by(&mut connection, &path, &[FIRST, SECOND]).unwrap();
        assert_eq!(versions(&connection).unwrap(), (FORMAT, 2));
        let y: i64 = connection.query_row("SELECT y FROM a", [], |row| row.get(0)).unwrap();
        let copy = Connection::open(copy_path(&path, 1)).unwrap();
        assert_eq!((y, rows(&copy), versions(&copy).unwrap()), (7, 1, (FORMAT, 1)));
        copy.query_row("SELECT y FROM a", [], |_| Ok(())).unwrap_err();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_upgrade_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal-1.db");
        let mut connection = Connection::open(&path).unwrap();
        upgrade_by(&mut connection, &path, &[FIRST]).unwrap();
        upgrade_by(&mut connection, &path, &[FIRST, SECOND, WRONG]).unwrap_err();
        assert_eq!((versions(&connection).unwrap(), rows(&connection)), ((FORMAT, 1), 1));
        connection.query_row("SELECT y FROM a", [], |_| Ok(())).unwrap_err();
    }

    #[test]
    fn runs_that_crashed_once_execute_beside_others_after_an_upgrade() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &STEPS[..7]).unwrap();
        for (seq, crashes, ready) in [(1, 0, 0), (2, 1, 2), (3, 1, 3), (4, 2, 3)] {
            let insert = "INSERT INTO run (seq, id, task, spec, queue, priority, state, version, due, created, ready, attempts, crashes, \
                          attention, seen, event, born, drainer) VALUES (?1, CAST(?1 AS BLOB), 1, 1, 1, 0, 0, 1, 1, 1, ?3, 0, ?2, 0, 0, 1, x'', 9)";
            connection.execute(insert, [seq, crashes, ready]).unwrap();
        }
        apply(&mut connection, &STEPS).unwrap();
        let mut query = connection.prepare("SELECT ready, drainer FROM run ORDER BY seq").unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let rows: Vec<(i64, Option<i64>)> = rows.collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, [(0, Some(9)), (0, None), (1, None), (3, Some(9))]);
    }

    #[test]
    fn runs_of_older_files_are_counted_by_tag() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &STEPS[..9]).unwrap();
        for (seq, state) in [(1, 2), (2, 7), (3, 7)] {
            let insert = "INSERT INTO run (seq, id, task, spec, queue, priority, state, version, due, created, attempts, crashes, \
                          attention, seen, event, born) VALUES (?1, CAST(?1 AS BLOB), 1, 1, 1, 0, ?2, 1, 1, 1, 0, 0, 0, 0, 1, x'')";
            connection.execute(insert, [seq, state]).unwrap();
            connection.execute("INSERT INTO run_tag (tag, run) VALUES (?1 % 2, ?1), (5, ?1)", [seq]).unwrap();
        }
        apply(&mut connection, &STEPS).unwrap();
        let mut query = connection.prepare("SELECT tag, state, runs FROM tag_tally ORDER BY 1, 2").unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let rows: Vec<(i64, i64, i64)> = rows.collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, [(0, 7, 1), (1, 2, 1), (1, 7, 1), (5, 2, 1), (5, 7, 2)]);
        let gaps: i64 = connection.query_row("SELECT count(*) FROM tag_gap", [], |row| row.get(0)).unwrap();
        assert_eq!(gaps, 3);
    }
}
