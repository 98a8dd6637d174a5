//! The inputs of claimed runs, in a bounded part of the memory.

use std::sync::Arc;

use hostel_core::journal::Journal;
use hostel_core::{InputSpec, RunSpec, StoredValue, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::prepared::{Unprepared, of_kind};
use super::room::{Held, Room};
use crate::delay::{decoded, stored_bytes};
use crate::error::in_full;
use crate::host_state::HostState;
use crate::runner::Places;

/// The inputs of all claimed runs may take this part of what all guests may take.
const SHARE: u64 = 4;

/// Inputs that take less than this are not counted.
const SMALL_BYTES: u64 = 16 << 10;

/// The most runs whose inputs are read at once: how much memory they take is known afterwards.
const READ_AT_ONCE: usize = 2;

/// Reads the inputs of claimed runs, and bounds the memory that they take together. A run has its inputs until it ends.
pub(super) struct ClaimedInputs {
    host: Arc<HostState>,
    journal: Arc<dyn Journal>,
    /// Counts the runs that wait for room.
    places: Arc<Places>,
    reading: Semaphore,
    room: Arc<Room>,
}

/// The inputs of a run, and the room that they take until this is dropped.
pub(super) type HeldInputs = (Vec<Value>, Option<Held>);

impl ClaimedInputs {
    pub(super) fn new(
        host: Arc<HostState>,
        journal: Arc<dyn Journal>,
        places: Arc<Places>,
        max_memory_bytes: u64,
    ) -> Self {
        let room = Arc::new(Room::new(max_memory_bytes / SHARE));
        Self { host, journal, places, reading: Semaphore::new(READ_AT_ONCE), room }
    }

    /// The inputs of a run, when there is room for them. Inputs that take more than all the room get all of it. A run that waits for
    /// room has none of its inputs in memory, and rests. Runs that need less may overtake it.
    ///
    /// # Errors
    ///
    /// Inputs that cannot be read, or are damaged.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future holds nothing.
    pub(super) async fn of(&self, spec: &RunSpec) -> Result<HeldInputs, Unprepared> {
        let needed = {
            let _reading = self.turn(spec).await;
            let values = self.read(spec).await?;
            let needed = values.iter().map(Value::memory_bytes).sum::<usize>() as u64;
            if needed < SMALL_BYTES {
                return Ok((values, None));
            }
            if let Some(held) = self.room.take(needed) {
                return Ok((values, Some(held)));
            }
            needed
        };
        let held = {
            let _resting = self.places.rest();
            self.room.taken(needed).await
        };
        let _reading = self.turn(spec).await;
        Ok((self.read(spec).await?, Some(held)))
    }

    /// A turn to read inputs that may be long.
    async fn turn(&self, spec: &RunSpec) -> Option<SemaphorePermit<'_>> {
        if are_inline(spec) { None } else { self.reading.acquire().await.ok() }
    }

    async fn read(&self, spec: &RunSpec) -> Result<Vec<Value>, Unprepared> {
        if are_inline(spec) {
            return values(&*self.journal, &spec.inputs);
        }
        let (journal, inputs) = (Arc::clone(&self.journal), spec.inputs.clone());
        let values = self.host.load_with(move |_| values(&*journal, &inputs)).await;
        values.map_err(|_| Unprepared::Refused("reading the inputs panicked".to_owned()))?
    }
}

/// Whether the inputs are in memory already, in their stored form.
fn are_inline(spec: &RunSpec) -> bool {
    spec.inputs.iter().all(|input| matches!(input, InputSpec::Value(StoredValue::Bytes(_))))
}

fn values(journal: &dyn Journal, inputs: &[InputSpec]) -> Result<Vec<Value>, Unprepared> {
    inputs.iter().enumerate().map(|(index, input)| value(journal, index + 1, input)).collect()
}

fn value(journal: &dyn Journal, position: usize, input: &InputSpec) -> Result<Value, Unprepared> {
    let InputSpec::Value(stored) = input else {
        let reason = "is the result of another run, which workers do not support yet";
        return Err(Unprepared::Refused(format!("input {position} {reason}")));
    };
    let named = |reason: String| format!("input {position}: {reason}");
    let bytes =
        stored_bytes(journal, stored).map_err(|error| of_kind(error.kind(), named(in_full(&error))))?;
    decoded(bytes).map_err(|reason| Unprepared::Refused(named(reason)))
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use futures_util::FutureExt;

    use super::*;
    use crate::journal::MemoryJournal;
    use crate::{DelayOptions, Host, args};

    #[test]
    fn inputs_wait_until_there_is_room_for_them() {
        let host = Host::builder().max_workers(1).build().unwrap();
        let places = Arc::new(Places::new(|| {}));
        let journal = Arc::new(MemoryJournal::default());
        let inputs = ClaimedInputs::new(Arc::clone(host.state()), journal, Arc::clone(&places), 400 << 10);
        let greet = block_on(host.load(hostel_guests::TEXT)).unwrap().task("greet").unwrap();
        // Below the length from which a journal has them elsewhere, so that reading them does not wait for a thread.
        let spec = |length| greet.delayed_spec(args!["x".repeat(length)], DelayOptions::default()).unwrap();
        let [small, half, all] = [spec(100), spec(60 << 10), spec(1 << 20)];
        let held = |spec| inputs.of(spec).now_or_never().map(|read| read.ok().unwrap().1);
        let first = held(&half).unwrap();
        assert!(first.is_some());
        let mut second = Box::pin(inputs.of(&half));
        let mut third = Box::pin(inputs.of(&all));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert_eq!(places.resting(), 2);
        assert!(held(&small).unwrap().is_none(), "small inputs do not wait");
        drop(first);
        let second = second.now_or_never().unwrap().ok().unwrap();
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        let (values, third) = third.now_or_never().unwrap().ok().unwrap();
        assert_eq!((values.len(), places.resting()), (1, 0));
        assert!(held(&half).is_none());
        drop(third);
        // A run that is given up leaves no trace.
        let held_again = held(&half).unwrap();
        let mut given_up = Box::pin(inputs.of(&half));
        assert!(given_up.as_mut().now_or_never().is_none());
        drop(given_up);
        assert_eq!(places.resting(), 0);
        drop(held_again);
        assert!(held(&half).is_some());
    }
}
