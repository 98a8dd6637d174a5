//! How often a token may submit and upload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostel::Timestamp;
use hostel::journal::{Gate, Rate, RunLimit};

use crate::bounds::{SUBMITS_PER_SECOND, TOKENS, UPLOADS_PER_MINUTE};
use crate::problem::{Answer, ApiProblem, Code};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// A run that is submitted.
    Submit,
    /// A component that is uploaded.
    Upload,
}

/// The rates of all tokens.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<(Arc<str>, Counted), Gate>>);

impl Rates {
    /// Counts one, or refuses it.
    pub(crate) fn take(&self, token: &Arc<str>, counted: Counted, now: Timestamp) -> Answer<()> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() > 2 * TOKENS {
            // Tokens that were removed since are forgotten, and with them for once what others have used.
            gates.clear();
        }
        let gate = gates.entry((Arc::clone(token), counted)).or_insert_with(|| gate(counted));
        if !gate.is_open(now) {
            let (what, limit) = match counted {
                Counted::Submit => ("runs", format!("{SUBMITS_PER_SECOND} in a second")),
                Counted::Upload => ("uploads", format!("{UPLOADS_PER_MINUTE} in a minute")),
            };
            let problem = format!("too many {what} of the token {token:?}: expected at most {limit}");
            return Err(ApiProblem::new(Code::TooMany, problem));
        }
        gate.take(now);
        Ok(())
    }
}

fn gate(counted: Counted) -> Gate {
    let (starts, per) = match counted {
        Counted::Submit => (SUBMITS_PER_SECOND, Duration::from_secs(1)),
        Counted::Upload => (UPLOADS_PER_MINUTE, Duration::from_secs(60)),
    };
    Gate { limit: RunLimit { max_running: None, rate: Some(Rate { starts, per }) }, ..Gate::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_own_rates() {
        let (rates, now) = (Rates::default(), Timestamp::from_unix_nanos(1_000_000_000_000));
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let uploads = (0..100).filter(|_| rates.take(&one, Counted::Upload, now).is_ok()).count();
        assert_eq!(uploads, UPLOADS_PER_MINUTE as usize);
        assert!(rates.take(&one, Counted::Submit, now).is_ok());
        assert!(rates.take(&other, Counted::Upload, now).is_ok());
        assert!(rates.take(&one, Counted::Upload, now.after(Duration::from_secs(3))).is_ok());
    }
}
