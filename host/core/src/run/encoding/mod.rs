//! Specs, facts and records of runs, and schedules, as bytes, and back: what a journal stores.
//!
//! # The format
//!
//! Everything begins with one byte of version, and nothing follows it. Numbers are unsigned LEB128 of at most 64 bits in their
//! shortest form, signed ones in zigzag. A text or a list has its length before it. `maybe` is one byte, 0 or 1, and after 1
//! what may be there. An instant is 8 bytes, nanoseconds since 1970, little-endian; a duration is two numbers, seconds and
//! nanoseconds. Ids are 16 bytes, digests 32. A choice is one byte, in the order in which the type declares its variants. A run ends with
//! one byte, whose bits say whether a schedule and a trace follow, and with these; hosts that know no traces take such a run for malformed.
//! So one thing has one encoding, which `tests/run_vectors.txt` fixes: a change of it is a new version.

mod fact;
mod filter;
mod outcome;
pub(crate) mod read;
mod schedule;
mod spec;
pub(crate) mod write;

use std::sync::Arc;

use self::read::Reader;
use super::{IllegalFact, RunFact, RunFilter, RunRecord, RunSpec, Schedule, TaskSpec};
use crate::ErrorKind;

/// The first byte of every encoding.
pub(crate) const VERSION: u8 = 1;

/// Bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeRunError {
    /// A newer version of the host wrote them.
    #[error("this {what} has version {found}; expected version {VERSION}")]
    NewerVersion {
        /// What they should be, such as `run record`.
        what: &'static str,
        /// The version in the first byte.
        found: u8,
    },
    /// No version writes such bytes.
    #[error("these {len} bytes are no {what}")]
    Malformed {
        /// What they should be, such as `run record`.
        what: &'static str,
        /// How many bytes there are.
        len: usize,
    },
    /// The facts of a record contradict each other.
    #[error("this run record contradicts itself: {0}")]
    Illegal(#[from] IllegalFact),
}

impl DecodeRunError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Reads all of some bytes, in time and memory proportional to how many there are.
pub(crate) fn decode<T>(
    bytes: &[u8],
    what: &'static str,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, DecodeRunError> {
    let malformed = DecodeRunError::Malformed { what, len: bytes.len() };
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            let mut reader = Reader::new(rest);
            read(&mut reader).filter(|_| reader.is_at_end()).ok_or(malformed)
        }
        Some((&found, _)) if found > VERSION => Err(DecodeRunError::NewerVersion { what, found }),
        _ => Err(malformed),
    }
}

impl TaskSpec {
    /// The options as bytes, about a hundred for a task with few of them. The values of environment variables are in them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        spec::write_task(&mut out, self);
        out
    }

    /// Reads the options that [`TaskSpec::encode`] wrote. They are not [checked](TaskSpec::check) against their ranges.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRunError> {
        decode(bytes, "task spec", spec::read_task)
    }
}

impl RunSpec {
    /// The run as bytes, its task's options among them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        spec::write_run(&mut out, self);
        out
    }

    /// Reads the run that [`RunSpec::encode`] wrote. Stored values are taken as they are: reading them is their check.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRunError> {
        decode(bytes, "run spec", spec::read_run)
    }

    /// The run as bytes without its task's options, for stores that have these once for many runs.
    pub fn encode_without_options(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        spec::write_run_alone(&mut out, self);
        out
    }

    /// Reads the run that [`RunSpec::encode_without_options`] wrote, with these options.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode_with_options(bytes: &[u8], options: Arc<TaskSpec>) -> Result<Self, DecodeRunError> {
        decode(bytes, "run spec", |reader| spec::read_run_alone(reader, options))
    }
}

impl Schedule {
    /// The schedule as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        schedule::write(&mut out, self);
        out
    }

    /// Reads the schedule that [`Schedule::encode`] wrote. It is not [checked](Schedule::check) against its ranges.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRunError> {
        decode(bytes, "schedule", schedule::read)
    }
}

impl RunFilter {
    /// The filter as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        filter::write(&mut out, self);
        out
    }

    /// Reads the filter that [`RunFilter::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRunError> {
        decode(bytes, "filter of runs", filter::read)
    }
}

impl RunFact {
    /// The fact as bytes: some ten, but for a birth or an outcome.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        fact::write(&mut out, self);
        out
    }

    /// Reads the fact that [`RunFact::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRunError> {
        decode(bytes, "fact of a run", fact::read)
    }
}

impl RunRecord {
    /// The record as bytes: its facts in order, each after its time.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let facts: Vec<_> = self.facts().collect();
        write::list(&mut out, &facts, |out, (at, fact)| {
            write::instant(out, *at);
            fact::write(out, fact);
        });
        out
    }

    /// Reads the record that [`RunRecord::encode`] wrote, by applying its facts.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, for bytes that no version writes, and for facts that contradict
    /// each other.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRunError> {
        let facts = decode(bytes, "run record", |reader| {
            reader.list(|reader| Some((reader.instant()?, fact::read(reader)?)))
        })?;
        Ok(Self::replay(facts)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        let mut spec = TaskSpec::default();
        let options =
            [("env", "A=1"), ("tags", "a,b"), ("cache", "inputs - input:a"), ("retry-delay", "1s,2s")];
        spec.set_all(options).unwrap();
        spec.encode()
    }

    #[test]
    fn other_versions_are_told_from_what_no_version_writes() {
        let check = |bytes: &[u8], expected: &str| {
            let error = TaskSpec::decode(bytes).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        check(&[], "these 0 bytes are no task spec");
        check(&[0], "these 1 bytes are no task spec");
        check(&[VERSION], "these 1 bytes are no task spec");
        check(&[VERSION + 1], "this task spec has version 2; expected version 1");
        let longer = [bytes(), vec![0]].concat();
        check(&longer, &format!("these {} bytes are no task spec", longer.len()));
        let errors = [
            RunSpec::decode(&[]).unwrap_err().to_string(),
            RunFact::decode(&[9]).unwrap_err().to_string(),
            RunRecord::decode(&[VERSION, 0]).unwrap_err().to_string(),
        ];
        assert_eq!(
            errors,
            [
                "these 0 bytes are no run spec",
                "this fact of a run has version 9; expected version 1",
                "this run record contradicts itself: the first fact of a run must be its birth",
            ]
        );
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let bytes = bytes();
        assert!(TaskSpec::decode(&bytes).is_ok());
        for length in 0..bytes.len() {
            assert!(TaskSpec::decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_length_without_bytes_behind_it_takes_no_memory() {
        // A fact that names a run with 2^62 bytes, and a record with as many facts.
        let length = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f];
        assert!(RunFact::decode(&[&[VERSION, 2], &length[..]].concat()).is_err());
        assert!(RunRecord::decode(&[&[VERSION], &length[..]].concat()).is_err());
    }

    #[test]
    fn inputs_that_nest_too_deep_are_refused() {
        let nested = |depth: usize| {
            let run = crate::RunId::from_bytes([1; 16]);
            (1..depth).fold(crate::InputSpec::Result(run), |input, _| crate::InputSpec::Some(input.into()))
        };
        let check = |depth: usize| {
            let mut out = Vec::new();
            spec::write_input(&mut out, &nested(depth));
            let mut reader = Reader::new(&out);
            spec::read_input(&mut reader, 0).is_some_and(|input| input == nested(depth))
        };
        assert!(check(1) && check(crate::InputSpec::MAX_DEPTH) && !check(crate::InputSpec::MAX_DEPTH + 1));
    }
}
