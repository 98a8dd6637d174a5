//! Places for which tokens wait in turns: one that asks for many keeps another one waiting for no more than one of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel::Digest;
use tokio::sync::oneshot::{Sender, channel};

/// Places that are given to tokens in turns, and to the requests of one token in their order.
#[derive(Clone, Debug)]
pub(crate) struct Fair(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// The tokens that wait, and their requests. The first one is next, and goes to the end then.
    waiting: VecDeque<(Digest, VecDeque<Sender<Place>>)>,
}

/// A place, which the next one gets when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(Fair);

impl Fair {
    /// So many places.
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: places, waiting: VecDeque::new() })))
    }

    /// Waits for a place; `None` if there will be none any more.
    ///
    /// # Cancel safety
    ///
    /// A request that is dropped while it waits gets no place.
    pub(crate) async fn place(&self, token: Digest) -> Option<Place> {
        let place = {
            let mut state = self.state();
            if let Some(free) = state.free.checked_sub(1) {
                state.free = free;
                return Some(Place(self.clone()));
            }
            let (send, receive) = channel();
            match state.waiting.iter_mut().find(|(other, _)| *other == token) {
                Some((_, requests)) => requests.push_back(send),
                None => state.waiting.push_back((token, VecDeque::from([send]))),
            }
            receive
        };
        place.await.ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The request that is next, of those that still wait.
    fn next(&mut self) -> Option<Sender<Place>> {
        while let Some((token, mut requests)) = self.waiting.pop_front() {
            while let Some(request) = requests.pop_front() {
                if !request.is_closed() {
                    if !requests.is_empty() {
                        self.waiting.push_back((token, requests));
                    }
                    return Some(request);
                }
            }
        }
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.state();
            let next = state.next();
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        // If it has just gone, its place is dropped here, and the one after it gets it.
        next.into_iter().for_each(|next| _ = next.send(Self(self.0.clone())));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};

    use super::*;

    fn token(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[tokio::test]
    async fn tokens_take_turns() {
        let fair = Fair::new(1);
        let first = fair.place(token("greedy")).await.unwrap();
        let mut greedy: Vec<_> = (0..3).map(|_| Box::pin(fair.place(token("greedy")))).collect();
        for request in &mut greedy {
            assert!(poll!(request).is_pending());
        }
        let mut modest = Box::pin(fair.place(token("modest")));
        assert!(poll!(&mut modest).is_pending());
        drop(first);
        let second = (&mut greedy[0]).now_or_never().unwrap().unwrap();
        assert!((&mut modest).now_or_never().is_none());
        drop(second);
        let third = (&mut modest).now_or_never().unwrap().unwrap();
        assert!((&mut greedy[1]).now_or_never().is_none());
        drop(third);
        assert!((&mut greedy[1]).now_or_never().unwrap().is_some());
        assert!((&mut greedy[2]).now_or_never().unwrap().is_some());
        assert!(fair.place(token("modest")).now_or_never().unwrap().is_some());
    }

    #[tokio::test]
    async fn a_request_that_has_gone_gets_no_place_and_keeps_none() {
        let fair = Fair::new(1);
        let first = fair.place(token("a")).await.unwrap();
        let mut gone = Box::pin(fair.place(token("b")));
        let mut given = Box::pin(fair.place(token("c")));
        let mut last = Box::pin(fair.place(token("d")));
        for request in [&mut gone, &mut given, &mut last] {
            assert!(poll!(request).is_pending());
        }
        drop(gone);
        drop(first);
        // It has its place, and goes without having looked.
        drop(given);
        assert!(last.now_or_never().unwrap().is_some());
        assert!(fair.place(token("a")).now_or_never().unwrap().is_some());
    }
}
