//! The text of an answer while it is made: it takes places as it grows, since nobody knows before how long it becomes. The name of a case
//! may have 128 bytes, and its stored form has one.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::iter;
use std::mem;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use hostel::{Digest, ErrorKind};
use serde::Serialize;

use super::{Places, places};
use crate::bounds::{LARGE_ANSWERS_MIB, LONGEST_TEXT, SMALL_VALUES_BYTES};
use crate::fair::KeptPlace;
use crate::problem::{Answer, ApiProblem, Code};

/// The bytes of a part, which are handed to the connection at once.
pub(super) const PART: usize = 64 << 10;

/// The text of an answer.
#[derive(Debug)]
pub(crate) struct Text {
    parts: Vec<Vec<u8>>,
    bytes: u64,
    /// Its type, if it has turned out to be another than expected.
    media_type: Option<&'static str>,
    /// The length up to which it has places, or needs none.
    room: u64,
    all: Places,
    /// The token of the client.
    token: Digest,
    /// The places that it has.
    taken: Vec<KeptPlace>,
    unmade: Option<Unmade>,
}

/// Why a text was not written to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmade {
    /// There is no place for one of this length now.
    NoPlace {
        /// Its length so far.
        bytes: u64,
    },
    /// There never is.
    TooLong,
}

impl Text {
    /// An empty text for a client with this token, with a place. It takes others of all.
    pub(super) fn new(all: &Places, token: Digest, taken: Option<KeptPlace>) -> Self {
        let (all, taken) = (all.clone(), taken.into_iter().collect());
        let (parts, room) = (Vec::new(), SMALL_VALUES_BYTES);
        Self { parts, bytes: 0, media_type: None, room, all, token, taken, unmade: None }
    }

    /// Writes an object as JSON.
    ///
    /// # Errors
    ///
    /// If the object cannot be serialised. [`Text::unmade`] reports a missing place.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> Answer<()> {
        let written = serde_json::to_writer(&mut *self, object);
        self.checked(written.map_err(|error| error.to_string()))
    }

    /// Writes something as people read it.
    ///
    /// # Errors
    ///
    /// As [`Text::json`].
    pub(crate) fn display(&mut self, object: &impl Display) -> Answer<()> {
        let written = write!(self, "{object}");
        self.checked(written.map_err(|error| error.to_string()))
    }

    /// Adds bytes without copying them.
    pub(crate) fn bytes(&mut self, bytes: Vec<u8>) {
        if self.grow(bytes.len()).is_ok() {
            self.parts.push(bytes);
        }
    }

    /// Gives it another type than expected.
    pub(crate) const fn is(&mut self, media_type: &'static str) {
        self.media_type = Some(media_type);
    }

    /// Its type, if that is another than expected.
    pub(super) const fn media_type(&self) -> Option<&'static str> {
        self.media_type
    }

    fn checked(&self, written: Result<(), String>) -> Answer<()> {
        match written {
            Err(error) if self.unmade.is_none() => {
                let problem = format!("the answer cannot be written: {error}");
                Err(ApiProblem::new(Code::Kind(ErrorKind::Internal), problem))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Why it was not written to its end, if it was not.
    pub(super) const fn unmade(&self) -> Option<Unmade> {
        self.unmade
    }

    /// Its length in bytes.
    pub(crate) const fn len(&self) -> u64 {
        self.bytes
    }

    /// Makes room for so many bytes.
    fn grow(&mut self, more: usize) -> Result<(), Unmade> {
        if let Some(unmade) = self.unmade {
            return Err(unmade);
        }
        self.bytes += more as u64;
        if self.bytes <= self.room {
            return Ok(());
        }
        let place = self.place().inspect_err(|unmade| self.unmade = Some(*unmade));
        if place.is_err() {
            // What waits for a place must not be in memory.
            self.parts = Vec::new();
        }
        place
    }

    fn place(&mut self) -> Result<(), Unmade> {
        if self.bytes > LONGEST_TEXT {
            return Err(Unmade::TooLong);
        }
        let has = self.taken.iter().map(|place| place.number()).sum::<usize>();
        let has = has.min(LARGE_ANSWERS_MIB as usize) as u32;
        let needs = places(self.bytes).max(has);
        if needs > has {
            let more = self.all.large.try_places(self.token, (needs - has) as usize);
            self.taken.push(Arc::new(more.ok_or(Unmade::NoPlace { bytes: self.bytes })?));
        }
        // A part of a MiB needs no place of its own, and one that has all needs no more.
        let is_all = needs >= LARGE_ANSWERS_MIB;
        self.room = if is_all { LONGEST_TEXT } else { ((u64::from(needs) + 1) << 20) - 1 };
        Ok(())
    }

    /// The body of the answer, which keeps its places until it was taken.
    pub(super) fn into_body(mut self) -> Body {
        let (places, parts) = (mem::take(&mut self.taken), mem::take(&mut self.parts));
        if let ([_] | [], []) = (parts.as_slice(), places.as_slice()) {
            return Body::from(parts.into_iter().next().unwrap_or_default());
        }
        let parts = stream::iter(parts.into_iter().map(Bytes::from)).flat_map(|mut rest| {
            stream::iter(iter::from_fn(move || {
                let part = rest.split_to(PART.min(rest.len()));
                (!part.is_empty()).then_some(Ok(part))
            }))
        });
        if places.is_empty() {
            Body::from_stream(parts)
        } else {
            self.all.sending.body(self.token, places, parts)
        }
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let has_room = |part: &&mut Vec<u8>| part.len() < PART;
        let left = self.parts.last().map_or(0, |part| PART.saturating_sub(part.len()));
        let now = bytes.get(..bytes.len().min(if left == 0 { PART } else { left })).unwrap_or_default();
        self.grow(now.len())?;
        match self.parts.last_mut().filter(has_room) {
            Some(part) => part.extend_from_slice(now),
            None => self.parts.push(now.to_vec()),
        }
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Display for Unmade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPlace { .. } => "there is no place for the answer now",
            Self::TooLong => "the answer is too long",
        })
    }
}

impl std::error::Error for Unmade {}

impl From<Unmade> for io::Error {
    fn from(unmade: Unmade) -> Self {
        Self::other(unmade)
    }
}
