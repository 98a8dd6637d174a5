//! Waiting: waiting for one event reveals nothing, but which of several events is ready reveals the time if there is a
//! timer.
//!
//! Timers of a virtual clock are the exception: they depend on that clock alone.

use std::future;

use hostel_core::Touch;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll::{self, Host, HostPollable};

use super::clocks::{Clocks, ClocksView};
use super::state::MAX_RESOURCES;

/// The guest waits for more at once than it can have.
#[derive(Debug, thiserror::Error)]
#[error("more than {allowed} pollables in one call")]
pub(crate) struct TooManyPolled {
    pub(crate) allowed: u64,
}

/// Links `wasi:io/poll`.
pub(crate) fn link<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> ClocksView<'_>,
) -> wasmtime::Result<()> {
    poll::add_to_linker::<T, Clocks>(linker, view)
}

impl ClocksView<'_> {
    /// Records a touch if the answer could reveal the time. Without timers the answer is always the same: logs, given
    /// inputs and granted files are always ready. Using the network was a touch already, and polling a standard input
    /// that is a stream is one as well.
    fn ask_what_is_ready(&mut self) -> &mut ResourceTable {
        if self.clocks.has_timers {
            self.host.notes.touch(Touch::Readiness);
        }
        self.host.table()
    }
}

impl ClocksView<'_> {
    /// Waits as [`Host::poll`] for timers of a virtual clock, given as index and end, and for `others`, given by index.
    ///
    /// If one of the timers has ended, it returns at once. Otherwise the guest sleeps until the first of them ends, or one of
    /// the others is ready.
    async fn poll_virtual(
        &mut self,
        timers: Vec<(u32, u64)>,
        others: Vec<(u32, Resource<DynPollable>)>,
    ) -> wasmtime::Result<Vec<u32>> {
        let Some(first_end) = timers.iter().map(|(_, end)| *end).min() else { return Ok(Vec::new()) };
        if !others.is_empty() {
            // Counts as a reading. Otherwise a loop that polls until the timer ends would run for ever if the others are always ready.
            self.clocks.read_virtual_nanos();
        }
        let left = self.clocks.left_until(first_end);
        let timer = async {
            match left.is_zero() {
                true => future::ready(()).await,
                false => tokio::time::sleep(left).await,
            }
        };
        let (numbers, others): (Vec<u32>, Vec<_>) = others.into_iter().unzip();
        let table = self.host.table();
        let ready_others = match others.is_empty() {
            true => {
                timer.await;
                None
            }
            false => tokio::select! {
                biased;
                ready = Host::poll(table, others) => Some(ready?),
                () = timer => None,
            },
        };
        if ready_others.is_none() {
            self.clocks.sleep_until(first_end);
        }
        let over = timers.into_iter().filter(|(_, end)| self.clocks.left_until(*end).is_zero());
        let mut ready: Vec<u32> = over.map(|(index, _)| index).collect();
        let of_others = ready_others.into_iter().flatten();
        ready.extend(of_others.filter_map(|position| numbers.get(position as usize)));
        ready.sort_unstable();
        Ok(ready)
    }
}

impl Host for ClocksView<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        // The host has the list while the guest waits.
        if pollables.len() as u64 > MAX_RESOURCES {
            return Err(TooManyPolled { allowed: MAX_RESOURCES }.into());
        }
        let is_timer = |pollable: &Resource<DynPollable>| self.clocks.end_of(pollable).is_some();
        if pollables.iter().any(is_timer) {
            let (mut timers, mut others) = (Vec::new(), Vec::new());
            for (index, pollable) in (0..).zip(pollables) {
                match self.clocks.end_of(&pollable) {
                    Some(end) => timers.push((index, end)),
                    None => others.push((index, pollable)),
                }
            }
            return self.poll_virtual(timers, others).await;
        }
        let table = if pollables.len() > 1 { self.ask_what_is_ready() } else { self.host.table() };
        Host::poll(table, pollables).await
    }
}

impl HostPollable for ClocksView<'_> {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        if let Some(end) = self.clocks.end_of(&pollable) {
            // Counts as a reading. Otherwise a loop that polls until the timer ends would run for ever.
            return Ok(self.clocks.read_virtual_nanos() >= end);
        }
        HostPollable::ready(self.ask_what_is_ready(), pollable).await
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        if let Some(end) = self.clocks.end_of(&pollable) {
            self.poll_virtual(vec![(0, end)], Vec::new()).await?;
            return Ok(());
        }
        HostPollable::block(self.host.table(), pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.clocks.forget(&pollable);
        HostPollable::drop(self.host.table(), pollable)
    }
}
