//! One-time codes with which a browser gets the first token, so that no address has it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hostel::Digest;

use crate::bounds::LOGIN_TIME;

/// The most codes that wait to be used.
const CODES: usize = 16;

/// Codes that were not used yet, by their digests.
#[derive(Debug, Default)]
pub(crate) struct LoginCodes(Mutex<HashMap<Digest, Instant>>);

impl LoginCodes {
    /// Makes this code valid, once and for ten minutes.
    pub(crate) fn add(&self, code: &str, now: Instant) {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, since| is_valid(*since, now));
        if codes.len() < CODES {
            codes.insert(Digest::of(code.as_bytes()), now);
        }
    }

    /// Whether the code is valid. It is not any more after that.
    pub(crate) fn take(&self, code: &str, now: Instant) -> bool {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.remove(&Digest::of(code.as_bytes())).is_some_and(|since| is_valid(since, now))
    }
}

fn is_valid(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < LOGIN_TIME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_valid_once_and_for_ten_minutes() {
        let (codes, now) = (LoginCodes::default(), Instant::now());
        codes.add("a", now);
        codes.add("b", now);
        assert!(!codes.take("c", now));
        assert!(codes.take("a", now) && !codes.take("a", now));
        assert!(!codes.take("b", now + LOGIN_TIME));
    }
}
