//! `wasi:filesystem` as a guest sees it: each call is asked of wasmtime-wasi, and each answer is written down.

use hostel_core::{Answer, Question, Touch};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp,
    OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::ask::{self, Fd, Opening, answer};
use super::book::{Piece, Reader};
use super::content::{self, PIECE_BYTES, stamp};
use super::listing::Listing;
use super::stream::FileStream;
use crate::guest::Guest;

impl Guest {
    /// Writes down what a guest asked of something it has, and what it is told.
    fn note<T>(
        &mut self,
        fd: &Fd,
        question: Question,
        result: FsResult<T>,
        told: impl FnOnce(&T) -> Answer,
    ) -> FsResult<T> {
        let answer = answer(&result, told);
        if let Some(book) = &self.book {
            let mut book = book.lock();
            let node = book.node(fd.rep());
            book.note(node, question, answer);
        }
        result
    }

    /// Passes on what tells a guest nothing but that it may not, or that it is no such thing; what else goes wrong is a
    /// fault.
    fn only_refused<T>(&mut self, result: FsResult<T>) -> FsResult<T> {
        let is_fault =
            |error: &FsError| error.downcast_ref().is_some_and(|code| ask::refusal(*code).is_none());
        if result.as_ref().err().is_some_and(is_fault) {
            self.recorder.touch(Touch::FileFault);
        }
        result
    }

    /// Passes on that a descriptor is not of the kind that was asked for; what else goes wrong tells of the host.
    fn only_misused<T>(&mut self, result: FsResult<T>) -> FsResult<T> {
        let is_misused = |error: &FsError| error.downcast_ref() == Some(&ErrorCode::BadDescriptor);
        if result.as_ref().err().is_some_and(|error| !is_misused(error)) {
            self.recorder.touch(Touch::FileFault);
        }
        result
    }

    /// Opens what is only to be read, in which case the answer depends on what is there.
    async fn open_to_read(
        &mut self,
        dir: &Fd,
        path: String,
        how: (PathFlags, OpenFlags, DescriptorFlags),
    ) -> FsResult<Fd> {
        if !self.book.as_ref().is_some_and(|book| book.lock().has_room()) {
            return Err(ErrorCode::InsufficientMemory.into());
        }
        check_length(&path)?;
        let opened = match ask::open(&mut self.filesystem(), dir, &path, how).await {
            Ok(Opening::Device) => {
                self.recorder.touch(Touch::Device);
                return Err(ErrorCode::NotPermitted.into());
            }
            Ok(Opening::Opened(fd, kind)) => Ok((fd, kind)),
            Err(error) => Err(error),
        };
        let question = Question::Open {
            path: path.into(),
            follow: how.0.contains(PathFlags::SYMLINK_FOLLOW),
            directory: how.1.contains(OpenFlags::DIRECTORY),
        };
        let told = answer(&opened, |(_, kind)| Answer::Opened(*kind));
        let stamp = match &opened {
            Ok((fd, _)) => file_of(self, fd).ok().and_then(|file| stamp(&file)),
            Err(_) => None,
        };
        if let Some(book) = &self.book {
            let mut book = book.lock();
            let parent = book.node(dir.rep());
            let node = book.note(parent, question, told);
            if let Ok((fd, _)) = &opened {
                book.got_opened(fd.rep(), node, stamp);
            }
        }
        opened.map(|(fd, _)| fd)
    }
}

/// The file behind a descriptor, if it is a file.
fn file_of(guest: &mut Guest, fd: &Fd) -> FsResult<std::sync::Arc<std::fs::File>> {
    match guest.filesystem().table.get(fd)? {
        Descriptor::File(file) => Ok(std::sync::Arc::clone(&file.file)),
        Descriptor::Dir(_) => Err(ErrorCode::IsDirectory.into()),
    }
}

/// The longest path that is asked for, which is what Linux has; longer ones are refused everywhere.
const PATH_BYTES: usize = 4096;

fn check_length(path: &str) -> Result<(), ErrorCode> {
    if path.len() < PATH_BYTES { Ok(()) } else { Err(ErrorCode::NameTooLong) }
}

