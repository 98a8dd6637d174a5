//! Answers with large values: a bounded number at once, because each is in memory until the client has taken it.

mod sending;
mod text;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use hostel::journal::{InputSpec, JournalEntry};
use hostel::{Digest, ErrorKind, Outcome, bytes_text};
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tokio::time::{Instant, timeout_at};

use self::sending::Sending;
pub(crate) use self::text::Text;
use self::text::Unmade;
use crate::blocking::{Blocking, token};
use crate::bounds::{
    EXPANSION, FREE_VALUES_BYTES, LARGE_ANSWER_WAIT, LARGE_ANSWERS, LARGE_ANSWERS_EACH_MIB,
    LARGE_ANSWERS_MIB, LONGEST_TEXT, SMALL_VALUES_BYTES,
};
use crate::fair::{Fair, KeptPlace};
use crate::problem::{Answer, ApiProblem, Code};

/// How often a request that waits looks for clients that are too slow.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The type of answers in JSON.
pub(crate) const JSON: &str = "application/json";

/// The places that all answers share.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// One for each MiB of the texts of large answers.
    large: Fair,
    /// Those that have places and are being sent.
    sending: Sending,
    /// One for each MiB of the values that answers are made of.
    made: Fair,
}

/// The places of an answer with values of a run.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    all: Places,
    /// For the text, as far as it is known to be long.
    taken: Option<KeptPlace>,
    /// For the values while the answer is made: they may take much more memory than their stored form.
    made: Made,
}

/// Places for values in memory, and how many an answer needs.
#[derive(Clone, Debug)]
struct Made {
    needs: u32,
    taken: Option<KeptPlace>,
}

impl Default for Places {
    fn default() -> Self {
        let large = Fair::with_most_each(LARGE_ANSWERS_MIB as usize, LARGE_ANSWERS_EACH_MIB as usize);
        Self { large, sending: Sending::default(), made: Fair::new(LARGE_ANSWERS_MIB as usize) }
    }
}

impl Places {
    /// Waits for a place for the values of a run.
    ///
    /// # Errors
    ///
    /// 503 with `Retry-After` if there was none for [`LARGE_ANSWER_WAIT`].
    pub(crate) async fn of_run(&self, entry: &JournalEntry) -> Answer<Place> {
        let (stored, in_memory) = value_bytes(entry);
        self.of(stored, in_memory).await
    }

    /// Waits for a place for a text of so many bytes.
    ///
    /// # Errors
    ///
    /// As [`Places::of_run`].
    pub(crate) async fn of_text(&self, bytes: u64) -> Answer<Place> {
        self.of(bytes, 0).await
    }

    /// Waits for all the memory that values may take while they are read, for values of unknown length.
    ///
    /// # Errors
    ///
    /// As [`Places::of_run`].
    pub(crate) async fn all(&self) -> Answer<Place> {
        let needs = LARGE_ANSWERS_MIB;
        let made = Made { needs, taken: self.made(needs, deadline()).await? };
        Ok(Place { all: self.clone(), taken: None, made })
    }

    /// A place for so many stored bytes, which may take so many in memory.
    async fn of(&self, stored: u64, in_memory: u64) -> Answer<Place> {
        let taken = match stored {
            ..=SMALL_VALUES_BYTES => None,
            bytes => Some(self.take(&self.large, places(bytes), deadline()).await?),
        };
        let needs = match stored {
            ..=FREE_VALUES_BYTES => 0,
            _ => u32::try_from(in_memory >> 20).unwrap_or(u32::MAX).clamp(1, LARGE_ANSWERS_MIB),
        };
        let made = Made { needs, taken: self.made(needs, deadline()).await? };
        Ok(Place { all: self.clone(), taken, made })
    }

    /// The answer to a client with this token, with a place if it is large, whatever it is made of: it is in memory until the client has
    /// taken it. One without a place is refused (503).
    pub(crate) fn keep(&self, token: Digest, response: Response) -> Response {
        let length = response.body().size_hint().exact().unwrap_or_default();
        if length <= SMALL_VALUES_BYTES {
            return response;
        }
        let Some(place) = self.large.try_places(token, places(length) as usize) else {
            return no_place().into_response();
        };
        let mut response = response.map(|body| {
            let parts = Body::into_data_stream(body).map_err(io::Error::other);
            self.sending.body(token, vec![Arc::new(place)], parts)
        });
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        response
    }

