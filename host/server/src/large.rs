//! Answers with large values: a bounded number at once, because each is in memory until the client has taken it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use hostel::journal::{InputSpec, JournalEntry, SqliteJournal};
use hostel::{ErrorKind, Outcome};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::app::App;
use crate::bounds::{
    EXPANSION, FREE_VALUES_BYTES, LARGE_ANSWER_WAIT, LARGE_ANSWERS, LARGE_ANSWERS_MIB, SMALL_VALUES_BYTES,
};
use crate::problem::{Answer, ApiProblem, Code};

/// The type of answers in JSON.
pub(crate) const JSON: &str = "application/json";

/// The bytes of an answer that are handed to the connection at once.
const PART: usize = 64 << 10;

/// A place for the values of a run.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Kept until the answer was taken; `None` if the values are small.
    taken: Option<Arc<OwnedSemaphorePermit>>,
    /// Kept until the answer is made: values may take much more memory than their stored form.
    made: Option<Arc<OwnedSemaphorePermit>>,
}

/// Waits for a place for the values of a run.
///
/// # Errors
///
/// 503 with `Retry-After` if there was none for [`LARGE_ANSWER_WAIT`].
pub(crate) async fn place(app: &App, entry: &JournalEntry) -> Answer<Place> {
    let (stored, in_memory) = value_bytes(entry);
    place_of(&app.large_answers, &app.made_answers, stored, in_memory).await
}

/// A place for so many stored bytes, which may take so many in memory.
async fn place_of(
    large_answers: &Arc<Semaphore>,
    made_answers: &Arc<Semaphore>,
    stored: u64,
    in_memory: u64,
) -> Answer<Place> {
    let taken = match stored {
        ..=SMALL_VALUES_BYTES => None,
        bytes => Some(take(large_answers, places(bytes)).await?),
    };
    let made = match stored {
        ..=FREE_VALUES_BYTES => None,
        _ => {
            let mib = u32::try_from(in_memory >> 20).unwrap_or(u32::MAX);
            Some(take(made_answers, mib.clamp(1, LARGE_ANSWERS_MIB)).await?)
        }
    };
    Ok(Place { taken, made })
}

/// Waits for all places, for values of unknown length.
///
/// # Errors
///
/// As [`place`].
pub(crate) async fn all_places(app: &App) -> Answer<Place> {
    let taken = take(&app.large_answers, LARGE_ANSWERS_MIB).await?;
    Ok(Place { taken: Some(taken), made: None })
}

async fn take(of: &Arc<Semaphore>, places: u32) -> Answer<Arc<OwnedSemaphorePermit>> {
    let busy = |_| {
        let problem = format!(
            "answers with large values are being sent: expected at most {LARGE_ANSWERS}, of {LARGE_ANSWERS_MIB} MiB together"
        );
        ApiProblem::new(Code::Kind(ErrorKind::Unavailable), problem).hint("try again later")
    };
    let places = Arc::clone(of).acquire_many_owned(places);
    let permit = timeout(LARGE_ANSWER_WAIT, places).await;
    let ended = |_| ApiProblem::new(Code::Kind(ErrorKind::Unavailable), "the server has ended");
    permit.map_err(busy)?.map_err(ended).map(Arc::new)
}

/// The places of an answer with so many bytes of values: one for each MiB, and so many at least that there are no more answers than allowed.
fn places(bytes: u64) -> u32 {
    let least = LARGE_ANSWERS_MIB / LARGE_ANSWERS as u32;
    u32::try_from(bytes >> 20).unwrap_or(u32::MAX).clamp(least, LARGE_ANSWERS_MIB)
}

/// How many bytes are stored of the values of a run, and how many they may take in memory.
fn value_bytes(entry: &JournalEntry) -> (u64, u64) {
    let record = entry.record();
    let limits = &record.spec().spec.limits;
    let inputs = record.spec().inputs.iter().filter_map(InputSpec::as_value);
    let attempts = record.attempts().iter().filter_map(|attempt| attempt.outcome.as_ref());
    let outcomes = record.outcome().into_iter().chain(attempts).filter_map(Outcome::returned);
    // Those of the inputs are checked all together, and those of results one by one.
    let in_memory = |stored: u64, limit: u64| stored.saturating_mul(EXPANSION).min(limit.max(stored));
    let inputs = inputs.map(|value| value.size_bytes()).fold(0, u64::saturating_add);
    let inputs = (inputs, in_memory(inputs, limits.input_bytes));
    outcomes.map(|value| value.size_bytes()).fold(inputs, |(stored, expanded), bytes| {
        let more = in_memory(bytes, limits.result_bytes);
        (stored.saturating_add(bytes), expanded.saturating_add(more))
    })
}

