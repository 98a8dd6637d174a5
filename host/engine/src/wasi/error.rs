//! What a failed stream has to say: its message, and nothing of the host's insides.

use wasmtime::component::Resource;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi::p2::bindings::io::error::{Host, HostError};

use crate::guest::Guest;

impl Host for Guest {}

impl HostError for Guest {
    /// Without the backtrace that an error of the host may have, which is another on each machine.
    fn to_debug_string(&mut self, error: Resource<IoError>) -> wasmtime::Result<String> {
        Ok(format!("{:#}", self.ctx().table.get(&error)?))
    }

    fn drop(&mut self, error: Resource<IoError>) -> wasmtime::Result<()> {
        self.ctx().table.delete(error)?;
        Ok(())
    }
}