    async fn made(&self, needs: u32, until: Instant) -> Answer<Option<KeptPlace>> {
        if needs == 0 { Ok(None) } else { self.take(&self.made, needs, until).await.map(Some) }
    }

    /// Waits for so many of these places. Slow clients of others give way meanwhile.
    async fn take(&self, of: &Fair, places: u32, until: Instant) -> Answer<KeptPlace> {
        let token = token();
        let mut place = pin!(of.places(token, places as usize));
        loop {
            let next = (Instant::now() + LOOK_AGAIN).min(until);
            match timeout_at(next, &mut place).await {
                Ok(Some(place)) => return Ok(Arc::new(place)),
                Ok(None) => {
                    return Err(ApiProblem::new(Code::Kind(ErrorKind::Unavailable), "the server has ended"));
                }
                Err(_) if next >= until => return Err(no_place()),
                Err(_) => {
                    self.sending.end_slow(token, (places as usize).min(LARGE_ANSWERS_EACH_MIB as usize))
                }
            }
        }
    }

    /// The answer with a text that is made of no values of a run.
    ///
    /// # Errors
    ///
    /// 503 with `Retry-After` if it is large, and there is no place for it now.
    pub(crate) fn answer(
        &self,
        token: Digest,
        media_type: &'static str,
        make: impl FnOnce(&mut Text) -> Answer<()>,
    ) -> Answer<Response> {
        let mut text = Text::new(self, token, None);
        make(&mut text)?;
        match text.unmade() {
            None => Ok(response(text, media_type)),
            Some(unmade) => Err(unmade.into()),
        }
    }
}

fn deadline() -> Instant {
    Instant::now() + LARGE_ANSWER_WAIT
}

fn no_place() -> ApiProblem {
    let problem = format!(
        "answers with large values are being sent: expected at most {LARGE_ANSWERS}, of {LARGE_ANSWERS_MIB} MiB together"
    );
    ApiProblem::new(Code::Kind(ErrorKind::Unavailable), problem).hint("try again later")
}