/// Whether an opening is refused whatever is there: it would write, or asks for what cannot be.
fn is_refused_anyway(open_flags: OpenFlags, flags: DescriptorFlags) -> bool {
    let writes = DescriptorFlags::WRITE
        | DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC
        | DescriptorFlags::REQUESTED_WRITE_SYNC;
    open_flags.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
        || open_flags.contains(OpenFlags::DIRECTORY | OpenFlags::EXCLUSIVE)
        || flags.intersects(writes)
}

impl preopens::Host for Guest {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let directories = preopens::Host::get_directories(&mut self.filesystem())?;
        if let Some(book) = &self.book {
            let mut book = book.lock();
            directories.iter().enumerate().for_each(|(place, (fd, _))| book.got_root(fd.rep(), place));
        }
        Ok(directories)
    }
}

impl types::Host for Guest {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        types::Host::filesystem_error_code(&mut self.filesystem(), error)
    }
}

/// What a descriptor is and how it was opened follows from the answer to its opening, and is not asked again.
impl HostDescriptor for Guest {
    async fn advise(&mut self, fd: Fd, offset: Filesize, len: Filesize, advice: Advice) -> FsResult<()> {
        let advised = self.filesystem().advise(fd, offset, len, advice).await;
        self.only_misused(advised)
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        let synced = self.filesystem().sync_data(fd).await;
        self.only_misused(synced)
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        let synced = self.filesystem().sync(fd).await;
        self.only_misused(synced)
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        let flags = self.filesystem().get_flags(fd).await;
        self.only_refused(flags)
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        let kind = self.filesystem().get_type(fd).await;
        self.only_refused(kind)
    }

    async fn open_at(
        &mut self,
        dir: Fd,
        follow: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        if is_refused_anyway(open_flags, flags) {
            let refused = self.filesystem().open_at(dir, follow, path, open_flags, flags).await;
            if refused.is_ok() {
                // Nobody is let in to write; should it be so all the same, nobody knows what is read there.
                self.recorder.touch(Touch::FileFault);
            }
            return self.only_refused(refused);
        }
        self.open_to_read(&dir, path, (follow, open_flags, flags)).await
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        if let Some(book) = &self.book {
            book.lock().dropped(fd.rep());
        }
        HostDescriptor::drop(&mut self.filesystem(), fd)
    }

