//! Places where memory stays with the slots of a pool, for components whose instances touch much of it.
//!
//! In the usual pool, an instance gets its memory by page faults. A page that the guest first reads and then writes is replaced, and
//! every processor that executes the same program has to be interrupted for that. An interpreter touches hundreds of pages in a
//! call of two milliseconds, and two of them at once are slower than one after the other. Here the whole memory stays, and is copied
//! from the component after each attempt, which takes no page fault. That costs time and memory in proportion to the size of the
//! memory, so it is for components of which it is known that they touch much of it, and for few instances at once.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use wasmtime::component::Component as Compiled;

use crate::compile_cache::CompileCache;
use crate::component::{Component, Tier};
use crate::config::{self, EngineOptions};
use crate::runtime::Runtime;

/// The attempts of a component that are looked at before it may have a place. A process that makes fewer does not pay for one.
const LOOKED_AT: u32 = 8;

/// The initial memory of components that may have a place. In less, page faults cost little; more takes too long to copy.
const MEMORY_BYTES: std::ops::RangeInclusive<u64> = 2 << 20..=40 << 20;

/// What an instance of such a component may have besides.
pub(crate) const MEMORIES: u32 = 2;
pub(crate) const TABLES: u32 = 8;

/// The memory for each page fault of an attempt from which on copying takes longer than the faults.
const BYTES_PER_FAULT: u64 = 64 << 10;

/// The page of WebAssembly.
const PAGE_BYTES: u64 = 64 << 10;

/// The warm places of an engine.
pub(crate) struct WarmPlaces {
    options: EngineOptions,
    /// Set up with the first component that needs it; `None` if that fails.
    runtime: OnceLock<Option<Runtime>>,
    free: AtomicU32,
}

impl WarmPlaces {
    pub(crate) fn new(options: &EngineOptions) -> Self {
        let free = AtomicU32::new(config::warm_places(options));
        Self { options: options.clone(), runtime: OnceLock::new(), free }
    }

    /// The runtime, if a component needed it.
    pub(crate) fn runtime(&self) -> Option<&Runtime> {
        self.runtime.get().and_then(Option::as_ref)
    }

    fn set_up(&self) -> Option<&Runtime> {
        let runtime = self.runtime.get_or_init(|| {
            let runtime = Runtime::warm(&self.options);
            runtime.inspect_err(|error| tracing::warn!("memory does not stay with slots: {error:#}")).ok()
        });
        runtime.as_ref()
    }
}

/// A place of an attempt, which is free again when this is dropped.
pub(crate) struct WarmPlace<'a> {
    pub(crate) code: &'a Tier,
    free: &'a AtomicU32,
}

impl<'a> WarmPlace<'a> {
    fn take(free: &'a AtomicU32, code: &'a Tier) -> Option<Self> {
        let taken = free.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |free| free.checked_sub(1));
        taken.is_ok().then_some(Self { code, free })
    }
}

impl Drop for WarmPlace<'_> {
    fn drop(&mut self) {
        self.free.fetch_add(1, Ordering::AcqRel);
    }
}

/// What is known of a component whose memory has a size for which a place may pay.
pub(crate) struct Warmth {
    memory_bytes: u64,
    /// The attempts that were looked at, and their page faults.
    looked_at: AtomicU32,
    faults: AtomicU64,
    /// Its code for warm places; `None` if it gets none.
    code: OnceLock<Option<Tier>>,
}

impl Warmth {
    /// That of a component, unless its instances have too little memory for warm places to pay, or need more than there is in one.
    pub(crate) fn of(compiled: &Compiled) -> Option<Self> {
        let required = compiled.resources_required()?;
        let memory_bytes = required.max_initial_memory_size?.checked_mul(PAGE_BYTES)?;
        let fits = MEMORY_BYTES.contains(&memory_bytes)
            && required.num_memories <= MEMORIES
            && required.num_tables <= TABLES;
        let (looked_at, faults) = (AtomicU32::new(0), AtomicU64::new(0));
        fits.then(|| Self { memory_bytes, looked_at, faults, code: OnceLock::new() })
    }

    /// Whether it has code for warm places.
    pub(crate) fn is_warm(&self) -> bool {
        self.code.get().is_some_and(Option::is_some)
    }

    /// Whether its attempts are still looked at.
    pub(crate) fn is_unknown(&self) -> bool {
        self.looked_at.load(Ordering::Relaxed) < LOOKED_AT
    }

    /// Whether its attempts cause so many page faults that copying the memory takes less time.
    fn pays(&self) -> bool {
        self.faults.load(Ordering::Relaxed).saturating_mul(BYTES_PER_FAULT)
            >= self.memory_bytes.saturating_mul(LOOKED_AT.into())
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

/// A free place for an attempt of a component, if it has code for them.
pub(crate) fn place(component: &Component) -> Option<WarmPlace<'_>> {
    let code = component.0.warmth.as_ref()?.code.get()?.as_ref()?;
    WarmPlace::take(&component.0.resources.warm.free, code)
}

/// An attempt that was looked at has ended. After the last one, the component gets code for warm places in the background if they
/// pay.
pub(crate) fn looked_at(component: &Component) {
    let Some(warmth) = &component.0.warmth else { return };
    if warmth.looked_at.fetch_add(1, Ordering::Relaxed) != LOOKED_AT - 1 {
        return;
    }
    let warm = &component.0.resources.warm;
    if !warmth.pays() || warm.free.load(Ordering::Relaxed) == 0 || warm.options.compile_cache_dir.is_none() {
        return;
    }
    let waiting = Arc::downgrade(&component.0);
    let load = move || {
        if let Some(component) = waiting.upgrade().map(Component) {
            warm_up(&component);
        }
    };
    if let Err(error) = thread::Builder::new().name("hostel-warm".to_owned()).spawn(load) {
        tracing::warn!("memory does not stay with the slots of a component: {error}");
    }
}

/// Loads the code of a component for warm places. It comes from the compile cache, where it is mapped a second time.
fn warm_up(component: &Component) {
    let (inner, warm) = (&component.0, &component.0.resources.warm);
    let (Some(warmth), Some(dir)) = (&inner.warmth, &warm.options.compile_cache_dir) else { return };
    let Some(runtime) = warm.set_up() else { return };
    inner.resources.ticker.drive(&runtime.engine);
    let compiled = CompileCache::new(dir.clone()).get(&component.digest(), &runtime.engine);
    let code = compiled.map(|compiled| Tier::of(runtime, &compiled, component.imports()));
    // Only one thread gets here.
    let _ = warmth.code.set(code);
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
