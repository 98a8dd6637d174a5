//! Writes to files: immediate, on the thread that runs the guest, and counted.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hostel_core::Touch;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::{FsError, OutputStream, Pollable, StreamError, StreamResult};

use super::book::{Reader, SharedBook};
use super::content::PIECE_BYTES;

use At::{End, Position};

/// The position of a write.
#[derive(Clone, Copy)]
pub(super) enum At {
    Position(u64),
    /// The end of the file at that moment, even if others write to it.
    End,
}

/// Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritten {
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A limit forbids the write.
#[derive(Debug, thiserror::Error)]
#[error("the limit of written bytes is reached")]
pub(super) struct NoRoom;

impl From<Unwritten> for FsError {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::NoRoom(NoRoom) => ErrorCode::InsufficientSpace.into(),
            Unwritten::System(error) => error.into(),
        }
    }
}

impl From<Unwritten> for StreamError {
    fn from(unwritten: Unwritten) -> Self {
        Self::LastOperationFailed(match unwritten {
            Unwritten::NoRoom(no_room) => no_room.into(),
            Unwritten::System(error) => error.into(),
        })
    }
}

/// Writes a prefix of these bytes, not empty unless they are; returns its length.
pub(super) fn write(book: &SharedBook, file: &File, at: At, bytes: &[u8]) -> Result<usize, Unwritten> {
    let bytes = bytes.get(..PIECE_BYTES).unwrap_or(bytes);
    if bytes.is_empty() {
        return Ok(0);
    }
    let gap = match at {
        Position(start) => start.saturating_sub(file.metadata()?.len()),
        End => 0,
    };
    if !book.lock().admits_writing(gap.saturating_add(bytes.len() as u64)) {
        return Err(NoRoom.into());
    }
    let written = loop {
        let written = match at {
            Position(start) => write_at(file, bytes, start),
            End => append(file, bytes),
        };
        match written {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            Ok(written) => break written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    };
    book.lock().wrote_bytes(gap.saturating_add(written as u64));
    Ok(written)
}

/// Extends or truncates a file.
pub(super) fn set_len(book: &SharedBook, file: &File, len: u64) -> Result<(), Unwritten> {
    let growth = len.saturating_sub(file.metadata()?.len());
    if !book.lock().admits_writing(growth) {
        return Err(NoRoom.into());
    }
    file.set_len(len)?;
    book.lock().wrote_bytes(growth);
    Ok(())
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], start: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, start)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], start: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, start)
}

/// The system finds the end, because another run may append to the same file at the same time.
#[cfg(target_os = "linux")]
fn append(mut file: &File, bytes: &[u8]) -> io::Result<usize> {
    use std::io::Write as _;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_APPEND))?;
    let written = file.write(bytes);
    // Otherwise a positional write would append too. No other thread has this open file.
    fcntl(file, FcntlArg::F_SETFL(flags))?;
    written
}

#[cfg(not(target_os = "linux"))]
fn append(file: &File, bytes: &[u8]) -> io::Result<usize> {
    write_at(file, bytes, file.metadata()?.len())
}

/// The stream through which a guest writes a file: always ready. wasmtime-wasi's own writes on another thread, which
/// may still be writing after the guest has ended.
pub(super) struct FileOutput {
    file: Arc<File>,
    at: At,
    has_failed: bool,
    book: SharedBook,
    stream: Reader,
}

impl FileOutput {
    pub(super) fn new(file: Arc<File>, at: At, book: SharedBook) -> Self {
        let stream = book.lock().got_stream();
        Self { file, at, has_failed: false, book, stream }
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Unwritten> {
        while !bytes.is_empty() {
            let written = write(&self.book, &self.file, self.at, bytes)?;
            if let Position(next) = &mut self.at {
                *next = next.saturating_add(written as u64);
            }
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for FileOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for FileOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.has_failed {
            return Err(StreamError::Closed);
        }
        self.book.lock().touch(Touch::Writing);
        self.write_all(&bytes).map_err(|unwritten| {
            self.has_failed = true;
            unwritten.into()
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        if self.has_failed { Err(StreamError::Closed) } else { Ok(()) }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.has_failed { Err(StreamError::Closed) } else { Ok(PIECE_BYTES) }
    }
}

impl Drop for FileOutput {
    fn drop(&mut self) {
        self.book.lock().dropped_stream(self.stream);
    }
}
