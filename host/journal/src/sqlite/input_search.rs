//! The search for inputs in many runs, by the names of the parameters of tasks whose components are registered.

use std::collections::HashMap;
use std::sync::Arc;

use hostel_core::{Manifest, RunFilter, RunSpec, TaskKey, TaskSpec};
use rusqlite::{Connection, OptionalExtension, Row};

use super::names::Names;

/// A search, and the names of the parameters of the tasks that it has met.
pub(super) struct InputSearch<'a> {
    filter: &'a RunFilter,
    params: HashMap<i64, Vec<Arc<str>>>,
    /// Runs are read without their options.
    options: Arc<TaskSpec>,
}

impl<'a> InputSearch<'a> {
    pub(super) fn new(filter: &'a RunFilter) -> Self {
        Self { filter, params: HashMap::new(), options: Arc::default() }
    }

    /// Whether the inputs of a run match, by its row with task and specification in these columns. A run that is damaged does not.
    pub(super) fn matches(
        &mut self,
        db: &Connection,
        names: &mut Names,
        row: &Row<'_>,
        [task, born]: [usize; 2],
    ) -> rusqlite::Result<bool> {
        if self.filter.wanted_inputs().is_empty() {
            return Ok(true);
        }
        let born = row.get_ref(born)?.as_blob()?;
        let Ok(run) = RunSpec::decode_with_options(born, Arc::clone(&self.options)) else { return Ok(false) };
        let task = row.get(task)?;
        if !self.params.contains_key(&task) {
            let params = params(db, &names.task(db, task)?)?;
            self.params.insert(task, params);
        }
        let params = self.params.get(&task).map_or(&[][..], Vec::as_slice);
        Ok(self.filter.matches_inputs(params, &run.inputs))
    }
}

/// The names of the parameters of a task; none if its component is not registered.
fn params(db: &Connection, task: &TaskKey) -> rusqlite::Result<Vec<Arc<str>>> {
    let mut query = db.prepare_cached("SELECT manifest FROM component WHERE digest = ?")?;
    let manifest: Option<Vec<u8>> =
        query.query_row([task.component.as_bytes()], |row| row.get(0)).optional()?;
    let manifest = manifest.and_then(|bytes| Manifest::decode(&bytes).ok());
    let export =
        manifest.iter().flat_map(|manifest| &manifest.exports).find(|export| export.path == task.export);
    let signature = export.and_then(|export| export.callable.as_ref().ok());
    Ok(signature
        .map_or_else(Vec::new, |signature| signature.params.iter().map(|param| param.name.clone()).collect()))
}
