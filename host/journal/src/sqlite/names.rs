//! Texts, tasks and options that many runs share: stored once, and remembered by their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use hostel_core::{Digest, ExportPath, TaskKey, TaskSpec};
use rusqlite::{Connection, OptionalExtension, params};

/// The most entries that are remembered of each kind; then they are forgotten, and read again.
const MAX_REMEMBERED: usize = 4_096;

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Queue = 0,
    Tag = 1,
    Worker = 2,
    Schedule = 3,
}

/// What a connection remembers. Everything in it is committed, or is written by the transaction that executes; if that
/// is rolled back, all is forgotten.
#[derive(Default)]
pub(super) struct Names {
    ids: HashMap<(Kind, Arc<str>), i64>,
    names: HashMap<i64, Arc<str>>,
    task_ids: HashMap<TaskKey, i64>,
    tasks: HashMap<i64, TaskKey>,
    spec_ids: HashMap<Digest, i64>,
    specs: HashMap<i64, Arc<TaskSpec>>,
    /// The number of removals of which it knows.
    removals: i64,
}

impl Names {
    pub(super) fn forget(&mut self) {
        *self = Self { removals: self.removals, ..Self::default() };
    }

    /// Forgets all if something was removed.
    pub(super) fn forget_after(&mut self, removals: i64) {
        if self.removals != removals {
            *self = Self { removals, ..Self::default() };
        }
    }

    /// The number of a name, if it has one.
    pub(super) fn find(&mut self, db: &Connection, kind: Kind, name: &str) -> rusqlite::Result<Option<i64>> {
        let key = (kind, Arc::from(name));
        if let Some(id) = self.ids.get(&key) {
            return Ok(Some(*id));
        }
        let mut query = db.prepare_cached("SELECT id FROM name WHERE kind = ? AND name = ?")?;
        let id = query.query_row(params![kind as i64, name], |row| row.get(0)).optional()?;
        if let Some(id) = id {
            remember(&mut self.ids, key, id);
        }
        Ok(id)
    }

    /// The number of a name, which is stored if it is new.
    pub(super) fn id(&mut self, db: &Connection, kind: Kind, name: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.find(db, kind, name)? {
            return Ok(id);
        }
        db.prepare_cached("INSERT INTO name (kind, name) VALUES (?, ?)")?
            .execute(params![kind as i64, name])?;
        let id = db.last_insert_rowid();
        remember(&mut self.ids, (kind, Arc::from(name)), id);
        Ok(id)
    }

    /// The name with a number.
    pub(super) fn name(&mut self, db: &Connection, id: i64) -> rusqlite::Result<Arc<str>> {
        if let Some(name) = self.names.get(&id) {
            return Ok(Arc::clone(name));
        }
        let mut query = db.prepare_cached("SELECT name FROM name WHERE id = ?")?;
        let name: Arc<str> = query.query_row([id], |row| row.get(0))?;
        remember(&mut self.names, id, Arc::clone(&name));
        Ok(name)
    }

    pub(super) fn find_task(&mut self, db: &Connection, task: &TaskKey) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.task_ids.get(task) {
            return Ok(Some(*id));
        }
        let mut query =
            db.prepare_cached("SELECT id FROM task WHERE component = ? AND interface = ? AND function = ?")?;
        let id = query.query_row(task_params(task), |row| row.get(0)).optional()?;
        if let Some(id) = id {
            remember(&mut self.task_ids, task.clone(), id);
        }
        Ok(id)
    }

    pub(super) fn task_id(&mut self, db: &Connection, task: &TaskKey) -> rusqlite::Result<i64> {
        if let Some(id) = self.find_task(db, task)? {
            return Ok(id);
        }
        db.prepare_cached("INSERT INTO task (component, interface, function) VALUES (?, ?, ?)")?
            .execute(task_params(task))?;
        let id = db.last_insert_rowid();
        remember(&mut self.task_ids, task.clone(), id);
        Ok(id)
    }

    pub(super) fn task(&mut self, db: &Connection, id: i64) -> rusqlite::Result<TaskKey> {
        if let Some(task) = self.tasks.get(&id) {
            return Ok(task.clone());
        }
        let mut query = db.prepare_cached("SELECT component, interface, function FROM task WHERE id = ?")?;
        let task = query.query_row([id], |row| {
            let (interface, function): (String, String) = (row.get(1)?, row.get(2)?);
            let export = match interface.as_str() {
                "" => ExportPath::top_level(&function),
                interface => ExportPath::in_interface(interface, &function),
            };
            Ok(TaskKey { component: Digest::from_bytes(row.get(0)?), export })
        })?;
        remember(&mut self.tasks, id, task.clone());
        Ok(task)
    }

    /// The number of a task's options, which are stored if they are new.
    pub(super) fn spec_id(&mut self, db: &Connection, digest: Digest, body: &[u8]) -> rusqlite::Result<i64> {
        if let Some(id) = self.spec_ids.get(&digest) {
            return Ok(*id);
        }
        let mut query = db.prepare_cached("SELECT id FROM spec WHERE digest = ?")?;
        let id = match query.query_row([digest.as_bytes()], |row| row.get(0)).optional()? {
            Some(id) => id,
            None => {
                let mut insert = db.prepare_cached("INSERT INTO spec (digest, body) VALUES (?, ?)")?;
                insert.execute(params![digest.as_bytes(), body])?;
                db.last_insert_rowid()
            }
        };
        remember(&mut self.spec_ids, digest, id);
        Ok(id)
    }

    /// The options with a number; `None` if they cannot be read.
    pub(super) fn spec(&mut self, db: &Connection, id: i64) -> rusqlite::Result<Option<Arc<TaskSpec>>> {
        if let Some(spec) = self.specs.get(&id) {
            return Ok(Some(Arc::clone(spec)));
        }
        let mut query = db.prepare_cached("SELECT body FROM spec WHERE id = ?")?;
        let body: Option<Vec<u8>> = query.query_row([id], |row| row.get(0)).optional()?;
        let spec = body.and_then(|body| TaskSpec::decode(&body).ok()).map(Arc::new);
        if let Some(spec) = &spec {
            remember(&mut self.specs, id, Arc::clone(spec));
        }
        Ok(spec)
    }
}

fn task_params(task: &TaskKey) -> (&[u8], &str, &str) {
    let interface = task.export.interface().unwrap_or_default();
    (task.component.as_bytes().as_slice(), interface, task.export.function())
}

fn remember<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= MAX_REMEMBERED {
        map.clear();
    }
    map.insert(key, value);
}
