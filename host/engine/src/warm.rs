//! Which components get a warm place: those whose first attempts touch much of their memory.

use std::future::poll_fn;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use wasmtime::component::Component as Compiled;

use crate::config::{WARM_MEMORIES, WARM_TABLES};

/// The attempts of a component that are looked at before it may have a place. A process that makes fewer does not pay for one.
const LOOKED_AT: u32 = 8;

/// The initial memory of components that may have a place. In less, page faults cost little; more takes too long to copy.
const MEMORY_BYTES: RangeInclusive<u64> = 2 << 20..=40 << 20;

/// The memory for each page fault of an attempt from which on copying takes longer than the faults.
const BYTES_PER_FAULT: u64 = 64 << 10;

/// The page of WebAssembly.
const PAGE_BYTES: u64 = 64 << 10;

/// What is known of a component whose memory has a size for which a warm place may pay.
pub(crate) struct Warmth {
    memory_bytes: u64,
    /// The attempts that were looked at, and their page faults.
    looked_at: AtomicU32,
    faults: AtomicU64,
}

impl Warmth {
    /// That of a component, unless its instances have too little memory for warm places to pay, or need more than there is in one.
    pub(crate) fn of(compiled: &Compiled) -> Option<Self> {
        let required = compiled.resources_required()?;
        let memory_bytes = required.max_initial_memory_size?.checked_mul(PAGE_BYTES)?;
        let fits = MEMORY_BYTES.contains(&memory_bytes)
            && required.num_memories <= WARM_MEMORIES
            && required.num_tables <= WARM_TABLES;
        fits.then(|| Self { memory_bytes, looked_at: AtomicU32::new(0), faults: AtomicU64::new(0) })
    }

    /// Whether its attempts are still looked at.
    pub(crate) fn is_unknown(&self) -> bool {
        self.looked_at.load(Ordering::Relaxed) < LOOKED_AT
    }

    /// An attempt that was looked at has ended. Whether it was the last one, and they cause so many page faults that copying the memory
    /// takes less time.
    pub(crate) fn has_shown_that_it_pays(&self) -> bool {
        let is_last = self.looked_at.fetch_add(1, Ordering::Relaxed) == LOOKED_AT - 1;
        let faults = self.faults.load(Ordering::Relaxed);
        let all_bytes = self.memory_bytes.saturating_mul(LOOKED_AT.into());
        is_last && faults.saturating_mul(BYTES_PER_FAULT) >= all_bytes
    }

    /// Makes an attempt, and counts its page faults.
    pub(crate) async fn look_at<F: Future>(&self, attempt: F) -> F::Output {
        let mut attempt = pin!(attempt);
        poll_fn(|cx| {
            let before = page_faults();
            let polled = attempt.as_mut().poll(cx);
            self.faults.fetch_add(page_faults().saturating_sub(before), Ordering::Relaxed);
            polled
        })
        .await
    }
}

/// The page faults of this thread so far.
#[cfg(target_os = "linux")]
fn page_faults() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.minor_page_faults().cast_unsigned())
}

/// Nothing is known of them: then no component gets a place.
#[cfg(not(target_os = "linux"))]
const fn page_faults() -> u64 {
    0
}
