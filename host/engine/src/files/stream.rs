//! A file as a stream: always ready, because reading a file never waits.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use hostel_core::Touch;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

use super::book::{Known, Piece, Reader, SharedBook};
use super::content::{self, PIECE_BYTES};

/// The stream from which a guest reads a file. wasmtime-wasi's own reads ahead on another thread, and whether its bytes
/// have arrived reveals the time.
pub(super) struct FileStream {
    file: Arc<File>,
    next: u64,
    has_ended: bool,
    book: SharedBook,
    of: Known,
    reader: Reader,
}

impl FileStream {
    pub(super) fn new(file: Arc<File>, start: u64, book: SharedBook, of: Known) -> Self {
        let reader = book.lock().got_stream();
        Self { file, next: start, has_ended: false, book, of, reader }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for FileStream {
    async fn ready(&mut self) {}
}

impl InputStream for FileStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.has_ended {
            return Err(StreamError::Closed);
        }
        let size = size.min(PIECE_BYTES);
        if size == 0 {
            return Ok(Bytes::new());
        }
        let bytes = content::read(&self.file, self.next, size as u64).map_err(|error| {
            self.has_ended = true;
            self.book.lock().touch(Touch::FileFault);
            StreamError::LastOperationFailed(error.into())
        })?;
        let piece = Piece { start: self.next, bytes: &bytes, end: bytes.len() < size };
        self.book.lock().read(self.reader, self.of, &piece);
        self.next = self.next.saturating_add(bytes.len() as u64);
        if bytes.is_empty() {
            self.has_ended = true;
            return Err(StreamError::Closed);
        }
        Ok(bytes.into())
    }
}

impl Drop for FileStream {
    fn drop(&mut self) {
        self.book.lock().dropped_stream(self.reader);
    }
}
