//! Answers that go on: their parts are made when the reader takes them, so that a slow reader costs no memory.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use hostel::JournalChanges;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::watch;

use crate::app::App;
use crate::fair::Place;
use crate::problem::Answer;
use crate::tokens::Identity;

/// After this time without anything new, a comment shows the reader that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often a stream looks whether its token was removed.
const TOKEN_LOOK: Duration = Duration::from_secs(1);

/// What a stream waits for, and the place that it takes.
pub(crate) struct Pulse {
    pub(crate) app: Arc<App>,
    changes: JournalChanges,
    closing: watch::Receiver<bool>,
    identity: Identity,
    _place: Place,
}

/// Why a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Something in the journal may have changed.
    Changed,
    /// Nothing has, for some time.
    Quiet,
    /// The server ends.
    Closing,
    /// The token was removed.
    Removed,
}

/// Something that has parts.
pub(crate) trait Source: Send + 'static {
    /// The next part; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

impl Pulse {
    /// Takes a place for a stream of a token.
    pub(crate) fn new(app: &Arc<App>, identity: Identity) -> Answer<Self> {
        let place = app.stream(identity.digest)?;
        let (changes, closing) = (app.host.journal_changes()?, app.closing.subscribe());
        Ok(Self { app: Arc::clone(app), changes, closing, identity, _place: place })
    }

    /// What is read from now on counts as seen.
    pub(crate) fn look(&mut self) {
        self.changes.mark_known();
    }

    /// Whether the token of the stream is still one. To be asked before each part.
    pub(crate) fn is_allowed(&self) -> bool {
        self.app.tokens.is_known(&self.identity)
    }

    /// Waits for something new since [`Pulse::look`], for at most this time, or a heartbeat.
    pub(crate) async fn wait(&mut self, most: Option<Duration>) -> Beat {
        if *self.closing.borrow() {
            return Beat::Closing;
        }
        let until = tokio::time::Instant::now() + most.unwrap_or(HEARTBEAT);
        loop {
            if !self.is_allowed() {
                return Beat::Removed;
            }
            let look = until.min(tokio::time::Instant::now() + TOKEN_LOOK);
            tokio::select! {
                () = self.changes.changed() => return Beat::Changed,
                _ = self.closing.changed() => return Beat::Closing,
                () = tokio::time::sleep_until(look) => if look == until { return Beat::Quiet },
            }
        }
    }
}

/// An answer with the parts of a source.
pub(crate) fn answer(source: impl Source, ty: &'static str) -> Response {
    let parts = unfold(source, async |mut source| {
        let part = source.next().await?;
        Some((Ok::<_, Infallible>(part), source))
    });
    let mut response = Response::new(Body::from_stream(parts));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(ty));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies must not collect the parts.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
