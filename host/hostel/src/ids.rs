//! Ids of runs and flow runs: UUIDs of version 7, ascending within this process.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use hostel_core::RunId;
use uuid::{ContextV7, Timestamp, Uuid};

/// The counter of ids within a millisecond.
static COUNTER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// The earliest time in an id: for time zero, the counter would not begin at a random number.
const EARLIEST: Duration = Duration::from_millis(1);

/// The hasher of maps by run ids and cache keys, which are random enough that a quick one does, with a seed of its own for each map.
pub(crate) type IdHasher = foldhash::fast::RandomState;

/// A new unique id: a UUID of version 7. Later ids of this process are greater.
pub fn new_run_id() -> RunId {
    id_at(SystemTime::now())
}

/// A clock before 1970 is treated as 1970. Ids still differ, and stay ascending.
fn id_at(now: SystemTime) -> RunId {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().max(EARLIEST);
    RunId::from_uuid(Uuid::new_v7(Timestamp::from_unix(&COUNTER, since.as_secs(), since.subsec_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_still_gives_ids_that_differ_and_are_in_order() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(86_400 * 365);
        let times = [before, before, SystemTime::UNIX_EPOCH, SystemTime::now(), before];
        let ids: Vec<_> = times.into_iter().map(|time| id_at(time).to_string()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    }
}
