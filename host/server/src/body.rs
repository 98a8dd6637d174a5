//! Bodies of requests, read with bounds on their size, on the time between two parts, and on the time for all of them. Only time counts in
//! which the server waits for the client.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use hostel::{ErrorKind, bytes_text};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::blocking::token;
use crate::bounds::{BODY_RATE, BODY_TIME, CHUNK_TIME, COLLECTED_FREE};
use crate::fair::{Fair, KeptPlace};
use crate::long_calls;
use crate::peers::GaveWay;
use crate::problem::{Answer, ApiProblem, Code};

/// A body, part by part.
#[derive(Debug)]
pub(crate) struct Parts {
    body: Body,
    left: u64,
    most: u64,
    /// How long the server has waited for its parts. What it did in between is not the client's time.
    waited: Duration,
}

impl Parts {
    /// A body with at most so many bytes; one that says that it is longer is refused at once.
    pub(crate) fn new(headers: &HeaderMap, body: Body, most: u64) -> Answer<Self> {
        check_encoding(headers)?;
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        Ok(Self { body, left: most, most, waited: Duration::ZERO })
    }

    /// The most bytes that may come: its length if it says so.
    pub(crate) fn longest(&self) -> u64 {
        self.body.size_hint().upper().map_or(self.most, |length| length.min(self.most))
    }

