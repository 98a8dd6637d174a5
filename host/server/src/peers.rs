//! Who is connected, and which connection gives way to a new one when all places are taken.
//!
//! A connection gives way only while it waits for somebody else: for its next request, for a part of a body, for a client that takes an
//! answer, or for the end of a run. It is one of the token that has most of those, and of these the one that has waited longest. A
//! client that fills the server with waiting requests therefore loses its own connections first.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hostel::Digest;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

/// So long a connection may wait before it gives way: one that was just opened has a request on its way.
const GRACE: Duration = Duration::from_secs(1);

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    all: Mutex<HashMap<u64, Arc<Peer>>>,
    next: AtomicU64,
}

/// A connection that is one of all until this is dropped.
#[derive(Debug)]
pub(crate) struct Joined {
    peers: Arc<Peers>,
    number: u64,
    peer: Arc<Peer>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Peer {
    state: Mutex<State>,
    /// Tells the connection to give way.
    connection: Notify,
    /// Tells the request that waits for a body or a run.
    request: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    /// The token of the last request; `None` if it had none.
    token: Option<Digest>,
    /// Since when the connection has no request; `None` while one is answered.
    idle: Option<Instant>,
    /// What the request or its answer waits for, and since when.
    waits: Option<(WaitsFor, Instant)>,
    was_asked: bool,
}

/// Whom a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// The client, with a part of its body.
    Body,
    /// The client, which does not take its answer.
    Client,
    /// The end of a run.
    Run,
}

/// How a connection that was asked to can give way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivesWay {
    /// It ends.
    Now,
    /// Its request is answered at once, and then it ends.
    Answered,
    /// It does not: it has gone on meanwhile.
    No,
}

impl Peers {
    /// A new connection, which waits for its first request.
    pub(crate) fn join(self: &Arc<Self>) -> Joined {
        let state = State { token: None, idle: Some(Instant::now()), waits: None, was_asked: false };
        let (connection, request) = (Notify::new(), Arc::new(Notify::new()));
        let peer = Arc::new(Peer { state: Mutex::new(state), connection, request });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.all().insert(number, Arc::clone(&peer));
        Joined { peers: Arc::clone(self), number, peer }
    }

    /// Asks one of the connections that have waited for a second to give way; `false` if there is none. Looks at all connections.
    pub(crate) fn ask_one(&self) -> bool {
        let all = self.all();
        let waiting = all.values().filter_map(|peer| {
            let state = peer.state();
            let since = state.waits.map(|(_, since)| since).or(state.idle)?;
            (!state.was_asked && since.elapsed() >= GRACE).then_some((state.token, since, peer))
        });
        let waiting: Vec<_> = waiting.collect();
        let mut numbers: HashMap<Option<Digest>, usize> = HashMap::new();
        waiting.iter().for_each(|(token, ..)| *numbers.entry(*token).or_default() += 1);
        let number = |token: &Option<Digest>| numbers.get(token).copied().unwrap_or_default();
        let first = waiting.iter().max_by_key(|(token, since, _)| (number(token), std::cmp::Reverse(*since)));
        let Some((_, _, peer)) = first else { return false };
        peer.state().was_asked = true;
        peer.connection.notify_one();
        true
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, Arc<Peer>>> {
        // No code panics while it holds the lock.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Joined {
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.peers.all().remove(&self.number);
    }
}

impl Peer {
    /// A request has come. The connection is busy until the value is dropped.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        let mut state = self.state();
        state.idle = None;
        state.token = None;
        Busy(Arc::clone(self))
    }

    /// The request has this token.
    pub(crate) fn has_token(&self, token: Digest) {
        self.state().token = Some(token);
    }

    /// Notes what the request waits for, or that it goes on.
    pub(crate) fn waits(&self, waits: Option<WaitsFor>) {
        let waits = waits.map(|what| (what, Instant::now()));
        self.state().waits = waits;
    }

    /// Waits for a run with a future; `None` if the request has to give way first.
    pub(crate) async fn for_run<T>(&self, end: impl Future<Output = T>) -> Option<T> {
        let _waiting = Waiting::new(self, WaitsFor::Run);
        tokio::select! {
            ended = end => Some(ended),
            () = self.request.notified() => None,
        }
    }

    /// Whether the connection was asked to give way, and is about to.
    pub(crate) fn gives_way(&self) -> bool {
        self.state().was_asked
    }

