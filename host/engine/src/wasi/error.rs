//! Errors of streams: the guest gets the message, and no internals of the host.

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi::p2::bindings::io::error::{self, Host, HostError};

/// The view on which the interface of errors is implemented.
pub(crate) struct ErrorsView<'a> {
    pub(crate) table: &'a mut ResourceTable,
}

struct Errors;

impl HasData for Errors {
    type Data<'a> = ErrorsView<'a>;
}

/// Links `wasi:io/error`.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> ErrorsView<'_>,
) -> wasmtime::Result<()> {
    error::add_to_linker::<T, Errors>(linker, view)
}

impl Host for ErrorsView<'_> {}

impl HostError for ErrorsView<'_> {
    /// Without the backtrace that an error of the host may have, which differs between machines.
    fn to_debug_string(&mut self, error: Resource<IoError>) -> wasmtime::Result<String> {
        Ok(format!("{:#}", self.table.get(&error)?))
    }

    fn drop(&mut self, error: Resource<IoError>) -> wasmtime::Result<()> {
        self.table.delete(error)?;
        Ok(())
    }
}
