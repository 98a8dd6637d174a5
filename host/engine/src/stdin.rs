//! The standard input of a program as a stream: a pipe, a socket or a terminal, read while the program runs.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::{fmt, thread};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

/// The maximum number of bytes read from the source at once, and returned to a guest at once.
const PIECE_BYTES: usize = 64 << 10;

/// A standard input that is read while a program runs: a pipe, a socket, a terminal. Cheap to clone.
///
/// Nothing is read before a guest reads, and then at most 64 KiB more than the guest has requested. The bytes read are
/// stored, so each attempt with a clone reads the same bytes from the start, even if several do so at once. The limit
/// `input` ([`Limits::input_bytes`](hostel_core::Limits::input_bytes)) of the attempts bounds their number.
///
/// The source is read on a thread of its own, which starts at the first read. The thread ends when the last clone is
/// dropped; if a read of the source blocks at that time, the thread ends when this read returns. No other thread waits
/// for it.
#[derive(Clone)]
pub struct Stdin(Arc<SharedInput>);

struct SharedInput {
    state: Mutex<InputBuffer>,
    /// Notified whenever `state` has more bytes or an end.
    arrived: Notify,
}

struct InputBuffer {
    /// The source of the bytes, until the thread has it.
    source: Option<Box<dyn Read + Send>>,
    /// The thread, after it was started: for each message it reads a piece of at most that many bytes.
    thread: Option<SyncSender<usize>>,
    /// Whether the thread was asked for a piece that has not arrived.
    is_asked: bool,
    /// All bytes read from the source.
    bytes: Vec<u8>,
    end: Option<End>,
}

/// The reason why a source has no more bytes.
enum End {
    Closed,
    Failed { code: Option<i32>, kind: io::ErrorKind, message: String },
}

/// The content of a stream at a position.
enum Available {
    Bytes(Bytes),
    /// Nothing yet.
    Nothing,
    Closed,
    Failed(io::Error),
    /// More than the limit allows.
    TooMuch,
}

impl Stdin {
    /// A standard input that is read from `source`, which may block.
    pub fn new(source: impl Read + Send + 'static) -> Self {
        let state = InputBuffer {
            source: Some(Box::new(source)),
            thread: None,
            is_asked: false,
            bytes: Vec::new(),
            end: None,
        };
        Self(Arc::new(SharedInput { state: Mutex::new(state), arrived: Notify::new() }))
    }

    /// Requests the piece after `position`, unless it is available or on its way. Returns a future that ends when
    /// something arrives, if there is nothing at `position` yet.
    fn ask(&self, position: usize, allowed: usize) -> Option<Notified<'_>> {
        // Created before the check, so that nothing is missed in between.
        let arrived = self.0.arrived.notified();
        let mut state = self.0.state();
        if position < state.bytes.len() || state.end.is_some() {
            return None;
        }
        if !state.is_asked {
            // One byte more than allowed shows that there is more.
            let most = allowed.saturating_add(1).saturating_sub(state.bytes.len());
            if let Err(error) = state.read_more(most.clamp(1, PIECE_BYTES), &self.0) {
                state.end = Some(End::of(&error));
                return None;
            }
        }
        Some(arrived)
    }

    /// At most `size` bytes at `position`.
    fn look(&self, position: usize, size: usize, allowed: usize) -> Available {
        let state = self.0.state();
        match state.bytes.get(position..).filter(|rest| !rest.is_empty()) {
            Some(rest) => match rest.len().min(size).min(allowed.saturating_sub(position)) {
                0 => Available::TooMuch,
                len => Available::Bytes(Bytes::copy_from_slice(rest.get(..len).unwrap_or_default())),
            },
            None => match &state.end {
                None => Available::Nothing,
                Some(End::Closed) => Available::Closed,
                Some(End::Failed { code: Some(code), .. }) => {
                    Available::Failed(io::Error::from_raw_os_error(*code))
                }
                Some(End::Failed { kind, message, .. }) => {
                    Available::Failed(io::Error::new(*kind, message.clone()))
                }
            },
        }
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").field("bytes", &self.0.state().bytes.len()).finish_non_exhaustive()
    }
}

