//! What a process that compiles may use, enforced by the system.
//!
//! Measured in November 2026 on x86-64 with two processors, with debug assertions: CPython, with 6 MiB of code, takes 2.7 s of
//! processor time and 350 MiB, or 13 s in the optimising compiler; StarlingMonkey, with 8 MiB, takes 5.7 s and 580 MiB, or 21 s.
//! 250 MiB of data take 2.7 s and 780 MiB. The limits are at least three times as much. Only code raises them: a component
//! can be padded with everything else, which takes no time that depends on it.

use std::fmt;
use std::process::ExitStatus;

use hostel_core::bytes_text;

/// Processor time for every component, and more for each MiB of its code.
const SECONDS: u64 = 30;
const SECONDS_PER_MIB: u64 = 5;

/// How much longer compiling for speed may take if the quickly compiled code is in use meanwhile.
const PATIENCE: u64 = 10;

/// Memory for every component, with the stacks of sixteen threads, and more for each MiB of its code.
const MEMORY_BYTES: u64 = 2 << 30;
const MEMORY_BYTES_PER_MIB: u64 = 8 << 20;

/// A limit of the process that compiles a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileLimit {
    /// Processor time of all its threads.
    Processor {
        /// The limit, in seconds.
        seconds: u64,
    },
    /// Memory.
    Memory {
        /// The limit, in bytes.
        bytes: u64,
    },
}

impl fmt::Display for CompileLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processor { seconds } => write!(f, "{seconds} s of processor time"),
            Self::Memory { bytes } => write!(f, "{} of memory", bytes_text(*bytes)),
        }
    }
}

/// What the process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) seconds: u64,
    pub(crate) memory_bytes: u64,
}

impl Limits {
    /// For a component with this many bytes of code.
    pub(crate) fn of(code_bytes: u64) -> Self {
        let mebibytes = code_bytes >> 20;
        Self {
            seconds: SECONDS + mebibytes.saturating_mul(SECONDS_PER_MIB),
            memory_bytes: MEMORY_BYTES + mebibytes.saturating_mul(MEMORY_BYTES_PER_MIB),
        }
    }

    /// For compiling again, which nobody waits for.
    pub(crate) fn patient(code_bytes: u64) -> Self {
        let limits = Self::of(code_bytes);
        Self { seconds: limits.seconds.saturating_mul(PATIENCE), ..limits }
    }

    /// Has the system enforce the limits on this process, where it can: Linux enforces both, macOS processor time. Lower limits that
    /// the process already has stay.
    #[cfg(unix)]
    pub(crate) fn apply(&self) {
        use rustix::process::Resource;

        // The system sends a signal at the first of the two, and kills at the second.
        lower(Resource::Cpu, self.seconds, self.seconds.saturating_add(1));
        // Not the address space, of which the pool reserves more than there is memory. Reserved memory that cannot be written does
        // not count.
        lower(Resource::Data, self.memory_bytes, self.memory_bytes);
        lower(Resource::Core, 0, 0);
    }

    /// Elsewhere there are no such limits.
    #[cfg(not(unix))]
    pub(crate) fn apply(&self) {}
}

#[cfg(unix)]
fn lower(resource: rustix::process::Resource, soft: u64, hard: u64) {
    use rustix::process::{Rlimit, getrlimit, setrlimit};

    let now = getrlimit(resource);
    let lower = |new: u64, old: Option<u64>| Some(old.map_or(new, |old| old.min(new)));
    let new = Rlimit { current: lower(soft, now.current), maximum: lower(hard, now.maximum) };
    if let Err(error) = setrlimit(resource, new) {
        tracing::debug!("compiling is not limited: {error}");
    }
}

/// Whether the system ended a process that had used its processor time.
#[cfg(unix)]
pub(super) fn is_out_of_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;

    status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
pub(super) fn is_out_of_time(_status: ExitStatus) -> bool {
    false
}

/// Whether a message says that the system gave no more memory: that of Rust before it aborts, or that of the system.
pub(crate) fn is_lack_of_memory(message: &str) -> bool {
    ["memory allocation of ", "Cannot allocate memory", "os error 12", "out of memory"]
        .iter()
        .any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_with_the_code() {
        assert_eq!(Limits::of(0), Limits { seconds: 30, memory_bytes: 2 << 30 });
        assert_eq!(Limits::of(10 << 20), Limits { seconds: 80, memory_bytes: (2 << 30) + (80 << 20) });
        assert_eq!(Limits::patient(10 << 20).seconds, 800);
        assert_eq!(CompileLimit::Processor { seconds: 60 }.to_string(), "60 s of processor time");
        assert_eq!(CompileLimit::Memory { bytes: 2 << 30 }.to_string(), "2 GiB of memory");
    }

    #[test]
    fn a_lack_of_memory_is_recognised() {
        assert!(is_lack_of_memory("memory allocation of 4294967296 bytes failed\n"));
        assert!(is_lack_of_memory("mmap failed: Cannot allocate memory (os error 12)"));
        assert!(!is_lack_of_memory("thread 'main' panicked"));
    }
}
