//! Turns for JSON that takes much memory or time to read: a tree, and then values, take hundreds of bytes for one of text. A few are read
//! at once, away from the threads that serve all requests. Tokens take turns.

use hostel::ValueReader;

use crate::app::App;
use crate::blocking::token;
use crate::bounds::{LEFT_OUT_PER_BYTE, ROW_LEFT_OUT, SHORT_JSON_BYTES, SHORT_LEFT_OUT};
use crate::fair::KeptPlace;
use crate::long_calls;
use crate::problem::Answer;

/// A turn to read some JSON, which others get when it is dropped; or none, for short JSON.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    place: Option<KeptPlace>,
    /// The length of the JSON of one run.
    bytes: usize,
    /// How many fields may be left out of it, however short it is.
    left_out: usize,
}

impl Turn {
    /// For JSON of so many bytes.
    ///
    /// # Errors
    ///
    /// 503 with `Retry-After` if there was none for some seconds.
    pub(crate) async fn for_bytes(app: &App, bytes: usize) -> Answer<Self> {
        if bytes > SHORT_JSON_BYTES {
            return Self::long(app, bytes).await;
        }
        Ok(Self { place: None, bytes, left_out: SHORT_LEFT_OUT })
    }

    /// For JSON of so many bytes that is known to take long.
    ///
    /// # Errors
    ///
    /// As [`Turn::for_bytes`].
    pub(crate) async fn long(app: &App, bytes: usize) -> Answer<Self> {
        let place = long_calls::place(&app.long_calls.bodies, token()).await?;
        Ok(Self { place: Some(place), bytes, left_out: SHORT_LEFT_OUT })
    }

    /// The same turn for one of so many rows that the JSON has.
    pub(crate) fn for_one_of(self, rows: usize) -> Self {
        Self { bytes: self.bytes / rows.max(1), left_out: ROW_LEFT_OUT, ..self }
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
            let most = self.most_left_out();
            let mut reader = ValueReader::with_most_left_out(most.min(SHORT_LEFT_OUT));
            let values = read(&mut reader);
            if values.is_ok() || !reader.is_full() || most <= SHORT_LEFT_OUT {
                return values;
            }
            Self { left_out: self.left_out, ..Self::long(app, self.bytes).await? }
        };
        let mut reader = turn.reader();
        turn.run(app, move || read(&mut reader)).await
    }

    /// A reader of the values of one run.
    pub(crate) fn reader(&self) -> ValueReader {
        ValueReader::with_most_left_out(self.most_left_out())
    }

    fn most_left_out(&self) -> usize {
        self.left_out.saturating_add(self.bytes.saturating_mul(LEFT_OUT_PER_BYTE))
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
