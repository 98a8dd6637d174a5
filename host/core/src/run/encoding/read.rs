//! Reads the parts that all encodings are made of, from bytes that nothing vouches for.

use std::sync::Arc;
use std::time::Duration;

use crate::{RunId, Timestamp, leb128};

/// The bytes that are not read yet. Every reading is `None` if they are not what it expects.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn array<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        leb128::read(|| self.byte().ok_or(())).ok()
    }

    pub(crate) fn narrow<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    pub(crate) fn signed(&mut self) -> Option<i32> {
        let number = self.number()?;
        let number = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        i32::try_from(number).ok()
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// The length of a list or a text: no more than there are bytes, since nothing is shorter than one.
    fn len(&mut self) -> Option<usize> {
        self.narrow().filter(|len| *len <= self.0.len())
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.len()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    pub(crate) fn string(&mut self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    pub(crate) fn shared(&mut self) -> Option<Arc<str>> {
        self.text().map(Arc::from)
    }

    pub(crate) fn duration(&mut self) -> Option<Duration> {
        let (seconds, nanos) = (self.number()?, self.narrow()?);
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }

    pub(crate) fn instant(&mut self) -> Option<Timestamp> {
        self.array().map(u64::from_le_bytes).map(Timestamp::from_unix_nanos)
    }

    pub(crate) fn id(&mut self) -> Option<RunId> {
        self.array().map(RunId::from_bytes)
    }

    pub(crate) fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }

    pub(crate) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.len()?).map(|_| read(self)).collect()
    }

    /// One of a few, by its place among them.
    pub(crate) fn choice<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(usize::from(self.byte()?)).copied()
    }
}
