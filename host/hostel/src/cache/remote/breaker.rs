//! Stops repeated requests to an unavailable service.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::trouble::TroubleKind;

/// The number of consecutive failures after which requests stop for a while.
pub(super) const FAILURES_TO_OPEN: u32 = 3;

/// The length of the first pause; doubled after each further failed attempt.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The maximum length of a pause.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Allows all requests while there are answers. After [`FAILURES_TO_OPEN`] failures it allows none, and after a pause
/// one, whose result decides for all.
///
/// The pattern is known as a circuit breaker, with the states closed, open and half-open (Nygard, *Release It!*).
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Circuit>);

#[derive(Debug, Default)]
struct Circuit {
    /// Failures since the last success.
    failures: u32,
    /// When one request is allowed again, if none is allowed now.
    closed_until: Option<Instant>,
    pause: Duration,
    is_probing: bool,
    /// The problems of this outage that were logged.
    reported: HashSet<TroubleKind>,
}

/// Permission for one request. The holder reports the result. Dropping it reports nothing.
#[derive(Debug)]
pub(super) struct Leave<'a> {
    breaker: &'a Breaker,
    /// All other requests wait for this one.
    is_probe: bool,
}

impl Breaker {
    /// Permission for a request, unless requests are paused.
    pub(super) fn ask(&self) -> Option<Leave<'_>> {
        let mut state = self.state();
        let is_probe = match state.closed_until {
            None => false,
            Some(until) if until <= Instant::now() && !state.is_probing => true,
            Some(_) => return None,
        };
        state.is_probing |= is_probe;
        Some(Leave { breaker: self, is_probe })
    }

    /// Whether this kind of problem was not logged in this outage. Marks it as logged.
    pub(super) fn is_news(&self, kind: TroubleKind) -> bool {
        self.state().reported.insert(kind)
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn state(&self) -> MutexGuard<'_, Circuit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// There was an answer: an outage, if any, has ended.
    pub(super) fn succeeded(self) {
        *self.breaker.state() = Circuit::default();
    }

    /// There was no answer.
    pub(super) fn failed(self) {
        let mut state = self.breaker.state();
        state.failures = state.failures.saturating_add(1);
        if self.is_probe {
            state.pause = (state.pause * 2).min(LONGEST_PAUSE);
            state.closed_until = Some(Instant::now() + state.pause);
        } else if state.closed_until.is_none() && state.failures >= FAILURES_TO_OPEN {
            state.pause = FIRST_PAUSE;
            state.closed_until = Some(Instant::now() + state.pause);
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // A caller that gave up waiting does not know the result, so the next one has to find out.
        if mem::take(&mut self.is_probe) {
            self.breaker.state().is_probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn fail(breaker: &Breaker) {
        breaker.ask().unwrap().failed();
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn it_opens_after_failures_and_closes_after_a_success() {
        let breaker = Breaker::default();
        (1..FAILURES_TO_OPEN).for_each(|_| fail(&breaker));
        breaker.ask().unwrap().succeeded();
        (0..FAILURES_TO_OPEN).for_each(|_| fail(&breaker));
        assert!(breaker.ask().is_none());

        advance(FIRST_PAUSE - Duration::from_millis(1)).await;
        assert!(breaker.ask().is_none());
        advance(Duration::from_millis(1)).await;
        let probe = breaker.ask().unwrap();
        assert!(breaker.ask().is_none(), "one at a time");
        probe.succeeded();
        let _both = (breaker.ask().unwrap(), breaker.ask().unwrap());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn the_pause_grows_up_to_a_bound() {
        let breaker = Breaker::default();
        (0..FAILURES_TO_OPEN).for_each(|_| fail(&breaker));
        let mut pause = FIRST_PAUSE;
        for _ in 0..10 {
            assert!(breaker.ask().is_none());
            advance(pause).await;
            fail(&breaker);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        assert_eq!(breaker.state().pause, LONGEST_PAUSE);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_probe_that_is_given_up_lets_another_one_through() {
        let breaker = Breaker::default();
        (0..FAILURES_TO_OPEN).for_each(|_| fail(&breaker));
        advance(FIRST_PAUSE).await;
        drop(breaker.ask().unwrap());
        breaker.ask().unwrap().succeeded();
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn what_began_before_it_opened_does_not_prolong_the_pause() {
        let breaker = Breaker::default();
        let early: Vec<_> = (0..10).map(|_| breaker.ask().unwrap()).collect();
        early.into_iter().for_each(Leave::failed);
        advance(FIRST_PAUSE).await;
        assert!(breaker.ask().is_some());
    }

    #[test]
    fn each_kind_of_trouble_is_told_once_in_an_outage() {
        let breaker = Breaker::default();
        assert!(breaker.is_news(TroubleKind::Late));
        assert!(!breaker.is_news(TroubleKind::Late));
        assert!(breaker.is_news(TroubleKind::Denied));
        breaker.ask().unwrap().succeeded();
        assert!(breaker.is_news(TroubleKind::Late));
    }
}