impl From<Unmade> for ApiProblem {
    fn from(unmade: Unmade) -> Self {
        match unmade {
            Unmade::NoPlace { .. } => no_place(),
            Unmade::TooLong => {
                let most = bytes_text(LONGEST_TEXT);
                let problem = format!("the answer is too long as text: expected at most {most}");
                Self::new(Code::Kind(ErrorKind::Exhausted), problem)
                    .hint("form=raw has the bytes of a text or of a list<u8>; `hostel result` on the machine of the server has no such bound")
            }
        }
    }
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
    /// Calls a function that may block, and keeps the place until the call has ended, also if nobody waits for it any more.
    pub(crate) async fn read<T, E>(
        &self,
        blocking: &Blocking,
        call: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        E: Send + 'static,
        ApiProblem: From<E>,
    {
        let place = self.clone();
        blocking
            .run(move || {
                let _place = place;
                call()
            })
            .await
    }

    /// An answer whose text the function makes, on a thread that may block. It is called again if the text becomes so long that it has
    /// to wait for a place.
    ///
    /// # Errors
    ///
    /// Those of the function; 503 with `Retry-After` if there was no place for the text for [`LARGE_ANSWER_WAIT`]; 429 if it is too long.
    pub(crate) async fn answer(
        mut self,
        blocking: &Blocking,
        media_type: &'static str,
        make: impl Fn(&mut Text) -> Answer<()> + Send + Sync + 'static,
    ) -> Answer<Response> {
        let (make, until) = (Arc::new(make), deadline());
        loop {
            let mut text = Text::new(&self.all, token(), self.taken.take());
            let (call, made) = (Arc::clone(&make), self.made.taken.take());
            let text = blocking.run(move || {
                let _made = made;
                let done = call(&mut text);
                // Whatever else is wrong is the consequence of a text that was cut.
                if text.unmade().is_none() { done.map(|()| text) } else { Ok(text) }
            });
            let text = text.await?;
            match text.unmade() {
                None => return Ok(response(text, media_type)),
                Some(unmade @ Unmade::TooLong) => return Err(unmade.into()),
                Some(Unmade::NoPlace { bytes }) => {
                    // Its places are given back first: two that wait for each other's would wait in vain.
                    drop(text);
                    self.taken =
                        Some(self.all.take(&self.all.large, places(bytes.saturating_mul(2)), until).await?);
                    self.made.taken = self.all.made(self.made.needs, until).await?;
                }
            }
        }
    }
}

fn response(text: Text, media_type: &'static str) -> Response {
    let (length, media_type) = (text.len(), text.media_type().unwrap_or(media_type));
    let mut response = Response::new(text.into_body());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body_util::BodyExt;

    use super::*;
    use crate::blocking::of_token;
    use crate::bounds::{LARGE_ANSWERS_MIB, SENT_PER_SECOND, SLOW_AFTER, STUCK_AFTER};

    const MIB: u64 = 1 << 20;
    const ALL: usize = LARGE_ANSWERS_MIB as usize;

    fn zeros(mib: u64) -> impl Fn(&mut Text) -> Answer<()> + Clone + Send + Sync + 'static {
        move |text| {
            let mib_of_text = "0".repeat(MIB as usize - 2);
            (0..mib).try_for_each(|_| text.json(&mib_of_text))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_made_within_a_bound_on_what_their_values_take() {
        let all = Places::default();
        let place = |stored, in_memory| Box::pin(all.of(stored, in_memory));
        let stored = FREE_VALUES_BYTES + 1;
        let first = place(stored, 200 * MIB).await.unwrap();
        let second = place(stored, 56 * MIB).await.unwrap();
        let mut third = place(stored, 0);
        assert!(third.as_mut().now_or_never().is_none(), "all the memory is taken");
        assert!(place(FREE_VALUES_BYTES, 256 * MIB).now_or_never().is_some(), "short values do not wait");
        let answer = second.answer(&Blocking::default(), JSON, |text| text.json(&[0; 0])).await.unwrap();
        let third = third.now_or_never().unwrap().unwrap();
        let mut alone = place(stored, u64::MAX);
        assert!(alone.as_mut().now_or_never().is_none());
        drop((first, third));
        let alone = alone.now_or_never().unwrap().unwrap();
        let problem = place(stored, MIB).await.unwrap_err();
        assert_eq!(problem.code(), Code::Kind(ErrorKind::Unavailable));
        drop((alone, answer));
        assert_eq!(all.made.free(), ALL);
    }

    #[tokio::test]
    async fn a_long_answer_that_is_made_keeps_its_place_until_it_is_taken() {
        let all = Places::default();
        let long = all.of(SMALL_VALUES_BYTES + 1, u64::MAX).await.unwrap();
        let answer = long.answer(&Blocking::default(), JSON, |text| text.json(&[0; 0])).await.unwrap();
        assert_eq!((all.made.free(), all.large.free()), (ALL, ALL - 64));
        drop(answer);
        assert_eq!(all.large.free(), ALL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_text_has_a_place_however_short_its_values_are_stored() {
        let (all, blocking) = (Places::default(), Blocking::default());
        let answer = async |token: &str, mib| {
            let answer = async { all.of(0, 0).await?.answer(&blocking, JSON, zeros(mib)).await };
            of_token(Digest::of(token.as_bytes()), answer).await
        };
        let short = answer("a", 1).await.unwrap();
        assert_eq!(all.large.free(), ALL, "1 MiB needs none");
        let long = answer("a", 100).await.unwrap();
        assert_eq!(all.large.free(), ALL - 100);
        assert_eq!(long.headers()[CONTENT_LENGTH], (100 * MIB).to_string());
        let problem = answer("a", 29).await.unwrap_err();
        assert_eq!(problem.code(), Code::Kind(ErrorKind::Unavailable), "the rest is for others");
        let others = [answer("b", 2).await.unwrap(), answer("b", 2).await.unwrap()];
        assert!(answer("c", 1).await.is_ok());
        let mut waits = Box::pin(answer("c", 60));
        assert!(futures_util::poll!(&mut waits).is_pending());
        drop(others);
        let waited = waits.await.unwrap();
        let bytes: Vec<usize> =
            long.into_body().into_data_stream().map_ok(|part| part.len()).try_collect().await.unwrap();
        assert_eq!(bytes.iter().sum::<usize>(), 100 << 20);
        assert!(bytes.iter().all(|part| *part <= text::PART), "each is handed over in parts");
        drop((short, waited));
        assert_eq!(all.large.free(), ALL);
    }

    #[tokio::test]
    async fn a_text_beyond_the_bound_is_refused_and_none_of_it_is_kept() {
        let all = Places::default();
        let too_long = |text: &mut Text| {
            text.display(&"the beginning")?;
            text.bytes(vec![0; LONGEST_TEXT as usize]);
            Ok(())
        };
        let place = all.of(0, 0).await.unwrap();
        let problem = place.answer(&Blocking::default(), JSON, too_long).await.unwrap_err();
        assert_eq!(problem.code(), Code::Kind(ErrorKind::Exhausted));
        assert!(format!("{problem:?}").contains("expected at most 512 MiB"), "{problem:?}");
        assert_eq!(all.large.free(), ALL);
    }

    #[tokio::test]
    async fn a_text_is_what_was_written_wherever_its_parts_end() {
        let all = Places::default();
        let written: Vec<u32> = (0..300_000).collect();
        let values = written.clone();
        let make = move |text: &mut Text| {
            text.bytes(b"[0,".to_vec());
            text.display(&"1,")?;
            text.json(&values)?;
            text.bytes(b"]".to_vec());
            Ok(())
        };
        let place = all.of(0, 0).await.unwrap();
        let answer = place.answer(&Blocking::default(), JSON, make).await.unwrap();
        let body = answer.into_body();
        assert_eq!(body.size_hint().exact(), None);
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(body, format!("[0,1,{}]", serde_json::to_string(&written).unwrap()).as_bytes());
    }

    #[tokio::test]
    async fn an_answer_made_of_anything_has_a_place_if_it_is_large() {
        let all = Places::default();
        let answer = |token: &str, mib: usize| {
            all.keep(Digest::of(token.as_bytes()), vec![b'0'; mib << 20].into_response())
        };
        let small = answer("a", 1);
        assert_eq!(all.large.free(), ALL);
        let large = [answer("a", 2), answer("b", 100)];
        assert_eq!(all.large.free(), ALL - 64 - 100);
        let refused = answer("c", 100);
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.into_body().size_hint().exact(), Some(0));
        for (response, bytes) in large.into_iter().zip([2 << 20, 100 << 20]) {
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), bytes);
        }
        assert_eq!(all.large.free(), ALL);
        drop(small);
    }

    /// The body of an answer of so many MiB to a client with this token.
    async fn body(all: &Places, token: &str, mib: u64) -> Answer<axum::body::BodyDataStream> {
        let zeros = move |text: &mut Text| {
            (0..mib).for_each(|_| text.bytes(vec![0; MIB as usize]));
            Ok(())
        };
        let answer = async { all.of_text(mib << 20).await?.answer(&Blocking::default(), JSON, zeros).await };
        Ok(of_token(Digest::of(token.as_bytes()), answer).await?.into_body().into_data_stream())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_gives_way_to_another_ones_answer() {
        let all = Places::default();
        let mut slow = body(&all, "a", 190).await.unwrap();
        let mut first = body(&all, "b", 64).await.unwrap();
        slow.try_next().await.unwrap();
        // The second answer of a token does not take the place of the other's, which has more.
        let other = tokio::spawn({
            let all = all.clone();
            async move { body(&all, "b", 60).await }
        });
        let start = Instant::now();
        let mut other = other.await.unwrap().unwrap();
        let waited = start.elapsed();
        assert!((SLOW_AFTER..LARGE_ANSWER_WAIT).contains(&waited), "{waited:?}");
        let error = slow.try_next().await.unwrap_err();
        assert!(error.to_string().contains("gave way"), "{error}");
        let mut last = body(&all, "c", 64).await.unwrap();
        // With what it asks for, `c` would have more than any other token. So nothing is ended, although all clients are slow by now.
        tokio::time::advance(LARGE_ANSWER_WAIT).await;
        assert!(body(&all, "c", 128).await.is_err());
        for left in [&mut first, &mut other, &mut last] {
            assert!(left.try_next().await.unwrap().is_some());
        }
        // A token without a place need not wait for clients that are stuck.
        tokio::time::advance(STUCK_AFTER).await;
        assert!(body(&all, "d", 256).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_quick_enough_keeps_its_place() {
        let all = Places::default();
        let mut quick = body(&all, "a", 256).await.unwrap();
        let waits = tokio::spawn({
            let all = all.clone();
            async move { body(&all, "b", 2).await.is_ok() }
        });
        let mut taken = 0;
        while let Some(part) = quick.try_next().await.unwrap() {
            taken += part.len() as u64;
            let due = Duration::from_secs(1).mul_f64(part.len() as f64 / SENT_PER_SECOND as f64);
            tokio::time::advance(due).await;
        }
        assert_eq!(taken, 256 << 20);
        assert!(!waits.await.unwrap());
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
