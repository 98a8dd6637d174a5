//! Clocks and timers: reading a real clock is a touch, sleeping is not.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use hostel_core::{Clock, Timestamp, Touch};
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{self, Datetime};

use super::state::HostView;

/// The resolution of both clocks on every machine: their unit.
const RESOLUTION_NANOS: u32 = 1;

/// The first reading of a monotonic clock: a day, because programs subtract from it.
const MONOTONIC_START_NANOS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// The clocks of one attempt.
pub(crate) struct Clocks {
    clock: Clock,
    /// When the guest first read monotonic time.
    first_asked: Option<Instant>,
    /// Whether the guest has a timer whose end reveals real time.
    pub(super) has_timers: bool,
    /// The time of a virtual clock.
    virtual_nanos: u64,
    /// When the timers of a virtual clock end, by the number of their resource.
    timers: HashMap<u32, u64>,
}

/// The view on which the interfaces of clocks are implemented.
pub(crate) struct ClocksView<'a> {
    pub(crate) clocks: &'a mut Clocks,
    pub(crate) host: HostView<'a>,
}

impl HasData for Clocks {
    type Data<'a> = ClocksView<'a>;
}

/// Links `wasi:clocks`.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> ClocksView<'_>,
) -> wasmtime::Result<()> {
    wall_clock::add_to_linker::<T, Clocks>(linker, view)?;
    monotonic_clock::add_to_linker::<T, Clocks>(linker, view)
}

impl Clocks {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, first_asked: None, has_timers: false, virtual_nanos: 0, timers: HashMap::new() }
    }

    fn is_real(&self) -> bool {
        self.clock == Clock::Real
    }

    fn wall(&mut self) -> Timestamp {
        match self.clock {
            Clock::Real => SystemTime::now().into(),
            Clock::Fixed(instant) => instant,
            Clock::Virtual => {
                let nanos = Clock::VIRTUAL_START.unix_nanos().saturating_add(self.read_virtual_nanos());
                Timestamp::from_unix_nanos(nanos)
            }
        }
    }

    fn monotonic_nanos(&mut self) -> u64 {
        let since_start = match self.clock {
            Clock::Real => nanos(self.first_asked.get_or_insert_with(Instant::now).elapsed()),
            Clock::Fixed(_) => 0,
            Clock::Virtual => self.read_virtual_nanos(),
        };
        MONOTONIC_START_NANOS.saturating_add(since_start)
    }

    /// The time of a virtual clock; reading advances it.
    pub(super) fn read_virtual_nanos(&mut self) -> u64 {
        let shown = self.virtual_nanos;
        self.virtual_nanos = shown.saturating_add(nanos(Clock::VIRTUAL_STEP));
        shown
    }

    /// Advances a virtual clock to the end of a timer, unless it is past that already.
    pub(super) fn sleep_until(&mut self, end: u64) {
        self.virtual_nanos = self.virtual_nanos.max(end);
    }

    /// The time until a timer of a virtual clock ends.
    pub(super) fn left_until(&self, end: u64) -> Duration {
        Duration::from_nanos(end.saturating_sub(self.virtual_nanos))
    }

    /// When the timer of a virtual clock with this resource ends.
    pub(super) fn end_of(&self, pollable: &Resource<DynPollable>) -> Option<u64> {
        self.timers.get(&pollable.rep()).copied()
    }

    /// The guest has dropped a resource.
    pub(super) fn forget(&mut self, pollable: &Resource<DynPollable>) {
        self.timers.remove(&pollable.rep());
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl wall_clock::Host for ClocksView<'_> {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        if self.clocks.is_real() {
            self.host.notes.touch(Touch::WallClock);
        }
        let since_epoch = Duration::from_nanos(self.clocks.wall().unix_nanos());
        Ok(Datetime { seconds: since_epoch.as_secs(), nanoseconds: since_epoch.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        Ok(Datetime { seconds: 0, nanoseconds: RESOLUTION_NANOS })
    }
}

impl monotonic_clock::Host for ClocksView<'_> {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        if self.clocks.is_real() {
            self.host.notes.touch(Touch::MonotonicClock);
        }
        Ok(self.clocks.monotonic_nanos())
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        Ok(RESOLUTION_NANOS.into())
    }

    fn subscribe_instant(
        &mut self,
        when: monotonic_clock::Instant,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        if self.clocks.clock == Clock::Virtual {
            return self.subscribe_virtual(when.saturating_sub(MONOTONIC_START_NANOS));
        }
        let left = when.saturating_sub(self.clocks.monotonic_nanos());
        self.subscribe_duration(left)
    }

    fn subscribe_duration(
        &mut self,
        when: monotonic_clock::Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        if self.clocks.clock == Clock::Virtual {
            return self.subscribe_virtual(self.clocks.virtual_nanos.saturating_add(when));
        }
        self.clocks.has_timers = true;
        monotonic_clock::Host::subscribe_duration(&mut self.host.wasi().clocks(), when)
    }
}

impl ClocksView<'_> {
    /// A timer that ends when the virtual clock shows `end`. Its entry in the table is never waited for.
    fn subscribe_virtual(&mut self, end: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = monotonic_clock::Host::subscribe_duration(&mut self.host.wasi().clocks(), 0)?;
        self.clocks.timers.insert(timer.rep(), end);
        Ok(timer)
    }
}
