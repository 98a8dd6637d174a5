//! Receipts: the resource use and requests of an attempt.

use std::time::Duration;

use crate::GrantKind;

/// The resource use and requests of an attempt, or of a run with all its attempts.
///
/// Numbers cover the attempt from its start to its end, however it ended. The host measures them: no guest can forge them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// wasmtime's fuel, about one unit for each instruction; `None` if the engine does not count it.
    pub fuel: Option<u64>,
    /// Processor time, host functions included.
    pub cpu_time: Duration,
    /// Peak linear memory in bytes; for a run, the highest peak of its attempts.
    pub peak_memory_bytes: u64,
    /// Calls of the host.
    pub host_calls: HostCalls,
    /// Requests that were denied because no grant allows them.
    pub denials: Denials,
    /// Bytes of its arguments in the host, and bytes that a program read from a stream as its standard input.
    pub input_bytes: u64,
    /// Bytes of its result in the host; for a run, those of the last attempt.
    pub result_bytes: u64,
    /// Bytes of stored log.
    pub log_bytes: u64,
    /// Bytes read from files.
    pub read_bytes: u64,
    /// Bytes written to files, or added by extending them.
    pub written_bytes: u64,
    /// Bytes received over the network: bodies and headers of HTTP, and data from sockets.
    pub received_bytes: u64,
    /// Bytes sent over the network.
    pub sent_bytes: u64,
}

impl Receipt {
    /// Adds the receipt of the next attempt of the same run, which has the same arguments and its own result.
    pub fn add(&mut self, next: &Self) {
        self.add_used(next);
        self.input_bytes = next.input_bytes;
        self.result_bytes = next.result_bytes;
    }

    /// Adds the receipt of another run.
    pub fn add_run(&mut self, other: &Self) {
        self.add_used(other);
        self.input_bytes = self.input_bytes.saturating_add(other.input_bytes);
        self.result_bytes = self.result_bytes.saturating_add(other.result_bytes);
    }

    fn add_used(&mut self, next: &Self) {
        self.fuel = match (self.fuel, next.fuel) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        self.cpu_time = self.cpu_time.saturating_add(next.cpu_time);
        self.peak_memory_bytes = self.peak_memory_bytes.max(next.peak_memory_bytes);
        self.host_calls.add(&next.host_calls);
        self.denials.add(&next.denials);
        let sums = [
            (&mut self.log_bytes, next.log_bytes),
            (&mut self.read_bytes, next.read_bytes),
            (&mut self.written_bytes, next.written_bytes),
            (&mut self.received_bytes, next.received_bytes),
            (&mut self.sent_bytes, next.sent_bytes),
        ];
        sums.into_iter().for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }
}

/// A kind of host function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostCall {
    /// Clocks and timers.
    Clock,
    /// Random numbers.
    Randomness,
    /// Files and directories.
    Files,
    /// Sockets and name look-up.
    Sockets,
    /// Sending HTTP requests.
    Http,
    /// Progress, log messages, and questions about the run.
    Context,
    /// Everything else: streams, waiting, printing, the fields of HTTP messages, dropping resources of the host.
    Other,
}

impl HostCall {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 7] =
        [Self::Clock, Self::Randomness, Self::Files, Self::Sockets, Self::Http, Self::Context, Self::Other];

    /// Its name, such as `clock`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Randomness => "randomness",
            Self::Files => "files",
            Self::Sockets => "sockets",
            Self::Http => "http",
            Self::Context => "context",
            Self::Other => "other",
        }
    }
}

/// The number of a guest's calls of the host, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCalls([u64; HostCall::ALL.len()]);

impl HostCalls {
    /// The number of calls of this kind.
    pub fn of(&self, kind: HostCall) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// The total number.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts calls of a kind.
    pub fn count(&mut self, kind: HostCall, calls: u64) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count = count.saturating_add(calls);
        }
    }

    /// The counts in the order of [`HostCall::ALL`].
    pub(crate) const fn counts(&self) -> &[u64; HostCall::ALL.len()] {
        &self.0
    }

    pub(crate) const fn of_counts(counts: [u64; HostCall::ALL.len()]) -> Self {
        Self(counts)
    }

    fn add(&mut self, others: &Self) {
        HostCall::ALL.into_iter().for_each(|kind| self.count(kind, others.of(kind)));
    }
}

/// The number of a guest's denied requests, by the kind of grant that would have allowed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Denials([u64; GrantKind::ALL.len()]);

impl Denials {
    /// The number of denials of this kind.
    pub fn of(&self, kind: GrantKind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// The total number.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts a denial.
    pub fn count(&mut self, kind: GrantKind) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// The counts in the order of [`GrantKind::ALL`].
    pub(crate) const fn counts(&self) -> &[u64; GrantKind::ALL.len()] {
        &self.0
    }

    pub(crate) const fn of_counts(counts: [u64; GrantKind::ALL.len()]) -> Self {
        Self(counts)
    }

    fn add(&mut self, others: &Self) {
        for (count, more) in self.0.iter_mut().zip(others.0) {
            *count = count.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_the_sum_of_its_attempts_and_the_most_of_their_memory() {
        let mut first = Receipt {
            fuel: Some(10),
            cpu_time: Duration::from_millis(2),
            peak_memory_bytes: 300,
            input_bytes: 8,
            result_bytes: 0,
            log_bytes: 5,
            sent_bytes: u64::MAX,
            ..Receipt::default()
        };
        first.host_calls.count(HostCall::Clock, 2);
        first.denials.count(GrantKind::Http);
        let mut second = Receipt { fuel: Some(1), peak_memory_bytes: 200, sent_bytes: 1, ..first.clone() };
        second.result_bytes = 7;
        first.add(&second);
        assert_eq!((first.fuel, first.peak_memory_bytes), (Some(11), 300));
        assert_eq!(first.cpu_time, Duration::from_millis(4));
        assert_eq!((first.input_bytes, first.result_bytes, first.log_bytes), (8, 7, 10));
        assert_eq!(first.sent_bytes, u64::MAX);
        assert_eq!((first.host_calls.of(HostCall::Clock), first.host_calls.total()), (4, 4));
        assert_eq!((first.denials.of(GrantKind::Http), first.denials.total()), (2, 2));
    }

    #[test]
    fn fuel_is_known_if_one_attempt_counted_it() {
        let counted = Receipt { fuel: Some(3), ..Receipt::default() };
        let check = |mut first: Receipt, next: &Receipt, expected| {
            first.add(next);
            assert_eq!(first.fuel, expected);
        };
        check(Receipt::default(), &counted, Some(3));
        check(counted, &Receipt::default(), Some(3));
        check(Receipt::default(), &Receipt::default(), None);
    }
}
