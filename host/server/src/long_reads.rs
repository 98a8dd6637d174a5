//! Requests whose answers are made of much more than they show: a few of each kind at once, so that what they read is not in memory as
//! often as there are connections.

use std::sync::Arc;

use hostel::ErrorKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::bounds::{GAPPED_MAPS, SCHEDULE_PARTS, TIMELINES, TURN_WAIT};
use crate::problem::{Answer, ApiProblem, Code};

/// Places for such requests.
#[derive(Debug)]
pub(crate) struct LongReads {
    /// Parts of lists of schedules, which are read with their arguments.
    pub(crate) schedules: Arc<Semaphore>,
    /// Timelines of maps, for which the times of all rows are read.
    pub(crate) timelines: Arc<Semaphore>,
    /// Pages of rows, for which all rows are read if some were removed.
    pub(crate) rows: Arc<Semaphore>,
}

impl Default for LongReads {
    fn default() -> Self {
        let [schedules, timelines, rows] =
            [SCHEDULE_PARTS, TIMELINES, GAPPED_MAPS].map(|most| Arc::new(Semaphore::new(most)));
        Self { schedules, timelines, rows }
    }
}

/// A place, which others get when all copies are dropped. A call that reads has one, because it goes on if its client has gone.
pub(crate) type Reading = Arc<OwnedSemaphorePermit>;

/// Waits for a place.
///
/// # Errors
///
/// 503 with `Retry-After` if there was none for [`TURN_WAIT`].
pub(crate) async fn reading(places: &Arc<Semaphore>) -> Answer<Reading> {
    let unavailable = |problem: &str| ApiProblem::new(Code::Kind(ErrorKind::Unavailable), problem);
    let place = timeout(TURN_WAIT, Arc::clone(places).acquire_owned()).await;
    let place = place.map_err(|_| unavailable("others are being answered").hint("try again later"))?;
    place.map(Arc::new).map_err(|_| unavailable("the server has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_without_a_place_is_refused_after_a_while() {
        let reads = LongReads::default();
        let taken = [reading(&reads.timelines).await.unwrap(), reading(&reads.timelines).await.unwrap()];
        assert_eq!(
            reading(&reads.timelines).await.unwrap_err().code(),
            Code::Kind(ErrorKind::Unavailable),
            "there are {TIMELINES}"
        );
        drop(taken);
        assert!(reading(&reads.timelines).await.is_ok());
    }
}
