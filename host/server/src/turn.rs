//! Turns for JSON that takes much memory or time to read: a tree, and then values, take hundreds of bytes for one of text. A few are read
//! at once, away from the threads that serve all requests.

use std::sync::Arc;

use hostel::{ErrorKind, ValueReader};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::app::App;
use crate::bounds::{SHORT_JSON_BYTES, SHORT_LEFT_OUT, TURN_WAIT};
use crate::problem::{Answer, ApiProblem, Code};

/// A turn to read some JSON, which others get when it is dropped; or none, for short JSON.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    place: Option<Arc<OwnedSemaphorePermit>>,
    /// The length of the JSON of one run.
    bytes: usize,
}

impl Turn {
    /// For JSON of so many bytes.
    ///
    /// # Errors
    ///
    /// 503 with `Retry-After` if there was none for [`TURN_WAIT`].
    pub(crate) async fn for_bytes(app: &App, bytes: usize) -> Answer<Self> {
        if bytes <= SHORT_JSON_BYTES { Ok(Self { place: None, bytes }) } else { Self::long(app, bytes).await }
    }

    /// For JSON of so many bytes that is known to take long.
    ///
    /// # Errors
    ///
    /// As [`Turn::for_bytes`].
    pub(crate) async fn long(app: &App, bytes: usize) -> Answer<Self> {
        let unavailable = |problem: &str| ApiProblem::new(Code::Kind(ErrorKind::Unavailable), problem);
        let turn = timeout(TURN_WAIT, Arc::clone(&app.turns).acquire_owned()).await;
        let turn =
            turn.map_err(|_| unavailable("other long requests are being read").hint("try again later"))?;
        let turn = turn.map_err(|_| unavailable("the server has ended"))?;
        Ok(Self { place: Some(Arc::new(turn)), bytes })
    }

    /// The same turn for one of so many runs that the JSON is of.
    pub(crate) fn for_one_of(self, runs: usize) -> Self {
        Self { bytes: self.bytes / runs.max(1), ..self }
    }

    /// Reads values from the JSON: where it is, if that is quick, and otherwise in a turn. The function is called again if it turns
    /// out only then that it is not.
    ///
    /// # Errors
    ///
    /// Those of the function, and as [`Turn::for_bytes`].
    pub(crate) async fn read<T: Send + 'static>(
        self,
        app: &App,
        read: impl Fn(&mut ValueReader) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let turn = if self.is_long() {
            self
        } else {
            let mut reader = ValueReader::with_most_left_out(SHORT_LEFT_OUT);
            let values = read(&mut reader);
            if values.is_ok() || !reader.is_full() {
                return values;
            }
            Self::long(app, self.bytes).await?
        };
        // Each costs as much as some hundred bytes of JSON.
        let most = SHORT_LEFT_OUT.saturating_add(turn.bytes);
        turn.run(app, move || read(&mut ValueReader::with_most_left_out(most))).await
    }

    /// Whether the JSON is long.
    pub(crate) fn is_long(&self) -> bool {
        self.place.is_some()
    }

    /// Calls a function, on a thread that may block if the JSON is long. The call keeps the turn, also if nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        app: &App,
        call: impl FnOnce() -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        if self.place.is_none() {
            return call();
        }
        let turn = self.clone();
        app.blocking
            .run(move || {
                let _turn = turn;
                call()
            })
            .await
    }
}
