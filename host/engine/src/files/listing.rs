//! The entries of a directory, in an order that does not depend on the file system.

use std::collections::VecDeque;

use hostel_core::{Answer, DirEntry};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::bindings::filesystem::types::{DirectoryEntry, DirectoryEntryStream, ErrorCode};
use wasmtime_wasi::p2::{FsError, FsResult, ReaddirIterator};

use super::ask::file_kind;

/// What a guest reads a directory from, in place of wasmtime-wasi's own stream and under the same handle.
pub(super) struct Listing {
    entries: VecDeque<DirectoryEntry>,
    /// How many more have names that are no text, which is told for each of them after the others.
    unreadable: u64,
}

impl Listing {
    /// Sorts entries by the bytes of their names.
    pub(super) fn new(entries: ReaddirIterator) -> FsResult<Self> {
        let mut readable = Vec::new();
        let mut unreadable = 0;
        for entry in entries {
            match entry {
                Ok(entry) => readable.push(entry),
                Err(error) if error.downcast_ref() == Some(&ErrorCode::IllegalByteSequence) => {
                    unreadable += 1
                }
                // Gone between the look at the directory and that at the entry.
                Err(error) if error.downcast_ref() == Some(&ErrorCode::NoEntry) => {}
                Err(error) => return Err(error),
            }
        }
        readable.sort_by(|one: &DirectoryEntry, other| one.name.cmp(&other.name));
        Ok(Self { entries: readable.into(), unreadable })
    }

    pub(super) fn answer(&self) -> Answer {
        let entry = |entry: &DirectoryEntry| DirEntry {
            name: entry.name.as_str().into(),
            kind: file_kind(entry.type_),
        };
        Answer::Entries { entries: self.entries.iter().map(entry).collect(), unreadable: self.unreadable }
    }

    /// Puts it where the guest finds it.
    pub(super) fn push(self, view: WasiFilesystemCtxView<'_>) -> FsResult<Resource<DirectoryEntryStream>> {
        Ok(Resource::new_own(view.table.push(self)?.rep()))
    }

    pub(super) fn of<'a>(
        view: &'a mut WasiFilesystemCtxView<'_>,
        stream: &Resource<DirectoryEntryStream>,
    ) -> FsResult<&'a mut Self> {
        Ok(view.table.get_mut(&Resource::new_borrow(stream.rep()))?)
    }

    pub(super) fn delete(
        view: WasiFilesystemCtxView<'_>,
        stream: &Resource<DirectoryEntryStream>,
    ) -> wasmtime::Result<()> {
        view.table.delete(Resource::<Self>::new_own(stream.rep()))?;
        Ok(())
    }

    pub(super) fn next(&mut self) -> FsResult<Option<DirectoryEntry>> {
        if let Some(entry) = self.entries.pop_front() {
            return Ok(Some(entry));
        }
        if self.unreadable == 0 {
            return Ok(None);
        }
        self.unreadable -= 1;
        Err(FsError::from(ErrorCode::IllegalByteSequence))
    }
}
