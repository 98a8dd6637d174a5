//! JSON Lines in the body of a request, line by line.

use bytes::{Buf, Bytes, BytesMut};

use crate::blocking::token;
use crate::body::Parts;
use crate::bounds::{COLLECTED_FREE, JSON_BYTES};
use crate::fair::{Fair, KeptPlace};
use crate::long_calls;
use crate::problem::{Answer, ApiProblem, Code};

/// The lines of a body. Empty ones are left out.
#[derive(Debug)]
pub(crate) struct Lines {
    parts: Parts,
    /// What came after the last line that was returned: never much more than a line.
    rest: BytesMut,
    /// Places for it if it is long, and the one that it has.
    collected: Fair,
    place: Option<KeptPlace>,
    /// How much of it has no end of a line.
    searched: usize,
    is_over: bool,
}

impl Lines {
    /// The lines of a body, of which a long one takes a place in memory.
    pub(crate) fn new(parts: Parts, collected: &Fair) -> Self {
        let collected = collected.clone();
        Self { parts, rest: BytesMut::new(), collected, place: None, searched: 0, is_over: false }
    }

    /// The next line; `None` at the end.
    pub(crate) async fn next(&mut self) -> Answer<Option<Bytes>> {
        self.place = self.place.take().filter(|_| self.rest.len() as u64 > COLLECTED_FREE);
        loop {
            if let Some(line) = self.take()? {
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line));
                }
            } else if self.is_over {
                return Ok(None);
            } else if let Some(part) = self.parts.next().await? {
                self.rest.extend_from_slice(&part);
                let is_long = self.rest.len() as u64 > COLLECTED_FREE;
                if is_long && self.place.is_none() {
                    self.place = Some(long_calls::place(&self.collected, token()).await?);
                }
            } else {
                self.is_over = true;
            }
        }
    }

    /// A line that is there as a whole.
    fn take(&mut self) -> Answer<Option<Bytes>> {
        let unsearched = self.rest.get(self.searched..).unwrap_or_default();
        let end = unsearched.iter().position(|byte| *byte == b'\n').map(|place| place + self.searched);
        if end.unwrap_or(self.rest.len()) > JSON_BYTES {
            let problem = format!("a line is too long: expected at most {JSON_BYTES} bytes");
            return Err(ApiProblem::new(Code::TooLarge, problem));
        }
        self.searched = self.rest.len();
        if let Some(end) = end {
            let line = self.rest.split_to(end).freeze();
            self.rest.advance(1);
            self.searched = 0;
            return Ok(Some(line));
        }
        let is_last = self.is_over && !self.rest.is_empty();
        Ok(is_last.then(|| {
            self.searched = 0;
            self.rest.split().freeze()
        }))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;
    use http::HeaderMap;

    use super::*;

    async fn lines(parts: Vec<&'static [u8]>) -> Answer<Vec<Bytes>> {
        let parts = stream::iter(parts.into_iter().map(Ok::<_, std::convert::Infallible>));
        let parts = Parts::new(&HeaderMap::new(), Body::from_stream(parts), u64::MAX).unwrap();
        let (mut lines, mut all) = (Lines::new(parts, &Fair::new(1)), Vec::new());
        while let Some(line) = lines.next().await? {
            all.push(line);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn lines_are_found_however_they_come() {
        let found = lines(vec![b"{\"a\"", b":1}\n\n[2]\r\n", b"", b"3", b"\n4"]).await.unwrap();
        assert_eq!(found, ["{\"a\":1}", "[2]\r", "3", "4"]);
        assert_eq!(lines(vec![]).await.unwrap(), [""; 0]);
        assert_eq!(lines(vec![b"\n \n"]).await.unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn a_long_line_has_a_place_until_the_next_one_is_asked_for() {
        let collected = Fair::new(1);
        let part: &'static [u8] = &[b'x'; COLLECTED_FREE as usize];
        let parts = stream::iter([part, b"x\nshort\n"].map(Ok::<_, std::convert::Infallible>));
        let parts = Parts::new(&HeaderMap::new(), Body::from_stream(parts), u64::MAX).unwrap();
        let mut lines = Lines::new(parts, &collected);
        assert_eq!(lines.next().await.unwrap().unwrap().len(), part.len() + 1);
        assert_eq!(collected.free(), 0);
        assert_eq!(lines.next().await.unwrap().unwrap(), "short");
        assert_eq!(collected.free(), 1);
    }

    #[tokio::test]
    async fn a_line_has_a_bound() {
        let part: &'static [u8] = &[b' '; 1 << 16];
        let problem = lines(vec![part; 20]).await.unwrap_err();
        assert_eq!(problem.code(), Code::TooLarge);
    }
}
