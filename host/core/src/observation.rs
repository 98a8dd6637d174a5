//! Observed effects of an attempt beyond its inputs, which decide whether its result is a function of them.

use std::fmt;

use crate::Trace;

/// An observed effect: a use of something outside the inputs, whose answer cannot be reproduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Touch {
    /// It read the wall clock.
    WallClock,
    /// It read the monotonic clock.
    MonotonicClock,
    /// It asked which of several things is ready, or whether one is: while timers run, the answer depends on the time.
    Readiness,
    /// It drew random numbers of the system.
    Randomness,
    /// It opened a socket, looked up a name or sent a request.
    Network,
    /// It asked about its run: the id or name, the number of the attempt, the deadline.
    RunIdentity,
    /// The file system gave no definite answer: the medium failed, or the host was short of a resource.
    FileFault,
    /// It tried to open something that is neither a file nor a directory: a device, a pipe, a socket.
    Device,
    /// It asked the file system the same question twice and got different answers: a file changed in between.
    ChangedFile,
    /// It read more in granted directories than a trace can hold.
    TooMuchRead,
    /// It changed files or directories, or tried to: a cached result would not.
    Writing,
    /// It read its standard input, or polled it, and the input was a stream.
    StandardInput,
    /// It was refused something by a limit, and could have had more under another limit: memory, table elements, open files,
    /// bytes written.
    RefusedGrowth,
}

impl Touch {
    /// The effect as a predicate, such as `read the wall clock`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::WallClock => "read the wall clock",
            Self::MonotonicClock => "read the monotonic clock",
            Self::Readiness => "asked what is ready while a timer ran",
            Self::Randomness => "drew random numbers",
            Self::Network => "used the network",
            Self::RunIdentity => "asked about its run",
            Self::FileFault => "met an error of the file system",
            Self::Device => "opened a device or a pipe",
            Self::ChangedFile => "saw a file change",
            Self::TooMuchRead => "read more than can be tracked",
            Self::Writing => "wrote to files",
            Self::StandardInput => "read its standard input",
            Self::RefusedGrowth => "was refused something by a limit",
        }
    }

    /// Whether [`Determinism::DETERMINISTIC`](crate::Determinism::DETERMINISTIC) avoids this effect.
    pub const fn is_of_clocks_or_randomness(self) -> bool {
        matches!(self, Self::WallClock | Self::MonotonicClock | Self::Readiness | Self::Randomness)
    }
}

/// The count of an effect in an attempt, and its first place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The effect.
    pub touch: Touch,
    /// The count, from 1.
    pub count: u64,
    /// The function of the guest in which it occurred first; `None` if that is unknown.
    pub first_in: Option<String>,
}

impl fmt::Display for Touched {
    /// Writes a text such as ``read the wall clock 1×, first in `parse_date` ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}×", self.touch.words(), self.count)?;
        match &self.first_in {
            Some(function) => write!(f, ", first in `{function}`"),
            None => Ok(()),
        }
    }
}

/// The observed effects of an attempt. An empty observation allocates no memory.
///
/// ```
/// # use hostel_core::{Observation, Touch};
/// let mut observation = Observation::default();
/// assert!(observation.is_reproducible());
/// observation.add(Touch::WallClock);
/// observation.name(Touch::WallClock, "parse_date".to_owned());
/// assert_eq!(observation.to_string(), "read the wall clock 1×, first in `parse_date`");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    touches: Vec<Touched>,
    trace: Trace,
}

impl Observation {
    /// Whether another attempt with the same inputs, grants and virtual clocks would end the same, provided that the granted
    /// directories still give the same answers.
    pub fn is_reproducible(&self) -> bool {
        self.touches.is_empty()
    }

    /// Whether clocks and randomness are its only effects: with
    /// [`Determinism::DETERMINISTIC`](crate::Determinism::DETERMINISTIC) it would have been reproducible.
    pub fn is_of_clocks_and_randomness(&self) -> bool {
        !self.touches.is_empty()
            && self.touches.iter().all(|touched| touched.touch.is_of_clocks_or_randomness())
    }