    /// The next part; `None` at the end.
    pub(crate) async fn next(&mut self) -> Answer<Option<Bytes>> {
        loop {
            let of_all = self.patience();
            let began = Instant::now();
            let frame = timeout_at(began + of_all.min(CHUNK_TIME), self.body.frame()).await;
            self.waited += began.elapsed();
            let Some(frame) = frame.map_err(|_| if of_all < CHUNK_TIME { dripping() } else { too_slow() })?
            else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| unreadable(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            let left = self.left.checked_sub(data.len() as u64);
            self.left = left.ok_or_else(|| too_large(self.most))?;
            return Ok(Some(data));
        }
    }

    /// How long to wait for the next part, by how much has come: somebody who sends a byte now and then does not keep a place.
    fn patience(&self) -> Duration {
        let received = self.most.saturating_sub(self.left);
        (BODY_TIME + Duration::from_secs(received / BODY_RATE)).saturating_sub(self.waited)
    }

    /// All of it, with the place in memory that it has if it is long.
    pub(crate) async fn whole(mut self, collected: &Fair) -> Answer<(Bytes, Option<KeptPlace>)> {
        let place = match self.longest() {
            ..=COLLECTED_FREE => None,
            _ => Some(long_calls::place(collected, token()).await?),
        };
        let mut whole = BytesMut::new();
        while let Some(part) = self.next().await? {
            whole.extend_from_slice(&part);
        }
        Ok((whole.freeze(), place))
    }
}

/// Refuses a body of another type than this one.
pub(crate) fn check_type(headers: &HeaderMap, expected: &[&str]) -> Answer<()> {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if expected.iter().any(|expected| expected.eq_ignore_ascii_case(essence)) {
        return Ok(());
    }
    let expected = expected.join(" or ");
    let shown: String = essence.chars().take(100).collect();
    let problem = format!("the body is {shown:?}: expected {expected}");
    Err(ApiProblem::new(Code::MediaType, problem).hint(format!("send the header Content-Type: {expected}")))
}

/// Refuses a body that is compressed: its size would say nothing about what it becomes.
fn check_encoding(headers: &HeaderMap) -> Answer<()> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let Some(other) = encodings.find(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    else {
        return Ok(());
    };
    let shown: String = other.to_str().unwrap_or_default().chars().take(100).collect();
    let problem = format!("the body has the encoding {shown:?}: expected none");
    Err(ApiProblem::new(Code::MediaType, problem)
        .hint("send the body as it is, without the header Content-Encoding"))
}

fn too_large(most: u64) -> ApiProblem {
    ApiProblem::new(Code::TooLarge, format!("the body is too large: expected at most {}", bytes_text(most)))
        .with("most_bytes", most)
        .hint("GET /api/v1/info has all limits")
}

fn unreadable(error: &axum::Error) -> ApiProblem {
    if std::error::Error::source(error).is_some_and(|error| error.is::<GaveWay>()) {
        return ApiProblem::new(Code::Kind(ErrorKind::Unavailable), GaveWay.to_string())
            .hint("send it again");
    }
    ApiProblem::new(Code::Malformed, format!("the body cannot be read: {error}"))
}

fn dripping() -> ApiProblem {
    let seconds = BODY_TIME.as_secs();
    let rate = bytes_text(BODY_RATE);
    let problem = format!(
        "the body comes too slowly: expected all of it within {seconds} seconds and one more for each {rate}"
    );
    ApiProblem::new(Code::TooSlow, problem).hint("GET /api/v1/info has all limits")
}

fn too_slow() -> ApiProblem {
    let seconds = CHUNK_TIME.as_secs();
    ApiProblem::new(Code::TooSlow, format!("no part of the body came for {seconds} seconds"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream::unfold;

    use super::*;

    /// A body of so many parts of this size, each of which comes after this time.
    fn body(parts: usize, bytes: usize, pause: Duration) -> Parts {
        let parts = unfold(parts, move |left: usize| async move {
            let left = left.checked_sub(1)?;
            _ = tokio::time::timeout(pause, std::future::pending::<()>()).await;
            Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; bytes])), left))
        });
        Parts::new(&HeaderMap::new(), Body::from_stream(parts), u64::MAX).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_at_a_rate_or_in_a_short_time() {
        let second = Duration::from_secs(1);
        let parts = 40;
        assert_eq!(body(parts, 1, second).whole(&Fair::new(1)).await.unwrap().0.len(), parts);
        let at_rate = body(1_000, BODY_RATE as usize, second).whole(&Fair::new(1)).await.unwrap().0;
        assert_eq!(at_rate.len(), 1_000 * BODY_RATE as usize);
        let began = Instant::now();
        let problem = body(1_000, 1, 50 * second).whole(&Fair::new(1)).await.unwrap_err();
        assert_eq!(problem.code(), Code::TooSlow);
        assert!(problem.detail().starts_with("the body comes too slowly"), "{}", problem.detail());
        assert_eq!(began.elapsed(), BODY_TIME);
        let problem = body(2, 1 << 20, CHUNK_TIME + second).whole(&Fair::new(1)).await.unwrap_err();
        assert_eq!(problem.code(), Code::TooSlow);
        assert!(problem.detail().starts_with("no part of the body came"), "{}", problem.detail());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_body_has_a_place_while_it_comes_and_is_read() {
        let (collected, second) = (Fair::new(1), Duration::from_secs(1));
        // Nobody knows how long it becomes.
        let mut long = Box::pin(body(100, BODY_RATE as usize, second).whole(&collected));
        assert!(futures_util::poll!(&mut long).is_pending());
        let problem = body(1, 1, second).whole(&collected).await.unwrap_err();
        assert_eq!(problem.code(), Code::Kind(ErrorKind::Unavailable));
        let short = |bytes| Parts::new(&HeaderMap::new(), Body::from(vec![b'x'; bytes]), u64::MAX).unwrap();
        let (whole, place) = short(COLLECTED_FREE as usize).whole(&collected).await.unwrap();
        assert!(whole.len() == COLLECTED_FREE as usize && place.is_none());
        let (whole, place) = long.await.unwrap();
        assert_eq!((whole.len(), collected.free()), (100 * BODY_RATE as usize, 0));
        drop(place);
        assert!(short(COLLECTED_FREE as usize + 1).whole(&collected).await.unwrap().1.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_the_server_does_not_count() {
        let second = Duration::from_secs(1);
        let mut steady = body(5, 1, second);
        while steady.next().await.unwrap().is_some() {
            // The part is read, and what it says is stored.
            tokio::time::advance(2 * BODY_TIME).await;
        }
        let mut dripping = body(usize::MAX, 1, second);
        let (mut parts, mut problem) = (0, None);
        while problem.is_none() {
            match dripping.next().await {
                Ok(part) => parts += part.map_or(0, |part| part.len() as u64),
                Err(error) => problem = Some(error),
            }
            tokio::time::advance(BODY_TIME).await;
        }
        assert_eq!(problem.map(|problem| problem.code()), Some(Code::TooSlow));
        // The last one comes when its time is over.
        assert!((BODY_TIME.as_secs() - 1..=BODY_TIME.as_secs()).contains(&parts), "{parts}");
    }
}
