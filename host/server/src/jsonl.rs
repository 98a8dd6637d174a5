//! JSON Lines in the body of a request, line by line.

use bytes::{Buf, Bytes, BytesMut};

use crate::body::Parts;
use crate::bounds::JSON_BYTES;
use crate::problem::{Answer, ApiProblem, Code};

/// The lines of a body. Empty ones are left out.
#[derive(Debug)]
pub(crate) struct Lines {
    parts: Parts,
    /// What came after the last line that was returned: never much more than a line.
    rest: BytesMut,
    /// How much of it has no end of a line.
    searched: usize,
    is_over: bool,
}

impl Lines {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, rest: BytesMut::new(), searched: 0, is_over: false }
    }

    /// The next line; `None` at the end.
    pub(crate) async fn next(&mut self) -> Answer<Option<Bytes>> {
        loop {
            if let Some(line) = self.take()? {
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line));
                }
            } else if self.is_over {
                return Ok(None);
            } else if let Some(part) = self.parts.next().await? {
                self.rest.extend_from_slice(&part);
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
        let (mut lines, mut all) = (Lines::new(parts), Vec::new());
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
    async fn a_line_has_a_bound() {
        let part: &'static [u8] = &[b' '; 1 << 16];
        let problem = lines(vec![part; 20]).await.unwrap_err();
        assert_eq!(problem.code(), Code::TooLarge);
    }
}