    /// Completes when the connection was asked to give way, and says how it can.
    pub(crate) async fn asked(&self) -> GivesWay {
        self.connection.notified().await;
        let mut state = self.state();
        match (state.waits.map(|(what, _)| what), state.idle) {
            (Some(WaitsFor::Body | WaitsFor::Run), _) => {
                self.request.notify_one();
                GivesWay::Answered
            }
            (Some(WaitsFor::Client), _) | (None, Some(_)) => GivesWay::Now,
            (None, None) => {
                state.was_asked = false;
                GivesWay::No
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request is answered. When this is dropped, the answer is written, or somebody has given up.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Peer>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.state().idle = Some(Instant::now());
    }
}

struct Waiting<'a>(&'a Peer);

impl<'a> Waiting<'a> {
    fn new(peer: &'a Peer, what: WaitsFor) -> Self {
        peer.waits(Some(what));
        Self(peer)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waits(None);
    }
}

/// The body of a request, which ends with [`GaveWay`] if the connection has to give way while it does not come.
#[derive(Debug)]
pub(crate) struct Awaited<B> {
    body: B,
    peer: Arc<Peer>,
    asked: Pin<Box<OwnedNotified>>,
    is_waiting: bool,
}

impl<B> Awaited<B> {
    pub(crate) fn new(body: B, peer: &Arc<Peer>) -> Self {
        let asked = Box::pin(Arc::clone(&peer.request).notified_owned());
        Self { body, peer: Arc::clone(peer), asked, is_waiting: false }
    }
}

impl<B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin> Body for Awaited<B> {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let is_waiting = frame.is_pending();
        if is_waiting != self.is_waiting {
            self.is_waiting = is_waiting;
            self.peer.waits(is_waiting.then_some(WaitsFor::Body));
        }
        if is_waiting && self.asked.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(GaveWay.into())));
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Awaited<B> {
    fn drop(&mut self) {
        if self.is_waiting {
            self.peer.waits(None);
        }
    }
}

/// A body did not come, and others needed the connection's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GaveWay;

impl fmt::Display for GaveWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server has no place for a request whose body does not come")
    }
}

impl Error for GaveWay {}

/// The body of an answer, with which the connection stays busy until it was handed over.
#[derive(Debug)]
pub(crate) struct Answering<B> {
    body: B,
    _busy: Busy,
}

impl<B> Answering<B> {
    pub(crate) const fn new(body: B, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{FutureExt, poll};
    use http_body_util::{BodyExt, Empty, StreamBody};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn token(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn the_token_that_waits_most_gives_way_with_what_has_waited_longest() {
        let peers = Arc::new(Peers::default());
        assert!(!peers.ask_one(), "there is nobody");
        let idle = peers.join();
        tokio::time::advance(SECOND).await;
        assert!(peers.ask_one() && !peers.ask_one(), "one is asked once");
        let many: Vec<_> = (0..3).map(|_| peers.join()).collect();
        let busy: Vec<_> = many.iter().map(|joined| joined.peer().busy()).collect();
        assert_eq!(idle.peer().asked().now_or_never(), Some(GivesWay::Now));
        assert!(!peers.ask_one(), "what is computed does not give way");
        for joined in [2, 0, 1].map(|n| &many[n]) {
            joined.peer().has_token(token("greedy"));
            joined.peer().waits(Some(WaitsFor::Run));
            tokio::time::advance(SECOND).await;
        }
        let modest = peers.join();
        let answering = modest.peer().busy();
        modest.peer().has_token(token("modest"));
        modest.peer().waits(Some(WaitsFor::Client));
        tokio::time::advance(SECOND).await;
        assert!(peers.ask_one());
        assert_eq!(many[2].peer().asked().now_or_never(), Some(GivesWay::Answered));
        assert!([0, 1].iter().all(|n| many[*n].peer().asked().now_or_never().is_none()));
        assert!(peers.ask_one());
        assert_eq!(many[0].peer().asked().now_or_never(), Some(GivesWay::Answered));
        drop((many, busy));
        assert!(peers.ask_one());
        assert_eq!(modest.peer().asked().now_or_never(), Some(GivesWay::Now));
        drop(answering);
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_on_before_it_hears_does_not_give_way() {
        let peers = Arc::new(Peers::default());
        let joined = peers.join();
        assert!(!peers.ask_one(), "its request is on its way");
        tokio::time::advance(SECOND).await;
        assert!(peers.ask_one() && !peers.ask_one());
        let busy = joined.peer().busy();
        assert_eq!(joined.peer().asked().now_or_never(), Some(GivesWay::No));
        drop(busy);
        tokio::time::advance(SECOND).await;
        assert!(peers.ask_one(), "it may be asked again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_a_run_ends_with_the_run_or_gives_way() {
        let peers = Arc::new(Peers::default());
        let joined = peers.join();
        let peer = joined.peer();
        let _busy = peer.busy();
        assert_eq!(peer.for_run(std::future::ready(1)).await, Some(1));
        assert!(!peers.ask_one());
        let mut waits = Box::pin(peer.for_run(std::future::pending::<()>()));
        assert!(poll!(&mut waits).is_pending());
        tokio::time::advance(SECOND).await;
        assert!(peers.ask_one());
        assert_eq!(peer.asked().await, GivesWay::Answered);
        assert_eq!(waits.await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_gives_way_and_one_that_comes_does_not() {
        let peers = Arc::new(Peers::default());
        let joined = peers.join();
        let _busy = joined.peer().busy();
        let mut empty = Awaited::new(Empty::<Bytes>::new(), joined.peer());
        assert!(empty.frame().await.is_none());
        assert!(!peers.ask_one());
        let parts = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, std::io::Error>>());
        let mut body = Awaited::new(parts, joined.peer());
        let mut part = Box::pin(body.frame());
        assert!(poll!(&mut part).is_pending());
        tokio::time::advance(SECOND).await;
        assert!(peers.ask_one());
        assert_eq!(joined.peer().asked().await, GivesWay::Answered);
        let error = part.await.unwrap().unwrap_err();
        assert!(error.is::<GaveWay>());
    }
}