impl SharedInput {
    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn state(&self) -> MutexGuard<'_, InputBuffer> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the result of a read of the source; `false` if it is the last one.
    fn store(&self, read: io::Result<&[u8]>) -> bool {
        let mut state = self.state();
        state.is_asked = false;
        match read {
            Ok([]) => state.end = Some(End::Closed),
            Ok(bytes) => state.bytes.extend_from_slice(bytes),
            Err(error) => state.end = Some(End::of(&error)),
        }
        let goes_on = state.end.is_none();
        drop(state);
        self.arrived.notify_waiters();
        goes_on
    }
}

impl InputBuffer {
    /// Makes the thread read a piece of at most this many bytes; starts the thread if needed.
    fn read_more(&mut self, most: usize, shared: &Arc<SharedInput>) -> io::Result<()> {
        if let Some(source) = self.source.take() {
            // There is at most one message: the next one is sent after its piece has arrived.
            let (ask, asked) = mpsc::sync_channel(1);
            let shared = Arc::downgrade(shared);
            let thread = thread::Builder::new().name("hostel-stdin".to_owned());
            thread.spawn(move || read_when_asked(source, &asked, &shared))?;
            self.thread = Some(ask);
        }
        let is_sent = self.thread.as_ref().is_some_and(|thread| thread.try_send(most).is_ok());
        self.is_asked = is_sent;
        if is_sent { Ok(()) } else { Err(io::Error::other("nothing reads the standard input any more")) }
    }
}

impl End {
    fn of(error: &io::Error) -> Self {
        Self::Failed { code: error.raw_os_error(), kind: error.kind(), message: error.to_string() }
    }
}

/// Reads a piece for each message, until the source ends or the last [`Stdin`] is dropped.
fn read_when_asked(mut source: Box<dyn Read + Send>, asked: &Receiver<usize>, shared: &Weak<SharedInput>) {
    let mut piece = Vec::new();
    for most in asked {
        piece.resize(most, 0);
        // A panicking source must not leave a guest waiting for ever.
        let read = catch_unwind(AssertUnwindSafe(|| read_some(&mut *source, &mut piece)));
        let read = read.unwrap_or_else(|_| Err(io::Error::other("the source panicked")));
        let read =
            read.and_then(|len| piece.get(..len).ok_or_else(|| io::Error::other("an impossible length")));
        let Some(shared) = shared.upgrade() else { return };
        if !shared.store(read) {
            return;
        }
    }
}

