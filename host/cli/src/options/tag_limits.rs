//! Limits on runs that share a tag. Their doc comments are the help.

use std::time::Duration;

use clap::Args;
use hostel::grammar::{self, tag};
use hostel::{HostBuilder, RateLimit, Tag};

use crate::options::server::Unfit;
use crate::problem::Problem;

/// The options for limits by tag.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits")]
pub(crate) struct TagLimitOptions {
    /// Execute at most N runs with this tag at once; can be given several times
    #[arg(long, value_name = "TAG=N", value_parser = tag_limit)]
    pub(crate) tag_limit: Vec<(Tag, usize)>,

    /// Start at most N runs with this tag in this time: api=10/1s; can be given several times
    #[arg(long, value_name = "TAG=N/TIME", value_parser = rate_limit)]
    pub(crate) rate_limit: Vec<(Tag, RateLimit)>,
}

impl TagLimitOptions {
    /// With a server.
    pub(crate) fn unfit(&self) -> [Unfit; 2] {
        let because = "hostel limits sets the limits of the server's runs";
        let unfit = |option, is_given| Unfit { option, is_given, because };
        [unfit("--tag-limit", !self.tag_limit.is_empty()), unfit("--rate-limit", !self.rate_limit.is_empty())]
    }

    /// The host with these limits. Of two limits for the same tag, the later one applies.
    pub(crate) fn apply(&self, host: HostBuilder) -> HostBuilder {
        let limits = self.tag_limit.iter().cloned();
        let host = limits.fold(host, |host, (tag, runs)| host.tag_limit(tag, runs));
        let limits = self.rate_limit.iter().cloned();
        limits.fold(host, |host, (tag, limit)| host.rate_limit(tag, limit))
    }

    /// Refuses limits for tags that no run of the command has.
    pub(crate) fn check_use(&self, tags: &[Tag]) -> Result<(), Problem> {
        let of_runs = self.tag_limit.iter().map(|(tag, _)| ("--tag-limit", tag));
        let mut limits = of_runs.chain(self.rate_limit.iter().map(|(tag, _)| ("--rate-limit", tag)));
        limits.find(|(_, tag)| !tags.contains(tag)).map_or(Ok(()), |(option, tag)| {
            let problem = Problem::invalid(format!("{option}: no run has the tag {tag:?}"));
            Err(problem.hint(format!("add the tag to all runs with --tag '{tag}'")))
        })
    }
}

/// Parses the number of runs that may execute at once: `2`.
pub(crate) fn runs(text: &str) -> Result<usize, String> {
    let runs = text.parse().ok().filter(|&runs: &u32| runs > 0).and_then(|runs| runs.try_into().ok());
    runs.ok_or_else(|| format!("expected a whole number from 1 to {}", u32::MAX))
}

/// Parses `10/1s`.
pub(crate) fn rate(text: &str) -> Result<RateLimit, String> {
    let (runs, per) = text.split_once('/').ok_or_else(wrong_rate)?;
    let runs = runs.trim().parse().ok().filter(|&runs| runs > 0);
    let per = grammar::duration(per.trim()).ok().filter(|&per| per > Duration::ZERO);
    runs.zip(per).map(|(runs, per)| RateLimit { runs, per }).ok_or_else(wrong_rate)
}

fn wrong_rate() -> String {
    "expected a number of runs and a time, both more than zero, such as 10/1s or 500/1m".to_owned()
}

fn tag_limit(text: &str) -> Result<(Tag, usize), String> {
    let (name, number) = text.rsplit_once('=').ok_or("expected TAG=N, such as db=2")?;
    Ok((tag(name)?, runs(number)?))
}

fn rate_limit(text: &str) -> Result<(Tag, RateLimit), String> {
    let (name, limit) = text.rsplit_once('=').ok_or("expected TAG=N/TIME, such as api=10/1s")?;
    Ok((tag(name)?, rate(limit)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        assert_eq!(tag_limit("db=2"), Ok(("db".into(), 2)));
        assert_eq!(tag_limit("a=b=2"), Ok(("a=b".into(), 2)));
        let limit = RateLimit { runs: 10, per: Duration::from_secs(1) };
        assert_eq!(rate_limit("api=10/1s"), Ok(("api".into(), limit)));
        for wrong in ["", "db", "db=", "db=0", "db=-1", "db=many", "=2", "db=99999999999"] {
            assert!(tag_limit(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "api", "api=10", "api=0/1s", "api=10/0s", "api=10/s", "api=1s/10", "=1/1s"] {
            assert!(rate_limit(wrong).is_err(), "{wrong}");
        }
    }
}
