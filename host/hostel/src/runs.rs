//! The runs of a host, to find, count and cancel.

use std::sync::Arc;

use hostel_core::{RunCounts, RunFilter, RunId};

use crate::host::Host;
use crate::host_state::HostState;
use crate::run::TaskFuture;

/// The runs of a host in this process: all that have not ended, and the last ones that have, up to
/// [`HostBuilder::ended_runs`](crate::HostBuilder::ended_runs).
///
/// Cheap to clone. When the host is dropped, it has no runs.
#[derive(Clone)]
pub struct Runs(Arc<HostState>);

impl Host {
    /// The runs of this host, to find, count and cancel without having kept their futures.
    ///
    /// ```
    /// # use hostel::{Host, RunFilter, State, args};
    /// # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
    /// let host = Host::builder().max_workers(1).ended_runs(10_000).build()?;
    /// let add = host.load(hostel_guests::ARITH).await?.task("add")?.tags(["sums"]);
    /// let id = add.submit(args![41, 1])?.id();          // the future is dropped, and the run goes on
    ///
    /// let future = host.runs().get(id).expect("one of the last runs");
    /// assert_eq!(future.result::<i64>().await?, 42);
    ///
    /// let completed = RunFilter::new().states([State::Completed]).tag("sums");
    /// assert_eq!(host.runs().find(&completed, 10)[0].id(), id);
    /// # Ok(())
    /// # }
    /// # futures_executor::block_on(demo()).unwrap();
    /// ```
    pub fn runs(&self) -> Runs {
        Runs(Arc::clone(self.state()))
    }
}

impl Runs {
    /// The run with this id; `None` if there was none, or it has been dropped since it ended.
    pub fn get(&self, id: RunId) -> Option<TaskFuture> {
        self.0.book.get(id).map(TaskFuture::new)
    }

    /// The runs that match, newest first, at most `limit`. A run's state may change while this looks at others.
    ///
    /// Cost: a look at each run that is newer than the last one found, so at all of them if fewer than `limit` match.
    pub fn find(&self, filter: &RunFilter, limit: usize) -> Vec<TaskFuture> {
        let runs = self.0.book.newest(limit, |run| run.matches(filter));
        runs.into_iter().map(TaskFuture::new).collect()
    }

    /// Stops a run, as [`TaskFuture::cancel`] does. `false` if it has ended otherwise, or there is none with this id.
    pub fn cancel(&self, id: RunId) -> bool {
        self.get(id).is_some_and(|run| run.cancel())
    }

    /// How many runs there are, by state. Looks at each of them.
    pub fn counts(&self) -> RunCounts {
        let mut counts = RunCounts::default();
        counts.removed = self.dropped();
        self.0.book.each(|run| counts.enter(run.state()));
        counts
    }

    /// How many ended runs have been dropped because there were too many, since the host was built.
    pub fn dropped(&self) -> u64 {
        self.0.book.dropped()
    }
}
