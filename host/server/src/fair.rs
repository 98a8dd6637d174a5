//! Places for which tokens wait in turns: one that asks for many keeps another one waiting for no more than one of them. Where clients decide
//! how long they keep a place, no token gets all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel::Digest;
use tokio::sync::oneshot::{Sender, channel};

/// Places that are given to tokens in turns, and to the requests of one token in their order.
#[derive(Clone, Debug)]
pub(crate) struct Fair(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// How many one token may have.
    each: usize,
    /// How many those have that have some, if there is such a bound.
    taken: HashMap<Digest, usize>,
    /// The tokens that wait, and their requests. The first one is next, and goes to the end then.
    waiting: VecDeque<(Digest, VecDeque<Sender<Place>>)>,
}

/// A place, which the next one gets when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Fair,
    token: Digest,
}

impl Fair {
    /// So many places.
    pub(crate) fn new(places: usize) -> Self {
        Self::with_most_each(places, usize::MAX)
    }

    /// So many places, of which one token has at most some.
    pub(crate) fn with_most_each(places: usize, each: usize) -> Self {
        let (taken, waiting) = (HashMap::new(), VecDeque::new());
        Self(Arc::new(Mutex::new(State { free: places, each, taken, waiting })))
    }

    /// Waits for a place; `None` if there will be none any more.
    ///
    /// # Cancel safety
    ///
    /// A request that is dropped while it waits gets no place.
    pub(crate) async fn place(&self, token: Digest) -> Option<Place> {
        let place = {
            let mut state = self.state();
            if state.free > 0 && state.may_take(&token) {
                state.take(token);
                return Some(Place { of: self.clone(), token });
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
    fn may_take(&self, token: &Digest) -> bool {
        self.taken.get(token).is_none_or(|taken| *taken < self.each)
    }

    fn take(&mut self, token: Digest) {
        self.free -= 1;
        if self.each < usize::MAX {
            *self.taken.entry(token).or_default() += 1;
        }
    }

    fn give_back(&mut self, token: &Digest) {
        self.free += 1;
        if let Some(taken) = self.taken.get_mut(token) {
            *taken -= 1;
            if *taken == 0 {
                self.taken.remove(token);
            }
        }
    }

    /// The request that is next, of those that still wait, and its token.
    fn next(&mut self) -> Option<(Digest, Sender<Place>)> {
        loop {
            let next = self.waiting.iter().position(|(token, _)| self.may_take(token))?;
            let (token, mut requests) = self.waiting.remove(next)?;
            while let Some(request) = requests.pop_front() {
                if !request.is_closed() {
                    if !requests.is_empty() {
                        self.waiting.push_back((token, requests));
                    }
                    return Some((token, request));
                }
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut state = self.of.state();
            state.give_back(&self.token);
            let next = state.next();
            next.iter().for_each(|(token, _)| state.take(*token));
            next
        };
        // If it has just gone, its place is dropped here, and the one after it gets it.
        next.into_iter().for_each(|(token, next)| _ = next.send(Self { of: self.of.clone(), token }));
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
    async fn a_token_gets_no_more_places_than_it_may_have() {
        let fair = Fair::with_most_each(3, 2);
        let greedy = fair.place(token("greedy")).await.unwrap();
        let _second = fair.place(token("greedy")).await.unwrap();
        let mut third = Box::pin(fair.place(token("greedy")));
        assert!(poll!(&mut third).is_pending(), "though a place is free");
        let modest = fair.place(token("modest")).now_or_never().unwrap().unwrap();
        let mut waits = Box::pin(fair.place(token("modest")));
        assert!(poll!(&mut waits).is_pending());
        drop(modest);
        assert!(poll!(&mut third).is_pending(), "the place is for the other one");
        let _modest = waits.now_or_never().unwrap().unwrap();
        drop(greedy);
        assert!(third.now_or_never().unwrap().is_some());
        assert_eq!(fair.state().taken.len(), 2);
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
