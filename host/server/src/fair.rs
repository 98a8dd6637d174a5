//! Places for which tokens wait in turns: one that asks for many keeps another one waiting for no more than one of them. Where clients decide
//! how long they keep a place, no token gets all.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel::Digest;
use tokio::sync::oneshot::{Sender, channel};

/// Places that are given to tokens in turns, and to the requests of one token in their order. One that needs many places keeps its turn
/// until they are free.
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
    waiting: VecDeque<(Digest, VecDeque<Waiting>)>,
}

/// A request that waits for so many places.
#[derive(Debug)]
struct Waiting {
    places: usize,
    give: Sender<Place>,
}

/// A place or several, which the next one gets when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Fair,
    token: Digest,
    places: usize,
}

/// A place that others get when all copies are dropped. Whatever goes on without its client holds a copy.
pub(crate) type KeptPlace = Arc<Place>;

impl Fair {
    /// So many places.
    pub(crate) fn new(places: usize) -> Self {
        Self::with_most_each(places, usize::MAX)
    }

    /// So many places, of which one token has at most some, or one request.
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
        self.places(token, 1).await
    }

    /// Waits for so many places, which must not be more than there are; `None` if there will be none any more.
    ///
    /// # Cancel safety
    ///
    /// As [`Fair::place`].
    pub(crate) async fn places(&self, token: Digest, places: usize) -> Option<Place> {
        if let Some(place) = self.try_places(token, places) {
            return Some(place);
        }
        // If it goes, those behind it may fit.
        let _gone = GiveOn(self);
        let (give, given) = channel();
        self.state().wait(token, Waiting { places, give });
        self.give_on();
        given.await.ok()
    }

    /// So many places if they are free, and nobody waits who could have them.
    pub(crate) fn try_places(&self, token: Digest, places: usize) -> Option<Place> {
        let mut state = self.state();
        let is_next = state.waiting.iter().all(|(other, requests)| {
            requests.front().is_none_or(|next| *other != token && !state.may_take(other, next.places))
        });
        (is_next && places <= state.free && state.may_take(&token, places)).then(|| {
            state.take(token, places);
            Place { of: self.clone(), token, places }
        })
    }

    /// How many places are free.
    pub(crate) fn free(&self) -> usize {
        self.state().free
    }

    /// Gives free places to those that wait.
    fn give_on(&self) {
        loop {
            let Some((token, Waiting { places, give })) = self.state().next() else { return };
            // If it has just gone, its place is dropped here, and the one after it gets it.
            _ = give.send(Place { of: self.clone(), token, places });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_take(&self, token: &Digest, places: usize) -> bool {
        self.taken.get(token).is_none_or(|taken| taken.saturating_add(places) <= self.each)
    }

    fn take(&mut self, token: Digest, places: usize) {
        self.free -= places;
        if self.each < usize::MAX {
            *self.taken.entry(token).or_default() += places;
        }
    }

    fn give_back(&mut self, token: &Digest, places: usize) {
        self.free += places;
        if let Some(taken) = self.taken.get_mut(token) {
            *taken -= places;
            if *taken == 0 {
                self.taken.remove(token);
            }
        }
    }

    fn wait(&mut self, token: Digest, waiting: Waiting) {
        match self.waiting.iter_mut().find(|(other, _)| *other == token) {
            Some((_, requests)) => requests.push_back(waiting),
            None => self.waiting.push_back((token, VecDeque::from([waiting]))),
        }
    }

    /// Takes the places for the request that is next, of those that still wait.
    fn next(&mut self) -> Option<(Digest, Waiting)> {
        for (_, requests) in &mut self.waiting {
            while requests.pop_front_if(|request| request.give.is_closed()).is_some() {}
        }
        self.waiting.retain(|(_, requests)| !requests.is_empty());
        let may_take = |(token, requests): &(Digest, VecDeque<Waiting>)| {
            requests.front().is_some_and(|next| self.may_take(token, next.places))
        };
        let next = self.waiting.iter().position(may_take)?;
        let (token, requests) = self.waiting.get_mut(next)?;
        let token = *token;
        let free = self.free;
        let request = requests.pop_front_if(|request| request.places <= free)?;
        if let Some((token, requests)) = self.waiting.remove(next)
            && !requests.is_empty()
        {
            self.waiting.push_back((token, requests));
        }
        self.take(token, request.places);
        Some((token, request))
    }
}

impl Place {
    /// How many places these are.
    pub(crate) const fn number(&self) -> usize {
        self.places
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.state().give_back(&self.token, self.places);
        self.of.give_on();
    }
}

/// Gives free places on when it is dropped.
struct GiveOn<'a>(&'a Fair);

impl Drop for GiveOn<'_> {
    fn drop(&mut self) {
        self.0.give_on();
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
        let second = fair.place(token("greedy")).await.unwrap();
        let mut third = Box::pin(fair.place(token("greedy")));
        assert!(poll!(&mut third).is_pending(), "though a place is free");
        let modest = fair.place(token("modest")).now_or_never().unwrap().unwrap();
        let mut waits = Box::pin(fair.place(token("modest")));
        assert!(poll!(&mut waits).is_pending());
        drop(modest);
        assert!(poll!(&mut third).is_pending(), "the place is for the other one");
        let _modest = waits.now_or_never().unwrap().unwrap();
        drop(greedy);
        let third = third.now_or_never().unwrap();
        assert_eq!(fair.state().taken.len(), 2);
        drop((third, second));
        let one_for_all = Fair::with_most_each(3, 2).places(token("greedy"), 3).now_or_never();
        assert!(one_for_all.unwrap().is_some(), "one request may have more");
    }

    #[tokio::test]
    async fn a_request_for_many_places_waits_until_they_are_free_and_then_goes_first() {
        let fair = Fair::new(4);
        let [first, second] = [1, 2].map(|places| fair.try_places(token("a"), places).unwrap());
        let mut many = Box::pin(fair.places(token("b"), 4));
        let mut one = Box::pin(fair.place(token("c")));
        assert!(poll!(&mut many).is_pending());
        assert!(poll!(&mut one).is_pending(), "one is free, but it is for the other");
        assert!(fair.try_places(token("d"), 1).is_none());
        drop(first);
        assert!(poll!(&mut many).is_pending() && poll!(&mut one).is_pending());
        drop(second);
        let many = many.now_or_never().unwrap().unwrap();
        assert_eq!((many.number(), fair.free()), (4, 0));
        let mut again = Box::pin(fair.places(token("b"), 4));
        assert!(poll!(&mut again).is_pending() && poll!(&mut one).is_pending());
        drop(many);
        let one = one.now_or_never().unwrap().unwrap();
        assert!(poll!(&mut again).is_pending());
        let mut last = Box::pin(fair.places(token("d"), 3));
        assert!(poll!(&mut last).is_pending());
        // It keeps nobody waiting any more.
        drop(again);
        assert!(last.now_or_never().unwrap().is_some());
        drop(one);
        assert_eq!(fair.free(), 4);
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
