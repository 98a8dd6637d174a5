//! What an attempt used up and asked for.

use std::time::Duration;

use crate::GrantKind;

/// What an attempt, or a run with all its attempts, used up and asked for.
///
/// Numbers count from the beginning of the attempt until it ended, whichever way it did. They are of the host's making: no
/// guest can forge them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// wasmtime's fuel, about one for each instruction; `None` if the engine does not count it.
    pub fuel: Option<u64>,
    /// For how long it kept a processor busy, host functions included.
    pub cpu_time: Duration,
    /// The most linear memory that it had at once, in bytes; of a run, that of the attempt that had most.
    pub peak_memory_bytes: u64,
    /// How often it called the host.
    pub host_calls: HostCalls,
    /// How often it was refused what no grant names.
    pub denials: Denials,
    /// Bytes that its arguments take in the host, and that a program read from a standard input that is a stream.
    pub input_bytes: u64,
    /// Bytes that its result takes in the host; of a run, that of the last attempt.
    pub result_bytes: u64,
    /// Bytes of log that were kept.
    pub log_bytes: u64,
    /// Bytes read from files.
    pub read_bytes: u64,
    /// Bytes written to files, and by which files were made longer.
    pub written_bytes: u64,
    /// Bytes received over the network: bodies and headers of HTTP, and what came from sockets.
    pub received_bytes: u64,
    /// Bytes sent over the network.
    pub sent_bytes: u64,
}

impl Receipt {
    /// Adds the receipt of the next attempt of the same run, which has the same arguments and a result of its own.
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
    /// What the guest tells and asks about its run.
    Context,
    /// Everything else: streams, waiting, printing, the fields of HTTP messages, dropping what the host gave.
    Other,
}

impl HostCall {
    /// Every kind, in the order in which they are told.
    pub const ALL: [Self; 7] =
        [Self::Clock, Self::Randomness, Self::Files, Self::Sockets, Self::Http, Self::Context, Self::Other];

    /// What it is called, such as `clock`.
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

/// How often a guest called the host, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCalls([u64; HostCall::ALL.len()]);

impl HostCalls {
    /// How many calls of this kind there were.
    pub fn of(&self, kind: HostCall) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// How many there were in all.
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

/// How often a guest was refused what no grant names, by the kind of grant that would have allowed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Denials([u64; GrantKind::ALL.len()]);

impl Denials {
    /// How many denials of this kind there were.
    pub fn of(&self, kind: GrantKind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// How many there were in all.
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