    async fn read(&mut self, fd: Fd, len: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        let is_file = matches!(self.filesystem().table.get(&fd)?, Descriptor::File(_));
        if !is_file {
            return Err(ErrorCode::BadDescriptor.into());
        }
        let file = file_of(self, &fd)?;
        let bytes = content::read(&file, offset, len).map_err(|error| {
            self.recorder.touch(Touch::FileFault);
            FsError::from(error)
        })?;
        let asked = len.min(PIECE_BYTES as u64);
        if let Some(book) = self.book.as_ref().filter(|_| asked > 0) {
            let mut book = book.lock();
            let node = book.node(fd.rep());
            let end = (bytes.len() as u64) < asked;
            book.read(Reader::Descriptor(fd.rep()), node, &Piece { start: offset, bytes: &bytes, end });
        }
        let end = bytes.is_empty();
        Ok((bytes, end))
    }

    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        let file = file_of(self, &fd)?;
        let Some(book) = self.book.clone() else { return Err(ErrorCode::BadDescriptor.into()) };
        let (has_room, node) = {
            let book = book.lock();
            (book.has_room(), book.node(fd.rep()))
        };
        if !has_room {
            return Err(ErrorCode::InsufficientMemory.into());
        }
        let stream: DynInputStream = Box::new(FileStream::new(file, offset, book, node));
        Ok(self.filesystem().table.push(stream)?)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        if !self.book.as_ref().is_some_and(|book| book.lock().has_room()) {
            return Err(ErrorCode::InsufficientMemory.into());
        }
        let entries = ask::entries(&mut self.filesystem(), &fd).await;
        let listing = self.note(&fd, Question::Entries, entries, Listing::answer)?;
        let listing = listing.push(self.filesystem())?;
        self.book.iter().for_each(|book| book.lock().got_listing());
        Ok(listing)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        let stat = self.filesystem().stat(ask::same(&fd)).await;
        self.note(&fd, Question::Metadata, stat, ask::stat_told).map(ask::without_access)
    }

    async fn stat_at(&mut self, fd: Fd, follow: PathFlags, path: String) -> FsResult<DescriptorStat> {
        check_length(&path)?;
        let stat = self.filesystem().stat_at(ask::same(&fd), follow, path.clone()).await;
        let question =
            Question::MetadataAt { path: path.into(), follow: follow.contains(PathFlags::SYMLINK_FOLLOW) };
        self.note(&fd, question, stat, ask::stat_told).map(ask::without_access)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        check_length(&path)?;
        let link = self.filesystem().readlink_at(ask::same(&fd), path.clone()).await;
        self.note(&fd, Question::Link { path: path.into() }, link, |link| ask::link_told(link))
    }

    async fn is_same_object(&mut self, one: Fd, other: Fd) -> wasmtime::Result<bool> {
        let same = self.filesystem().is_same_object(ask::same(&one), ask::same(&other)).await?;
        if let Some(book) = &self.book {
            let mut book = book.lock();
            let (node, other) = (book.node(one.rep()), book.node(other.rep()));
            if let Some(other) = book.traced(other) {
                book.note(node, Question::SameAs { other }, Some(Answer::Same(same)));
            }
        }
        Ok(same)
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        let hash = self.filesystem().metadata_hash(ask::same(&fd)).await;
        self.note(&fd, Question::Hash, hash, ask::hash_told)
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        follow: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        check_length(&path)?;
        let hash = self.filesystem().metadata_hash_at(ask::same(&fd), follow, path.clone()).await;
        let question =
            Question::HashAt { path: path.into(), follow: follow.contains(PathFlags::SYMLINK_FOLLOW) };
        self.note(&fd, question, hash, ask::hash_told)
    }

    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        let refused = self.filesystem().set_size(fd, size).await;
        self.only_refused(refused)
    }

    async fn set_times(&mut self, fd: Fd, accessed: NewTimestamp, modified: NewTimestamp) -> FsResult<()> {
        let refused = self.filesystem().set_times(fd, accessed, modified).await;
        self.only_refused(refused)
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        let refused = self.filesystem().write(fd, bytes, offset).await;
        self.only_refused(refused)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let refused = self.filesystem().write_via_stream(fd, offset);
        self.only_refused(refused)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let refused = self.filesystem().append_via_stream(fd);
        self.only_refused(refused)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let refused = self.filesystem().create_directory_at(fd, path).await;
        self.only_refused(refused)
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        follow: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let refused = self.filesystem().set_times_at(fd, follow, path, accessed, modified).await;
        self.only_refused(refused)
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        follow: PathFlags,
        path: String,
        to: Fd,
        new: String,
    ) -> FsResult<()> {
        let refused = self.filesystem().link_at(fd, follow, path, to, new).await;
        self.only_refused(refused)
    }

    async fn symlink_at(&mut self, fd: Fd, path: String, new: String) -> FsResult<()> {
        let refused = self.filesystem().symlink_at(fd, path, new).await;
        self.only_refused(refused)
    }

    async fn rename_at(&mut self, fd: Fd, path: String, to: Fd, new: String) -> FsResult<()> {
        let refused = self.filesystem().rename_at(fd, path, to, new).await;
        self.only_refused(refused)
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let refused = self.filesystem().unlink_file_at(fd, path).await;
        self.only_refused(refused)
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let refused = self.filesystem().remove_directory_at(fd, path).await;
        self.only_refused(refused)
    }
}

impl HostDirectoryEntryStream for Guest {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        Listing::of(&mut self.filesystem(), &stream)?.next()
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.book.iter().for_each(|book| book.lock().dropped_listing());
        Listing::delete(self.filesystem(), &stream)
    }
}
