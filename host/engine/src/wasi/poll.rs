//! Waiting: for one thing it tells nothing, but which of several is ready tells the time once there is a timer.

use hostel_core::Touch;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll::{Host, HostPollable};

use crate::guest::Guest;

impl Guest {
    /// The guest asks for more than to wait. Without timers the answer is always the same: the streams of a log, an input
    /// and granted files are ready at all times, and whatever is of the network has been a touch before.
    fn ask_what_is_ready(&mut self) -> &mut ResourceTable {
        if self.clocks.has_timers {
            self.recorder.touch(Touch::Readiness);
        }
        self.ctx().table
    }
}

impl Host for Guest {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let table = if pollables.len() > 1 { self.ask_what_is_ready() } else { self.ctx().table };
        Host::poll(table, pollables).await
    }
}

impl HostPollable for Guest {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        HostPollable::ready(self.ask_what_is_ready(), pollable).await
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        HostPollable::block(self.ctx().table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        HostPollable::drop(self.ctx().table, pollable)
    }
}
