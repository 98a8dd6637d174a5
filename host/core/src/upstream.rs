//! Why a run never started: the chain of runs from it to the root cause.

use std::fmt;
use std::sync::Arc;

use crate::RunId;

/// A run that another one depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRun {
    /// Its id.
    pub run: RunId,
    /// Its name.
    pub name: Arc<str>,
}

/// The chain from a run that never started to the run whose outcome is the cause.
///
/// A long chain stores only [`UpstreamChain::NAMED`] runs, so that memory and time do not depend on the depth. Cheap to
/// clone.
///
/// ```
/// # use hostel_core::{RunId, UpstreamChain, UpstreamRun};
/// # let run = |name: &str| UpstreamRun { run: RunId::from_bytes([0; 16]), name: name.into() };
/// let chain = UpstreamChain::root(run("a-771"), r#"returned the error "x""#);
/// let chain = chain.followed_by(run("b-3fa"));
/// assert_eq!(chain.to_string(), r#"b-3fa, which depends on a-771, which returned the error "x""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamChain {
    /// The nearest first, the root last; never empty.
    runs: Arc<[UpstreamRun]>,
    /// The number of runs that are left out before the root.
    left_out: usize,
    cause: Arc<str>,
}

impl UpstreamChain {
    /// The maximum number of runs in a chain: the nearest ones and the root.
    pub const NAMED: usize = 8;

    /// Returns the chain of a run that depends on `run` itself, which ended with this cause.
    ///
    /// The cause continues a sentence: `returned the error 7`, `was cancelled`.
    pub fn root(run: UpstreamRun, cause: impl Into<Arc<str>>) -> Self {
        Self { runs: Arc::from([run]), left_out: 0, cause: cause.into() }
    }

    /// Returns the chain of a run that depends on `run`, which never started because of this chain.
    ///
    /// If there are more than [`UpstreamChain::NAMED`] runs, the one just before the root is left out.
    #[must_use]
    pub fn followed_by(&self, run: UpstreamRun) -> Self {
        let mut runs: Vec<_> = std::iter::once(run).chain(self.runs.iter().cloned()).collect();
        let mut left_out = self.left_out;
        if runs.len() > Self::NAMED {
            // The root replaces the run before it.
            runs.swap_remove(Self::NAMED - 1);
            left_out += 1;
        }
        Self { runs: runs.into(), left_out, cause: Arc::clone(&self.cause) }
    }

    /// Returns the chain with these runs, so many of which are left out, if there can be one.
    pub(crate) fn of_parts(runs: Vec<UpstreamRun>, left_out: usize, cause: Arc<str>) -> Option<Self> {
        let can_be = match runs.len() {
            0 => false,
            Self::NAMED => true,
            named => named < Self::NAMED && left_out == 0,
        };
        can_be.then(|| Self { runs: runs.into(), left_out, cause })
    }

    /// Returns the runs of the chain, the nearest first and the root last, without those that are left out.
    pub fn runs(&self) -> &[UpstreamRun] {
        &self.runs
    }

    /// Returns the number of runs that are left out just before the root.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Returns the outcome of the root as text.
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl fmt::Display for UpstreamChain {
    /// One line: the chain of dependencies, and the outcome of the root.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((root, nearer)) = self.runs.split_last() else {
            return f.write_str(&self.cause);
        };
        nearer.iter().try_for_each(|UpstreamRun { name, .. }| write!(f, "{name}, which depends on "))?;
        if self.left_out > 0 {
            write!(f, "… {} more …, which depends on ", self.left_out)?;
        }
        write!(f, "{}, which {}", root.name, self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    fn run(number: u32) -> UpstreamRun {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        UpstreamRun { run: RunId::from_bytes(id), name: format!("run-{number}").into() }
    }

    /// Returns the chain of a run that depends on the last of several runs, each of which depends on the previous one.
    fn chain(runs: u32) -> UpstreamChain {
        let root = UpstreamChain::root(run(0), "timed out after 1s");
        (1..runs).fold(root, |chain, number| chain.followed_by(run(number)))
    }

    #[test]
    fn s05_a_failure_names_the_way_to_its_cause() {
        let check = |runs: u32, expected: &str| {
            let failure = Failure::Upstream { chain: chain(runs) };
            let expected = format!("never started: it depends on {expected}run-0, which timed out after 1s");
            assert_eq!(failure.to_string(), expected);
        };
        let on = ", which depends on ";
        let nearest =
            |last: u32| (last - 6..=last).rev().map(|run| format!("run-{run}{on}")).collect::<String>();
        check(1, "");
        check(2, &format!("run-1{on}"));
        check(3, &format!("run-2{on}run-1{on}"));
        check(8, &nearest(7));
        check(9, &format!("{}… 1 more …{on}", nearest(8)));
        check(13, &format!("{}… 5 more …{on}", nearest(12)));
    }

    #[test]
    fn only_some_runs_of_a_long_chain_are_kept() {
        let check = |runs: u32, named: &[u32], left_out: usize| {
            let chain = chain(runs);
            let expected: Vec<_> = named.iter().map(|number| run(*number)).collect();
            assert_eq!((chain.runs(), chain.left_out()), (&*expected, left_out));
            assert_eq!(chain.cause(), "timed out after 1s");
        };
        check(1, &[0], 0);
        check(7, &[6, 5, 4, 3, 2, 1, 0], 0);
        check(8, &[7, 6, 5, 4, 3, 2, 1, 0], 0);
        check(9, &[8, 7, 6, 5, 4, 3, 2, 0], 1);
        check(100_000, &[99_999, 99_998, 99_997, 99_996, 99_995, 99_994, 99_993, 0], 99_992);
    }
}
