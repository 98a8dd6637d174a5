//! Bodies of requests, read with bounds on their size and on the time between two parts.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hostel::bytes_text;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::bounds::CHUNK_TIME;
use crate::problem::{Answer, ApiProblem, Code};

/// A body, part by part.
#[derive(Debug)]
pub(crate) struct Parts {
    body: Body,
    left: u64,
    most: u64,
}

impl Parts {
    /// A body with at most so many bytes; one that says that it is longer is refused at once.
    pub(crate) fn new(headers: &HeaderMap, body: Body, most: u64) -> Answer<Self> {
        check_encoding(headers)?;
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        Ok(Self { body, left: most, most })
    }

    /// The next part; `None` at the end.
    pub(crate) async fn next(&mut self) -> Answer<Option<Bytes>> {
        loop {
            let frame = timeout(CHUNK_TIME, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| too_slow())? else { return Ok(None) };
            let frame = frame.map_err(|error| {
                ApiProblem::new(Code::Malformed, format!("the body cannot be read: {error}"))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let left = self.left.checked_sub(data.len() as u64);
            self.left = left.ok_or_else(|| too_large(self.most))?;
            return Ok(Some(data));
        }
    }

    /// All of it.
    pub(crate) async fn whole(mut self) -> Answer<Bytes> {
        let mut whole = BytesMut::new();
        while let Some(part) = self.next().await? {
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
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

fn too_slow() -> ApiProblem {
    let seconds = CHUNK_TIME.as_secs();
    ApiProblem::new(Code::TooSlow, format!("no part of the body came for {seconds} seconds"))
}
