//! Delayed runs whose value the cache has when they are submitted: they end with it, and no worker has them.

use std::time::{Duration, Instant};

use hostel_core::{Event, InputSpec, Outcome, RunFact, RunRecord, RunSpec, StoredValue, Value};

use crate::cache::CacheQuery;
use crate::delay::decoded;
use crate::run::now;
use crate::task::Task;

impl Task {
    /// The record of a delayed run that is answered from the cache, for [`Journal::import`](crate::journal::Journal::import): born
    /// and ended now, as a worker would have recorded it. `spec` is from [`Task::delayed_spec`] of this task. `None` if a worker has
    /// to see to the run:
    ///
    /// - the memory and the data directory of this host have no value that the run may use. The remote cache is left to workers;
    /// - the inputs take more than `longest` bytes, or the cached value with the list of the files that it depends on: it is not read;
    /// - checking these files takes longer than `patience`;
    /// - the run is due later, has a [unique](crate::Unique) key, belongs to a schedule, or waits for other runs;
    /// - the task asks for a new value, or has no cache key.
    ///
    /// Such a run never starts: it takes no slot of a limit, and no pause holds it back.
    ///
    /// Blocks while the value is read and its files are checked: microseconds for a value in memory.
    pub fn cached_record(&self, spec: &RunSpec, longest: u64, patience: Duration) -> Option<RunRecord> {
        let inputs =
            spec.inputs.iter().filter_map(InputSpec::as_value).map(StoredValue::size_bytes).sum::<u64>();
        if spec.task != *self.key() || !may_end_now(spec) || inputs > longest {
            return None;
        }
        // The key and the name are those that a worker derives.
        let task = self.as_stored(&spec.spec);
        let inputs = spec.inputs.iter().map(value).collect::<Option<Vec<_>>>()?;
        let key = task.cache_key(&inputs)?;
        let began = Instant::now();
        let wanted = CacheQuery {
            ty: task.guest_completed_type(),
            longest,
            expiration: task.spec().cache_expiration,
            grants: &task.spec().grants,
            is_stopped: &|| began.elapsed() >= patience,
        };
        let found = task.host().cache.get(&key, wanted).ok()?;
        let event = Event::CacheHit { producer: found.hit.producer };
        let outcome = Outcome::Completed(found.value).to_stored(task.guest_signature()).ok()?;
        let at = now();
        let mut record = RunRecord::born(at, spec.clone());
        if let Some(template) = task.options().name() {
            let name = template.render(&task.named_inputs(&inputs));
            record.apply(at, RunFact::Named(name.into())).ok()?;
        }
        record.apply(at, RunFact::Ended { event, outcome }).ok()?;
        Some(record)
    }
}

/// Whether a run can end when it is submitted, and with a value that another run has computed.
fn may_end_now(spec: &RunSpec) -> bool {
    spec.due.is_none()
        && spec.unique.is_none()
        && spec.schedule.is_none()
        && spec.wait_for.is_empty()
        && !spec.spec.refresh
}

/// An input of a run that is not stored yet.
fn value(input: &InputSpec) -> Option<Value> {
    let InputSpec::Value(StoredValue::Bytes(bytes)) = input else { return None };
    decoded(Some(bytes.clone())).ok()
}
