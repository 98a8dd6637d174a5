//! Options for retries. Their doc comments are the help.

use std::time::Duration;

use clap::Args;
use hostel::{RetryDelay, RetryError, RetryOn, RetryPolicy, Task};

use crate::problem::Problem;
use crate::units;

/// The options for retries.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Retries")]
pub(crate) struct RetryOptions {
    /// Retry up to N times when an attempt fails [default: 0]
    #[arg(long, value_name = "N", value_parser = retries, allow_negative_numbers = true)]
    pub(crate) retries: Option<u32>,

    /// Wait this long before each retry: 1s; 1s,10s (the last one repeats); exp:1s (doubles each time)
    #[arg(long, value_name = "TIME", value_parser = retry_delay, allow_hyphen_values = true)]
    pub(crate) retry_delay: Option<RetryDelay>,

    /// Vary each wait at random: with 0.3, up to 1.3 times as long [default: 0]
    #[arg(long, value_name = "FACTOR", value_parser = retry_jitter, allow_negative_numbers = true)]
    pub(crate) retry_jitter: Option<f64>,

    /// Retry only these, joined by commas: error, trap, exit, limit, timeout, crash [default: all but crash]
    #[arg(long, value_name = "KINDS")]
    pub(crate) retry_on: Option<RetryOn>,
}

impl RetryOptions {
    /// These options, completed by those of `others`.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            retries: self.retries.or(others.retries),
            retry_delay: self.retry_delay.or(others.retry_delay),
            retry_jitter: self.retry_jitter.or(others.retry_jitter),
            retry_on: self.retry_on.or(others.retry_on),
        }
    }

    /// The task with these options.
    pub(crate) fn apply(&self, task: Task) -> Task {
        let usual = RetryPolicy::default();
        task.retry_policy(RetryPolicy {
            retries: self.retries.unwrap_or(usual.retries),
            delay: self.retry_delay.clone().unwrap_or(usual.delay),
            jitter: self.retry_jitter.unwrap_or(usual.jitter),
            on: self.retry_on.unwrap_or(usual.on),
        })
    }

    /// The maximum number of attempts of a run.
    pub(crate) const fn most_attempts(&self) -> u32 {
        match self.retries {
            Some(retries) => retries.saturating_add(1),
            None => 1,
        }
    }

    /// Refuses options for retries if no retries are set; `all` are the options from all places.
    pub(crate) fn check_use(&self, all: &Self) -> Result<(), Problem> {
        let others = [
            ("--retry-delay", self.retry_delay.is_some()),
            ("--retry-jitter", self.retry_jitter.is_some()),
            ("--retry-on", self.retry_on.is_some()),
        ];
        let said = others.into_iter().find(|(_, is_said)| *is_said).filter(|_| all.retries.is_none());
        said.map_or(Ok(()), |(option, _)| {
            let problem = Problem::invalid(format!("{option} is set, but retries are not"));
            Err(problem.hint("set the number of retries with --retries N"))
        })
    }
}

/// Parses the number of retries.
pub(crate) fn retries(text: &str) -> Result<u32, String> {
    let policy = |retries| RetryPolicy { retries, ..RetryPolicy::default() };
    let retries = text.parse().ok().filter(|&retries| policy(retries).validate().is_ok());
    retries.ok_or_else(|| format!("expected a whole number from 0 to {}", RetryPolicy::MAX_RETRIES))
}

/// Parses `1s`, `1s,10s,1m` or `exp:1s`.
pub(crate) fn retry_delay(text: &str) -> Result<RetryDelay, String> {
    let expected = || {
        "expected a time such as 1s, several such as 1s,10s,1m, or exp:1s to double it each time".to_owned()
    };
    let time = |text: &str| units::duration(text.trim()).map_err(|_| expected());
    let delay = match text.strip_prefix("exp:") {
        Some(first) => RetryDelay::Exponential(time(first)?),
        None => match text.split(',').map(time).collect::<Result<Vec<Duration>, _>>()?.as_slice() {
            [only] => RetryDelay::Fixed(*only),
            several => RetryDelay::List(several.to_vec()),
        },
    };
    valid(RetryPolicy { delay: delay.clone(), ..RetryPolicy::default() })?;
    Ok(delay)
}

/// Parses a factor.
pub(crate) fn retry_jitter(text: &str) -> Result<f64, String> {
    let jitter =
        text.parse().map_err(|_| format!("expected a number from 0 to {}", RetryPolicy::MAX_JITTER))?;
    valid(RetryPolicy { jitter, ..RetryPolicy::default() })?;
    Ok(jitter)
}

fn valid(policy: RetryPolicy) -> Result<(), String> {
    policy.validate().map_err(|error| match error {
        RetryError::Delay { .. } => {
            format!("expected at most {} days", RetryPolicy::MAX_DELAY.as_secs() / units::DAY.as_secs())
        }
        RetryError::Jitter { .. } => format!("expected a number from 0 to {}", RetryPolicy::MAX_JITTER),
        RetryError::Retries { .. } | RetryError::NoDelays | _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn delays_are_read() {
        let check = |text, expected: RetryDelay| assert_eq!(retry_delay(text), Ok(expected), "{text}");
        check("1s", secs(1).into());
        check("0s", secs(0).into());
        check("1s,10s, 1m", [secs(1), secs(10), secs(60)].into());
        check("exp:1.5s", RetryDelay::Exponential(Duration::from_millis(1_500)));
        check("8784h", RetryPolicy::MAX_DELAY.into());
        for wrong in ["", "1", "-1s", "1s,", "exp:", "exp:1s,2s", "exp", "8785h", "exp:8785h", "1s,8785h"] {
            assert!(retry_delay(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_read_within_their_bounds() {
        assert_eq!([retries("0"), retries("10000")], [Ok(0), Ok(10_000)]);
        for wrong in ["", "-1", "1.5", "10001", "99999999999", "many"] {
            assert!(retries(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            [retry_jitter("0"), retry_jitter("0.3"), retry_jitter("10")],
            [Ok(0.0), Ok(0.3), Ok(10.0)]
        );
        for wrong in ["", "-0.1", "10.1", "NaN", "inf", "much"] {
            assert!(retry_jitter(wrong).is_err(), "{wrong}");
        }
    }
}
