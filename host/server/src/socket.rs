//! A connection as the server wants it: it ends if its client does not take what is written to it, and it ends in a way that lets the
//! client read the last answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::peers::{Peer, WaitsFor};

/// How long the end waits for what the client still sends.
const LINGER: Duration = Duration::from_secs(1);

/// A connection whose writes fail if none of them gets on for some time.
///
/// At its end it reads, for a second, what the client still sends: a system that closes a connection with unread bytes tells the client
/// to forget what it has not read, and so a client that sends too much would not learn that it does.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Whom to tell that a write waits.
    peer: Option<Arc<Peer>>,
    /// Runs from the end on.
    ending: Option<Pin<Box<Sleep>>>,
}

impl<S> Socket<S> {
    pub(crate) const fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waiting: None, peer: None, ending: None }
    }

    /// The same, which notes at the connection's peer when a write waits.
    pub(crate) fn of(self, peer: &Arc<Peer>) -> Self {
        Self { peer: Some(Arc::clone(peer)), ..self }
    }

    /// What a write has come to, or an error if it waits for too long.
    fn patient<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.waiting.take().is_some() {
                self.peer.iter().for_each(|peer| peer.waits(None));
            }
            return written;
        }
        if self.waiting.is_none() {
            self.peer.iter().for_each(|peer| peer.waits(Some(WaitsFor::Client)));
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patient(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.patient(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.patient(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.is_none() {
            let shut = Pin::new(&mut self.stream).poll_shutdown(context);
            ready!(self.patient(context, shut))?;
            if self.peer.as_ref().is_some_and(|peer| peer.gives_way()) {
                // Somebody else waits for the place.
                return Poll::Ready(Ok(()));
            }
            self.ending = Some(Box::pin(sleep(LINGER)));
        }
        let Self { stream, ending, .. } = &mut *self;
        if ending.as_mut().is_some_and(|ending| ending.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Ok(()));
        }
        let mut unread = [0; 4096];
        loop {
            let mut unread = ReadBuf::new(&mut unread);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut unread));
            if read.is_err() || unread.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_nobody_takes_fails() {
        let (near, mut far) = duplex(4);
        let mut near = Socket::new(near, Duration::from_secs(60));
        near.write_all(b"1234").await.unwrap();
        let mut taken = [0; 2];
        far.read_exact(&mut taken).await.unwrap();
        near.write_all(b"56").await.unwrap();
        let error = near.write_all(b"7").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_the_client_still_sends() {
        let (near, mut far) = duplex(4);
        let mut near = Socket::new(near, Duration::from_secs(60));
        let began = Instant::now();
        let send = async {
            far.write_all(&[0; 10_000]).await.unwrap();
            drop(far);
        };
        let (ended, ()) = tokio::join!(near.shutdown(), send);
        ended.unwrap();
        assert!(began.elapsed() < LINGER);

        let (near, _far) = duplex(4);
        let began = Instant::now();
        Socket::new(near, Duration::from_secs(60)).shutdown().await.unwrap();
        assert_eq!(began.elapsed(), LINGER);
    }
}
