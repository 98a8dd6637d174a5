//! The view on which `wasi:filesystem` is implemented.

use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::filesystem::{WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{self, ErrorCode};

use super::book::SharedBook;
use crate::wasi::HostView;

/// The view on which `wasi:filesystem` is implemented.
pub(crate) struct FilesView<'a> {
    /// The record of the guest's reads and writes; `None` if no directories are granted.
    pub(crate) book: Option<&'a SharedBook>,
    pub(crate) host: HostView<'a>,
}

struct Files;

impl HasData for Files {
    type Data<'a> = FilesView<'a>;
}

/// Links `wasi:filesystem`.
pub(crate) fn link<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> FilesView<'_>,
) -> wasmtime::Result<()> {
    types::add_to_linker::<T, Files>(linker, view)?;
    preopens::add_to_linker::<T, Files>(linker, view)
}

impl FilesView<'_> {
    /// wasmtime-wasi's own implementation.
    pub(super) fn filesystem(&mut self) -> WasiFilesystemCtxView<'_> {
        self.host.wasi().filesystem()
    }

    /// The book, which exists whenever there are descriptors.
    pub(super) fn book(&self) -> FsResult<SharedBook> {
        self.book.cloned().ok_or_else(|| ErrorCode::BadDescriptor.into())
    }
}
