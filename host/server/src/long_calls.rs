//! Requests that take much memory, time or room: a few of each kind at once, so that it is not there as often as there are connections, and so
//! that others are answered meanwhile. Tokens take turns.

use std::sync::Arc;

use hostel::{Digest, ErrorKind};
use tokio::time::timeout;

use crate::bounds::{
    BODIES, COLLECTED, COLLECTED_EACH, GAPPED_MAPS, INCOMING_EACH_MIB, INCOMING_MIB, LONG_MAPS, MAP_BATCHES,
    RUNS_CHANGED, RUNS_READ, SCANS, SCHEDULE_PARTS, TIMELINES, TURN_WAIT,
};
use crate::fair::{Fair, KeptPlace};
use crate::problem::{Answer, ApiProblem, Code};

/// Places for such requests.
#[derive(Debug)]
pub(crate) struct LongCalls {
    /// JSON that is sent and takes much memory or time to read.
    pub(crate) bodies: Fair,
    /// Parts of lists of schedules, which are read with their arguments.
    pub(crate) schedules: Fair,
    /// Timelines of maps, for which the times of all rows are read.
    pub(crate) timelines: Fair,
    /// Pages of rows, for which all rows are read if some were removed.
    pub(crate) rows: Fair,
    /// Requests about one run, which may have thousands of attempts.
    pub(crate) runs: Fair,
    /// Changes of one run, which is read and written as a whole.
    pub(crate) changes: Fair,
    /// Rows of maps that are stored together.
    pub(crate) map_batches: Fair,
    /// Maps whose rows have long arguments in common. How long they take is up to their clients, so one token does not get all places.
    pub(crate) long_maps: Fair,
    /// A place for each MiB of the uploads that come in.
    pub(crate) incoming: Fair,
    /// Long JSON that comes in.
    pub(crate) collected: Fair,
    /// Lists and counts that look at many runs, lines or cached results for what matches.
    pub(crate) scans: Fair,
}

impl Default for LongCalls {
    fn default() -> Self {
        let [schedules, timelines, rows, scans] =
            [SCHEDULE_PARTS, TIMELINES, GAPPED_MAPS, SCANS].map(Fair::new);
        let [changes, map_batches, bodies] = [RUNS_CHANGED, MAP_BATCHES, BODIES].map(Fair::new);
        // They are kept while clients send, or while a large answer waits for clients that take others.
        let [long_maps, runs] = [LONG_MAPS, RUNS_READ].map(|most| Fair::with_most_each(most, most / 2));
        let collected = Fair::with_most_each(COLLECTED, COLLECTED_EACH);
        let incoming = Fair::with_most_each(INCOMING_MIB as usize, INCOMING_EACH_MIB as usize);
        Self {
            bodies,
            collected,
            incoming,
            long_maps,
            schedules,
            timelines,
            rows,
            runs,
            changes,
            map_batches,
            scans,
        }
    }
}

/// Waits for a place for a request of this token.
///
/// # Errors
///
/// 503 with `Retry-After` if there was none for [`TURN_WAIT`].
pub(crate) async fn place(places: &Fair, token: Digest) -> Answer<KeptPlace> {
    self::places(places, token, 1).await
}

/// Waits for so many places for a request of this token.
///
/// # Errors
///
/// As [`place`].
pub(crate) async fn places(places: &Fair, token: Digest, number: usize) -> Answer<KeptPlace> {
    let unavailable = |problem: &str| ApiProblem::new(Code::Kind(ErrorKind::Unavailable), problem);
    let place = timeout(TURN_WAIT, places.places(token, number)).await;
    let place = place.map_err(|_| {
        let seconds = TURN_WAIT.as_secs();
        unavailable(&format!("too many such requests at once: there was no place for {seconds} seconds"))
            .hint("try again later")
    })?;
    place.map(Arc::new).ok_or_else(|| unavailable("the server has ended"))
}