impl Place {
    /// Calls the journal, and keeps the place until the call has ended, also if nobody waits for it any more.
    pub(crate) async fn read<T, E>(
        &self,
        app: &App,
        call: impl FnOnce(&SqliteJournal) -> Result<T, E> + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        E: Send + 'static,
        ApiProblem: From<E>,
    {
        let place = self.clone();
        app.journal(move |journal| {
            let _place = place;
            call(journal)
        })
        .await
    }

    /// An answer with these bytes, which keeps the place until they were taken. A layer that changes the body finds the place among the
    /// answer's extensions.
    pub(crate) fn answer(mut self, bytes: Vec<u8>, media_type: &'static str) -> Response {
        self.made = None;
        let length = bytes.len();
        let mut response = Response::new(self.body(bytes));
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        response
    }

    /// A body with these bytes, which keeps the place until they were taken.
    pub(crate) fn body(&self, bytes: impl Into<Bytes>) -> Body {
        let bytes = bytes.into();
        let Some(permit) = &self.taken else { return Body::from(bytes) };
        let parts = unfold((bytes, Arc::clone(permit)), async |(mut rest, permit)| {
            let part = rest.split_to(PART.min(rest.len()));
            (!part.is_empty()).then_some((Ok::<_, Infallible>(part), (rest, permit)))
        });
        Body::from_stream(parts)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_are_made_within_a_bound_on_what_their_values_take() {
        const MIB: u64 = 1 << 20;
        let [large, made] = [(); 2].map(|()| Arc::new(Semaphore::new(LARGE_ANSWERS_MIB as usize)));
        let place = |stored, in_memory| Box::pin(place_of(&large, &made, stored, in_memory));
        let stored = FREE_VALUES_BYTES + 1;
        let first = place(stored, 200 * MIB).await.unwrap();
        let second = place(stored, 56 * MIB).await.unwrap();
        let mut third = place(stored, 0);
        assert!(third.as_mut().now_or_never().is_none(), "all the memory is taken");
        assert!(place(FREE_VALUES_BYTES, 256 * MIB).now_or_never().is_some(), "short values do not wait");
        let answer = second.answer(b"[]".to_vec(), JSON);
        let third = third.now_or_never().unwrap().unwrap();
        let mut alone = place(stored, u64::MAX);
        assert!(alone.as_mut().now_or_never().is_none());
        drop((first, third));
        let alone = alone.now_or_never().unwrap().unwrap();
        let problem = place(stored, MIB).await.unwrap_err();
        assert_eq!(problem.code(), Code::Kind(ErrorKind::Unavailable));
        drop((alone, answer));
        assert_eq!(made.available_permits(), LARGE_ANSWERS_MIB as usize);
    }

    #[tokio::test]
    async fn a_long_answer_that_is_made_keeps_its_place_until_it_is_taken() {
        let [large, made] = [(); 2].map(|()| Arc::new(Semaphore::new(LARGE_ANSWERS_MIB as usize)));
        let long = place_of(&large, &made, SMALL_VALUES_BYTES + 1, u64::MAX).await.unwrap();
        let answer = long.answer(b"[]".to_vec(), JSON);
        assert_eq!(made.available_permits(), LARGE_ANSWERS_MIB as usize);
        assert!(large.available_permits() < LARGE_ANSWERS_MIB as usize);
        drop(answer);
        assert_eq!(large.available_permits(), LARGE_ANSWERS_MIB as usize);
    }

    #[test]
    fn four_answers_fit_at_once_and_a_long_one_is_alone() {
        let mib = |mib: u64| places(mib << 20);
        assert_eq!(
            [mib(1), mib(64), mib(65), mib(256), mib(257), places(u64::MAX)],
            [64, 64, 65, 256, 256, 256]
        );
    }
}
