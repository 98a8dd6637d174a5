//! The entries of a directory, in an order that does not depend on the file system.

use std::collections::VecDeque;

use hostel_core::{Answer, DirEntry, FileKind};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode,
};
use wasmtime_wasi::p2::{FsError, FsResult};

/// The source from which a guest reads a directory, in place of wasmtime-wasi's own stream and under the same handle.
pub(super) struct Listing {
    entries: VecDeque<DirectoryEntry>,
    /// The number of entries whose names are not text. An error is returned for each of them, after the others.
    unreadable: u64,
    /// The initial number of those.
    len: usize,
}

impl Listing {
    /// Sorts entries by the bytes of their names; `None` if there are more than `most`, in which case no more are read.
    pub(super) fn new(
        entries: impl Iterator<Item = FsResult<DirectoryEntry>>,
        most: usize,
    ) -> FsResult<Option<Self>> {
        let mut readable = Vec::new();
        let (mut unreadable, mut len) = (0, 0);
        for entry in entries {
            match entry {
                Ok(entry) => readable.push(entry),
                Err(error) if error.downcast_ref() == Some(&ErrorCode::IllegalByteSequence) => {
                    unreadable += 1;
                }
                // Removed between reading the directory and the entry.
                Err(error) if error.downcast_ref() == Some(&ErrorCode::NoEntry) => continue,
                Err(error) => return Err(error),
            }
            len += 1;
            if len > most {
                return Ok(None);
            }
        }
        readable.sort_by(|one: &DirectoryEntry, other| one.name.cmp(&other.name));
        Ok(Some(Self { entries: readable.into(), unreadable, len }))
    }

    /// The number of entries when it was read.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn answer(&self) -> Answer {
        let entry = |entry: &DirectoryEntry| DirEntry {
            name: entry.name.as_str().into(),
            kind: file_kind(entry.type_),
        };
        Answer::Entries { entries: self.entries.iter().map(entry).collect(), unreadable: self.unreadable }
    }

    /// Puts it into the guest's table.
    pub(super) fn push(self, view: WasiFilesystemCtxView<'_>) -> FsResult<Resource<DirectoryEntryStream>> {
        Ok(Resource::new_own(view.table.push(self)?.rep()))
    }

    pub(super) fn of<'a>(
        view: &'a mut WasiFilesystemCtxView<'_>,
        stream: &Resource<DirectoryEntryStream>,
    ) -> FsResult<&'a mut Self> {
        Ok(view.table.get_mut(&Resource::new_borrow(stream.rep()))?)
    }

    /// Takes it out of the table.
    pub(super) fn delete(
        view: WasiFilesystemCtxView<'_>,
        stream: &Resource<DirectoryEntryStream>,
    ) -> wasmtime::Result<Self> {
        Ok(view.table.delete(Resource::<Self>::new_own(stream.rep()))?)
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

/// The kind of a file in the trace.
pub(super) fn file_kind(kind: DescriptorType) -> FileKind {
    match kind {
        DescriptorType::RegularFile => FileKind::File,
        DescriptorType::Directory => FileKind::Directory,
        DescriptorType::SymbolicLink => FileKind::Link,
        DescriptorType::BlockDevice => FileKind::BlockDevice,
        DescriptorType::CharacterDevice => FileKind::CharacterDevice,
        DescriptorType::Unknown | DescriptorType::Fifo | DescriptorType::Socket => FileKind::Other,
    }
}

/// The entries of a directory, read one by one, without `.` and `..`. wasmtime-wasi would first read all of them,
/// regardless of their number, and the metadata of each.
#[cfg(unix)]
pub(super) fn read_dir(
    dir: &std::fs::File,
) -> FsResult<impl Iterator<Item = FsResult<DirectoryEntry>> + use<'_>> {
    use rustix::fs::{Dir, Mode, OFlags, openat};

    // Not the same descriptor: its position in the directory would be shared.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let own = openat(dir, ".", flags, Mode::empty()).and_then(Dir::new).map_err(std::io::Error::from)?;
    let is_within = |name: &[u8]| ![b".".as_slice(), b".."].contains(&name);
    let entries =
        own.filter(move |entry| entry.as_ref().map_or(true, |entry| is_within(entry.file_name().to_bytes())));
    Ok(entries.map(move |entry| directory_entry(dir, &entry.map_err(std::io::Error::from)?)))
}

#[cfg(unix)]
fn directory_entry(dir: &std::fs::File, entry: &rustix::fs::DirEntry) -> FsResult<DirectoryEntry> {
    use rustix::fs::{AtFlags, FileType, statat};

    let name = entry.file_name();
    let mut kind = entry.file_type();
    if kind == FileType::Unknown {
        // Some file systems do not include it in the directory.
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(std::io::Error::from)?;
        kind = FileType::from_raw_mode(stat.st_mode);
    }
    let type_ = match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::Fifo | FileType::Socket | FileType::Unknown => DescriptorType::Unknown,
    };
    let name = name.to_str().map_err(|_| ErrorCode::IllegalByteSequence)?;
    Ok(DirectoryEntry { type_, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> FsResult<DirectoryEntry> {
        Ok(DirectoryEntry { type_: DescriptorType::RegularFile, name: name.to_owned() })
    }

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        let mut taken = 0;
        let endless = std::iter::repeat_with(|| {
            taken += 1;
            if taken % 2 == 0 { named("x") } else { Err(ErrorCode::IllegalByteSequence.into()) }
        });
        assert!(Listing::new(endless, 10).unwrap().is_none());
        assert_eq!(taken, 11, "names that are no text count, too");
    }

    #[test]
    fn as_many_as_there_is_room_for_are_read() {
        let entries = || [named("b"), Err(ErrorCode::NoEntry.into()), named("a")].into_iter();
        let mut listing = Listing::new(entries(), 2).unwrap().unwrap();
        assert_eq!(listing.next().unwrap().unwrap().name, "a");
        assert_eq!(listing.len(), 2, "what was handed over is given back with the rest");
        assert!(Listing::new(entries(), 1).unwrap().is_none());
    }
}
