//! When a map stops early: at the first failure, after several, or never. The doc comments are the help.

use std::sync::Arc;

use clap::Args;
use hostel::Task;
use tokio::sync::watch;

/// The options for failures of a map.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Failures")]
pub(crate) struct FailureOptions {
    /// Stop when the first item has failed for good: submit no more items, cancel running ones
    #[arg(long)]
    fail_fast: bool,

    /// Stop in the same way when N items have failed
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true)]
    #[arg(conflicts_with = "fail_fast")]
    max_failures: Option<u64>,

    /// Run every item, whatever fails [this is the default]
    #[arg(long, conflicts_with_all = ["fail_fast", "max_failures"])]
    keep_going: bool,
}

/// Counts failures as they happen, in any order. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FailureLimit {
    pub(crate) most: Option<u64>,
    failures: Arc<watch::Sender<u64>>,
}

impl FailureOptions {
    pub(crate) fn limit(self) -> FailureLimit {
        let first = self.fail_fast.then_some(1);
        FailureLimit { most: self.max_failures.or(first), failures: Arc::new(watch::Sender::new(0)) }
    }
}

impl FailureLimit {
    /// The task, with its failures counted from now on if there is a limit.
    pub(crate) fn watch(&self, task: Task) -> Task {
        if self.most.is_none() {
            return task;
        }
        let count = |failures: &Arc<watch::Sender<u64>>| {
            let failures = Arc::clone(failures);
            move |_: &_, _| failures.send_modify(|failures| *failures += 1)
        };
        task.on_failure(count(&self.failures)).on_crashed(count(&self.failures))
    }

    /// Counts a failure that was seen elsewhere.
    pub(crate) fn count(&self) {
        self.failures.send_modify(|failures| *failures += 1);
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.most.is_some_and(|most| *self.failures.borrow() >= most)
    }

    /// Completes when the limit is reached.
    pub(crate) async fn reached(&self) {
        let Some(most) = self.most else { return std::future::pending().await };
        let mut failures = self.failures.subscribe();
        // Cannot fail: the sender is here.
        let _ = failures.wait_for(|failures| *failures >= most).await;
    }
}

/// Parses the number of failures that stop a map.
fn number(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| "expected a whole number, 1 or more; to never stop, use --keep-going".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hostel::{Host, State, args, blocking};

    use super::*;

    /// Longer than a hook takes, even on a slow machine.
    const WATCHDOG: Duration = Duration::from_secs(120);

    #[tokio::test]
    async fn a_crashed_run_counts_as_a_failure() {
        let options = FailureOptions { fail_fast: true, max_failures: None, keep_going: false };
        let limit = options.limit();
        // Its runs crash, because the component consists of many instances, and the host has room for one.
        let host = Host::builder().max_workers(1).max_instances(1).build().unwrap();
        let crashing = blocking::load(&host, hostel_guests::wat::MANY_INSTANCES).unwrap();
        let run = limit.watch(crashing.only_task().unwrap()).submit(args![]).unwrap();
        run.outcome().await;
        assert_eq!(run.state(), State::Crashed);
        tokio::time::timeout(WATCHDOG, limit.reached()).await.expect("the limit is reached");
        assert!(limit.is_reached());
    }
}
