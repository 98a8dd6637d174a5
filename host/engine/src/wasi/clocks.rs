//! Clocks and timers: reading a real clock is a touch, sleeping is none.

use std::time::{Duration, Instant, SystemTime};

use hostel_core::{Clock, Timestamp, Touch};
use wasmtime::component::Resource;
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{self, Datetime};

use crate::guest::Guest;

/// What both clocks say of their resolution, wherever they run: their unit.
const RESOLUTION_NANOS: u32 = 1;

/// What a monotonic clock shows when a guest first asks: as if it had run for a day, since programs go back from it.
const MONOTONIC_START_NANOS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// The clocks of one attempt.
pub(crate) struct Clocks {
    clock: Clock,
    /// When the guest first asked for monotonic time.
    first_asked: Option<Instant>,
    /// Whether the guest has asked for a timer.
    pub(super) has_timers: bool,
}

impl Clocks {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, first_asked: None, has_timers: false }
    }

    fn is_real(&self) -> bool {
        self.clock == Clock::Real
    }

    fn wall(&self) -> Timestamp {
        match self.clock {
            Clock::Real => SystemTime::now().into(),
            Clock::Fixed(instant) => instant,
        }
    }

    fn monotonic_nanos(&mut self) -> u64 {
        let since_start = match self.clock {
            Clock::Real => self.first_asked.get_or_insert_with(Instant::now).elapsed(),
            Clock::Fixed(_) => Duration::ZERO,
        };
        MONOTONIC_START_NANOS.saturating_add(u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl wall_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        if self.clocks.is_real() {
            self.recorder.touch(Touch::WallClock);
        }
        let since_epoch = Duration::from_nanos(self.clocks.wall().unix_nanos());
        Ok(Datetime { seconds: since_epoch.as_secs(), nanoseconds: since_epoch.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        Ok(Datetime { seconds: 0, nanoseconds: RESOLUTION_NANOS })
    }
}

impl monotonic_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        if self.clocks.is_real() {
            self.recorder.touch(Touch::MonotonicClock);
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
        let left = when.saturating_sub(self.clocks.monotonic_nanos());
        self.subscribe_duration(left)
    }

    fn subscribe_duration(
        &mut self,
        when: monotonic_clock::Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        self.clocks.has_timers = true;
        monotonic_clock::Host::subscribe_duration(&mut WasiClocksView::clocks(self), when)
    }
}
