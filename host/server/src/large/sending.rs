//! Large answers that are being sent, and which of them gives way to another client's. How long an answer keeps its place is up to its client,
//! which may take a byte now and then.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use hostel::Digest;
use tokio::time::Instant;

use crate::bounds::{SENT_PER_SECOND, SLOW_AFTER, STUCK_AFTER, STUCK_PER_SECOND};
use crate::fair::KeptPlace;

/// The answers with places that clients are taking.
#[derive(Clone, Debug, Default)]
pub(super) struct Sending(Arc<Mutex<Vec<Weak<Sent>>>>);

/// The places of an answer.
type Kept = Vec<KeptPlace>;

/// One of them.
#[derive(Debug)]
struct Sent {
    token: Digest,
    places: usize,
    since: Instant,
    /// How many bytes were handed to the connection.
    bytes: AtomicU64,
    rest: Mutex<Rest>,
}

/// What of an answer was not sent.
#[derive(Default)]
struct Rest {
    /// `None` if it has given way.
    parts: Option<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>,
    kept: Kept,
}

impl Sending {
    /// The body of an answer to a client with this token. It keeps the places until it was taken, or has to give way, and then it ends
    /// with an error.
    pub(super) fn body(
        &self,
        token: Digest,
        kept: Kept,
        parts: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Body {
        let places = kept.iter().map(|place| place.number()).sum();
        let rest = Mutex::new(Rest { parts: Some(Box::pin(parts)), kept });
        let (since, bytes) = (Instant::now(), AtomicU64::new(0));
        let sent = Arc::new(Sent { token, places, since, bytes, rest });
        let mut all = self.all();
        all.retain(|sent| sent.strong_count() > 0);
        all.push(Arc::downgrade(&sent));
        Body::from_stream(Parts(sent))
    }

    /// Ends one answer of another token, for one that waits for so many places: one whose client is slow, if the token with most places has
    /// as many as the waiting one would have; or one whose client is stuck, if that has none. Of several it is the one begun first.
    pub(super) fn end_slow(&self, waiting: Digest, needs: usize) {
        let all: Vec<_> =
            self.all().iter().filter_map(Weak::upgrade).filter(|sent| sent.has_places()).collect();
        let places = |token: Digest| {
            all.iter().filter(|sent| sent.token == token).map(|sent| sent.places).sum::<usize>()
        };
        let others = all.iter().map(|sent| sent.token).filter(|token| *token != waiting);
        let Some(most) = others.max_by_key(|token| places(*token)) else { return };
        let has = places(waiting);
        let has_too_much = places(most) >= has + needs;
        let gives_way = |sent: &&Arc<Sent>| {
            let is_slow = has_too_much && sent.token == most && sent.is_behind(SLOW_AFTER, SENT_PER_SECOND);
            let is_stuck = has == 0 && sent.token != waiting && sent.is_behind(STUCK_AFTER, STUCK_PER_SECOND);
            is_slow || is_stuck
        };
        let first = all.iter().filter(gives_way).min_by_key(|sent| sent.since);
        first.into_iter().for_each(|sent| *sent.rest() = Rest::default());
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<Sent>>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sent {
    fn has_places(&self) -> bool {
        !self.rest().kept.is_empty()
    }

    /// Whether it was sent for longer than this, and then than its client had needed for so many bytes a second.
    fn is_behind(&self, after: Duration, per_second: u64) -> bool {
        let bytes = self.bytes.load(Ordering::Relaxed);
        self.since.elapsed() > after + Duration::from_secs(bytes / per_second)
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body.
struct Parts(Arc<Sent>);

impl Stream for Parts {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let sent = &self.0;
        let mut rest = sent.rest();
        let Some(parts) = &mut rest.parts else {
            return Poll::Ready(Some(Err(io::Error::other("the answer gave way to another one"))));
        };
        let part = parts.as_mut().poll_next(context);
        if let Poll::Ready(Some(Ok(part))) = &part {
            sent.bytes.fetch_add(part.len() as u64, Ordering::Relaxed);
        }
        part
    }
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("kept", &self.kept).finish_non_exhaustive()
    }
}