    /// The effects, each kind once, in the order of their first occurrence.
    pub fn touches(&self) -> &[Touched] {
        &self.touches
    }

    /// Whether it has this effect.
    pub fn has(&self, touch: Touch) -> bool {
        self.touches.iter().any(|touched| touched.touch == touch)
    }

    /// Its reads in granted directories, until the first effect on them.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The same with the reads in granted directories.
    #[must_use]
    pub fn with_trace(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    /// Counts an effect; `true` if it is the first of its kind.
    pub fn add(&mut self, touch: Touch) -> bool {
        match self.find(touch) {
            Some(touched) => {
                touched.count = touched.count.saturating_add(1);
                false
            }
            None => {
                self.touches.push(Touched { touch, count: 1, first_in: None });
                true
            }
        }
    }

    /// Sets the function of the guest in which the first effect of a kind occurred.
    pub fn name(&mut self, touch: Touch, function: String) {
        if let Some(touched) = self.find(touch) {
            touched.first_in.get_or_insert(function);
        }
    }

    fn find(&mut self, touch: Touch) -> Option<&mut Touched> {
        self.touches.iter_mut().find(|touched| touched.touch == touch)
    }
}

impl fmt::Display for Observation {
    /// Writes the effects, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, touched) in self.touches.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            touched.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Touch; 13] = [
        Touch::WallClock,
        Touch::MonotonicClock,
        Touch::Readiness,
        Touch::Randomness,
        Touch::Network,
        Touch::RunIdentity,
        Touch::FileFault,
        Touch::Device,
        Touch::ChangedFile,
        Touch::TooMuchRead,
        Touch::Writing,
        Touch::StandardInput,
        Touch::RefusedGrowth,
    ];

    #[test]
    fn an_observation_tells_what_was_touched_and_what_was_read() {
        let mut recorder = crate::TraceRecorder::new(["data"]);
        let data = recorder.root(0).unwrap();
        recorder.record(data, crate::Question::Hash, crate::Answer::Hash { lower: 1, upper: 2 });
        let trace = recorder.into_trace();
        let mut observation = Observation::default().with_trace(trace.clone());
        observation.add(Touch::Network);
        assert_eq!(*observation.trace(), trace);
        assert!(observation.touches().iter().map(|touched| touched.touch).eq([Touch::Network]));
        assert!(observation.has(Touch::Network) && !observation.has(Touch::StandardInput));
    }

    #[test]
    fn touches_are_counted_by_kind_and_named_where_they_came_first() {
        let mut observation = Observation::default();
        assert!(observation.is_reproducible());
        assert_eq!(observation.to_string(), "");
        assert!(observation.add(Touch::WallClock));
        observation.name(Touch::WallClock, "parse_date".to_owned());
        observation.name(Touch::Network, "nobody asked".to_owned());
        assert!(observation.add(Touch::Randomness));
        assert!(!observation.add(Touch::WallClock));
        observation.name(Touch::WallClock, "later".to_owned());
        assert!(!observation.is_reproducible());
        assert_eq!(
            observation.to_string(),
            "read the wall clock 2×, first in `parse_date`, drew random numbers 1×"
        );
    }

    #[test]
    fn deterministic_attempts_spare_what_is_of_clocks_and_randomness_alone() {
        let spared = [Touch::WallClock, Touch::MonotonicClock, Touch::Readiness, Touch::Randomness];
        for touch in ALL {
            assert_eq!(touch.is_of_clocks_or_randomness(), spared.contains(&touch), "{touch:?}");
        }
        let of = |touches: &[Touch]| {
            let mut observation = Observation::default();
            touches.iter().for_each(|touch| _ = observation.add(*touch));
            observation.is_of_clocks_and_randomness()
        };
        assert!(of(&spared) && of(&spared[1..2]));
        assert!(!of(&[]), "it is reproducible as it is");
        assert!(!of(&[Touch::WallClock, Touch::Network]) && !of(&[Touch::Writing]));
    }

    #[test]
    fn every_touch_has_words_of_its_own() {
        let mut words: Vec<_> = ALL.iter().map(|touch| touch.words()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ALL.len());
    }
}
