//! The number of bytes that an attempt received and sent, and their limit.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use hostel_core::{Limit, LimitKind, Limits};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::denial::DenialBook;

/// The network traffic of one attempt.
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    limit: Limit,
    denials: DenialBook,
}

/// The limit of network traffic is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit of network bytes is reached")]
pub(crate) struct OverLimit;

impl From<OverLimit> for io::Error {
    fn from(over: OverLimit) -> Self {
        Self::new(io::ErrorKind::QuotaExceeded, over)
    }
}

impl Traffic {
    pub(crate) fn new(limits: &Limits, denials: &DenialBook) -> Self {
        let limit = Limit::of(LimitKind::Network, limits);
        Self { received: AtomicU64::new(0), sent: AtomicU64::new(0), limit, denials: denials.clone() }
    }

    pub(crate) fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Counts received bytes; an error if they exceed the limit, in which case the guest must not get them.
    pub(crate) fn receive(&self, bytes: usize) -> Result<(), OverLimit> {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.check(0)
    }

    /// Counts sent bytes, after [`Traffic::check`] allowed them.
    pub(crate) fn send(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether this many more bytes may be sent.
    pub(crate) fn check(&self, more: usize) -> Result<(), OverLimit> {
        let total = self.received_bytes().saturating_add(self.sent_bytes()).saturating_add(more as u64);
        if total <= self.limit.allowed {
            return Ok(());
        }
        self.denials.remark(self.limit.to_string());
        Err(OverLimit)
    }
}

/// A connection whose bytes are counted.
pub(super) struct Counted<S> {
    pub(super) stream: S,
    pub(super) traffic: Arc<Traffic>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let received = buf.filled().len().saturating_sub(before);
        Poll::Ready(self.traffic.receive(received).map_err(io::Error::from))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.traffic.check(bytes.len())?;
        let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.traffic.send(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
