//! Options for retries. Their doc comments are the help.

use clap::Args;
use hostel::grammar::{retries, retry_delay, retry_jitter};
use hostel::{RetryDelay, RetryOn, RetryPolicy, Task};

use crate::problem::Problem;

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