fn read_some(source: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// A program has read more of its standard input than its limit allows.
#[derive(Debug, thiserror::Error)]
#[error("the standard input is over the limit `input`")]
pub(crate) struct TooMuchInput;

/// The reads of one attempt from its standard input. All streams that the guest requests share it.
#[derive(Clone)]
pub(crate) struct StdinReader(Arc<Progress>);

struct Progress {
    stdin: Stdin,
    /// The maximum number of bytes that the attempt may read.
    allowed: usize,
    position: AtomicUsize,
    /// Whether the guest got the source's error: a failed stream is closed.
    has_failed: AtomicBool,
    /// The number of the guest's reads and polls since [`StdinReader::take_asked`].
    asked: AtomicU64,
}

impl StdinReader {
    /// Begins at the start; more than `allowed` bytes end the attempt.
    pub(crate) fn new(stdin: Stdin, allowed: u64) -> Self {
        Self(Arc::new(Progress {
            stdin,
            allowed: usize::try_from(allowed).unwrap_or(usize::MAX),
            position: AtomicUsize::new(0),
            has_failed: AtomicBool::new(false),
            asked: AtomicU64::new(0),
        }))
    }

    /// The number of the guest's reads and polls since the last call.
    pub(crate) fn take_asked(&self) -> u64 {
        self.0.asked.swap(0, Ordering::Relaxed)
    }

    /// The number of bytes that the guest has read.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.0.position.load(Ordering::Relaxed) as u64
    }

    fn note(&self) {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until there are bytes, an end or an error.
    async fn wait(&self) {
        while let Some(arrived) = self.ask() {
            pin!(arrived).await;
        }
    }

    fn ask(&self) -> Option<Notified<'_>> {
        let Progress { stdin, allowed, position, has_failed, .. } = &*self.0;
        if has_failed.load(Ordering::Relaxed) {
            return None;
        }
        stdin.ask(position.load(Ordering::Relaxed), *allowed)
    }

    /// The available bytes, at most `size`; nothing if the guest has to wait.
    fn take(&self, size: usize) -> StreamResult<Bytes> {
        let Progress { stdin, allowed, position, has_failed, .. } = &*self.0;
        if has_failed.load(Ordering::Relaxed) {
            return Err(StreamError::Closed);
        }
        match stdin.look(position.load(Ordering::Relaxed), size.min(PIECE_BYTES), *allowed) {
            Available::Bytes(bytes) => {
                position.fetch_add(bytes.len(), Ordering::Relaxed);
                Ok(bytes)
            }
            Available::Nothing => Ok(Bytes::new()),
            Available::Closed => Err(StreamError::Closed),
            Available::Failed(error) => {
                has_failed.store(true, Ordering::Relaxed);
                Err(StreamError::LastOperationFailed(error.into()))
            }
            Available::TooMuch => Err(StreamError::Trap(TooMuchInput.into())),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for StdinReader {
    async fn ready(&mut self) {
        self.note();
        self.wait().await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for StdinReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        self.note();
        // So that a guest that only polls makes progress eventually.
        drop(self.ask());
        self.take(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        self.note();
        self.wait().await;
        self.take(size)
    }
}

impl IsTerminal for StdinReader {
    /// Never, because that does not depend on the source.
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for StdinReader {
    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }

    /// Used by WASI 0.3 only, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(Unsupported)
    }
}

struct Unsupported;

impl AsyncRead for Unsupported {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Sender;
    use std::time::Duration;

    use super::*;

    /// Gives what it is sent.
    struct Pipe(Receiver<&'static str>);

    impl Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Ok(piece) = self.0.recv() else { return Ok(0) };
            piece.as_bytes().read(buffer)
        }
    }

    fn pipe(allowed: u64) -> (Sender<&'static str>, StdinReader) {
        let (pieces, received) = mpsc::channel();
        (pieces, StdinReader::new(Stdin::new(Pipe(received)), allowed))
    }

    async fn ready(stream: &mut dyn InputStream) {
        tokio::time::timeout(Duration::from_secs(60), stream.ready()).await.unwrap();
    }

    #[tokio::test]
    async fn a_guest_that_polls_gets_what_has_come() {
        let (pieces, reader) = pipe(100);
        let mut stream = reader.p2_stream();
        assert_eq!(reader.take_asked(), 0, "having it is no touch");
        assert!(stream.read(10).unwrap().is_empty(), "nothing has come yet");
        pieces.send("some").unwrap();
        ready(&mut *stream).await;
        assert_eq!(stream.read(0).unwrap(), "");
        assert_eq!(stream.read(3).unwrap(), "som");
        ready(&mut *stream).await;
        // Another stream of the same attempt continues from the position of this one.
        assert_eq!(reader.p2_stream().read(10).unwrap(), "e");
        drop(pieces);
        ready(&mut *stream).await;
        assert!(matches!(stream.read(1), Err(StreamError::Closed)));
        assert_eq!((reader.take_asked(), reader.take_asked()), (7, 0));
        assert_eq!(reader.read_bytes(), 4);
    }

    #[tokio::test]
    async fn skipping_is_reading() {
        let (pieces, reader) = pipe(5);
        pieces.send("123").unwrap();
        pieces.send("456").unwrap();
        let mut stream = reader.p2_stream();
        assert_eq!(stream.blocking_skip(10).await.unwrap(), 3);
        assert_eq!(stream.blocking_skip(10).await.unwrap(), 2);
        let Err(StreamError::Trap(error)) = stream.blocking_skip(10).await else { panic!("over the limit") };
        assert!(error.is::<TooMuchInput>());
        assert_eq!(reader.take_asked(), 3);
        assert!(!reader.is_terminal());
    }

    #[tokio::test]
    async fn a_stream_that_failed_is_closed_and_the_next_attempt_is_told_again() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(5))
            }
        }
        let stdin = Stdin::new(Failing);
        for _ in 0..2 {
            let mut stream = StdinReader::new(stdin.clone(), 100).p2_stream();
            let Err(StreamError::LastOperationFailed(error)) = stream.blocking_read(1).await else {
                panic!("no error")
            };
            assert_eq!(error.downcast_ref::<io::Error>().unwrap().raw_os_error(), Some(5));
            assert!(matches!(stream.blocking_read(1).await, Err(StreamError::Closed)));
        }
    }
}
