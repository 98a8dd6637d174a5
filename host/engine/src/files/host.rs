//! `wasi:filesystem` for guests: each call goes to wasmtime-wasi, and each answer is recorded.

use hostel_core::{Answer, Question, Touch};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp,
    OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::ask::{self, Fd, Opening, answer};
use super::book::{Piece, Reader};
use super::content::{self, PIECE_BYTES};
use super::listing::Listing;
use super::output::{self, At, NoRoom};
use super::place::{Place, check_length, leads_out};
use super::stream::FileStream;
use super::view::FilesView;

impl FilesView<'_> {
    /// Records a question of a guest about an open descriptor, and its answer.
    fn note<T>(
        &mut self,
        fd: &Fd,
        question: Question,
        result: FsResult<T>,
        to_answer: impl FnOnce(&T) -> Answer,
    ) -> FsResult<T> {
        let answer = answer(&result, to_answer);
        if let Some(book) = self.book {
            let mut book = book.lock();
            let node = book.node(fd.rep());
            book.note(node, question, answer);
        }
        result
    }

    /// Returns errors that only reveal a lack of permission or a wrong kind; any other error is a fault.
    fn only_refused<T>(&mut self, result: FsResult<T>) -> FsResult<T> {
        let is_fault =
            |error: &FsError| error.downcast_ref().is_some_and(|code| ask::refusal(*code).is_none());
        if result.as_ref().err().is_some_and(is_fault) {
            self.host.notes.touch(Touch::FileFault);
        }
        result
    }

    /// Returns the error that a descriptor is of the wrong kind; any other error reveals something about the host.
    fn only_misused<T>(&mut self, result: FsResult<T>) -> FsResult<T> {
        let is_misused = |error: &FsError| error.downcast_ref() == Some(&ErrorCode::BadDescriptor);
        if result.as_ref().err().is_some_and(|error| !is_misused(error)) {
            self.host.notes.touch(Touch::FileFault);
        }
        result
    }

    /// Opens for reading only. The answer depends on what exists.
    async fn open_to_read(
        &mut self,
        dir: &Fd,
        path: String,
        how: (PathFlags, OpenFlags, DescriptorFlags),
    ) -> FsResult<Fd> {
        self.check_room()?;
        check_length(&path)?;
        let opened = match ask::open(&mut self.filesystem(), dir, &path, how).await {
            Ok(Opening::Device) => return Err(self.left_alone()),
            Ok(Opening::Opened(fd, kind)) => Ok((fd, kind)),
            Err(error) => Err(error),
        };
        self.note_way_out(dir, &path, &opened);
        let question = Question::Open {
            path: path.as_str().into(),
            follow: how.0.contains(PathFlags::SYMLINK_FOLLOW),
            directory: how.1.contains(OpenFlags::DIRECTORY),
        };
        let given = answer(&opened, |(_, kind)| Answer::Opened(*kind));
        if let Some(book) = self.book {
            let mut book = book.lock();
            let parent = book.node(dir.rep());
            let node = book.note(parent, question, given);
            if let Ok((fd, _)) = &opened {
                book.got_opened(fd.rep(), (dir.rep(), &path), node);
            }
        }
        opened.map(|(fd, _)| fd)
    }
}

/// The file of a descriptor, if it is a file.
fn file_of(view: &mut FilesView<'_>, fd: &Fd) -> FsResult<std::sync::Arc<std::fs::File>> {
    match view.filesystem().table.get(fd)? {
        Descriptor::File(file) => Ok(std::sync::Arc::clone(&file.file)),
        Descriptor::Dir(_) => Err(ErrorCode::IsDirectory.into()),
    }
}

/// Whether an opening is always refused, regardless of files and grants, because its flags are contradictory.
fn is_refused_anyway(open_flags: OpenFlags, flags: DescriptorFlags) -> bool {
    let synchronous = DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC
        | DescriptorFlags::REQUESTED_WRITE_SYNC;
    let makes_a_file = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
    flags.intersects(synchronous)
        || open_flags.contains(OpenFlags::DIRECTORY) && open_flags.intersects(makes_a_file)
}

/// Whether an opening is for writing, or writes itself.
fn is_to_write(open_flags: OpenFlags, flags: DescriptorFlags) -> bool {
    open_flags.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE) || flags.contains(DescriptorFlags::WRITE)
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let directories = preopens::Host::get_directories(&mut self.filesystem())?;
        if let Some(book) = self.book {
            let mut book = book.lock();
            for (place, (fd, name)) in directories.iter().enumerate() {
                book.got_root(fd.rep(), place, name);
            }
        }
        Ok(directories)
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        if self.filesystem().table.get(&error)?.is::<NoRoom>() {
            return Ok(Some(ErrorCode::InsufficientSpace));
        }
        types::Host::filesystem_error_code(&mut self.filesystem(), error)
    }
}

/// The type and flags of a descriptor follow from the answer to its opening, and are not asked again.
impl HostDescriptor for FilesView<'_> {
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
                // If it is opened all the same, the content is unknown.
                self.host.notes.touch(Touch::FileFault);
            }
            return self.only_refused(refused);
        }
        if is_to_write(open_flags, flags) {
            return self.open_to_write(&dir, path, (follow, open_flags, flags)).await;
        }
        self.open_to_read(&dir, path, (follow, open_flags, flags)).await
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        if let Some(book) = self.book {
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
            self.host.notes.touch(Touch::FileFault);
            FsError::from(error)
        })?;
        let asked = len.min(PIECE_BYTES as u64);
        if let Some(book) = self.book.filter(|_| asked > 0) {
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
        self.check_room()?;
        let book = self.book()?;
        let node = book.lock().node(fd.rep());
        let stream: DynInputStream = Box::new(FileStream::new(file, offset, book, node));
        Ok(self.filesystem().table.push(stream)?)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        self.check_room()?;
        let book = self.book()?;
        let room = book.lock().room_to_list();
        let Some(entries) = ask::entries(&mut self.filesystem(), &fd, room).await.transpose() else {
            book.lock().refuse_listing();
            return Err(ErrorCode::InsufficientMemory.into());
        };
        let listing = self.note(&fd, Question::Entries, entries, Listing::answer)?;
        let len = listing.len();
        let listing = listing.push(self.filesystem())?;
        book.lock().got_listing(len);
        Ok(listing)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        let stat = self.filesystem().stat(ask::same(&fd)).await;
        self.note(&fd, Question::Metadata, stat, ask::stat_told).map(ask::without_access)
    }

    async fn stat_at(&mut self, fd: Fd, follow: PathFlags, path: String) -> FsResult<DescriptorStat> {
        check_length(&path)?;
        let stat = self.filesystem().stat_at(ask::same(&fd), follow, path.clone()).await;
        self.note_way_out(&fd, &path, &stat);
        let question =
            Question::MetadataAt { path: path.into(), follow: follow.contains(PathFlags::SYMLINK_FOLLOW) };
        self.note(&fd, question, stat, ask::stat_told).map(ask::without_access)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        check_length(&path)?;
        let link = self.filesystem().readlink_at(ask::same(&fd), path.clone()).await;
        self.note_way_out(&fd, &path, &link);
        self.note(&fd, Question::Link { path: path.into() }, link, |link| ask::link_told(link))
    }

    async fn is_same_object(&mut self, one: Fd, other: Fd) -> wasmtime::Result<bool> {
        let same = self.filesystem().is_same_object(ask::same(&one), ask::same(&other)).await?;
        if let Some(book) = self.book {
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
        self.note_way_out(&fd, &path, &hash);
        let question =
            Question::HashAt { path: path.into(), follow: follow.contains(PathFlags::SYMLINK_FOLLOW) };
        self.note(&fd, question, hash, ask::hash_told)
    }

    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        let file = self.file_to_write(&fd)?;
        Ok(output::set_len(&self.book()?, &file, size)?)
    }

    async fn set_times(&mut self, fd: Fd, accessed: NewTimestamp, modified: NewTimestamp) -> FsResult<()> {
        self.begin_change_of(&fd)?;
        self.filesystem().set_times(fd, accessed, modified).await
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        let file = self.file_to_write(&fd)?;
        Ok(output::write(&self.book()?, &file, At::Position(offset), &bytes)? as u64)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.output(&fd, At::Position(offset))?);
        Ok(self.filesystem().table.push(stream)?)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.output(&fd, At::End)?);
        Ok(self.filesystem().table.push(stream)?)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let place = [Place::at(&fd, &path)];
        self.begin_making(&place).await?;
        let made = self.filesystem().create_directory_at(ask::same(&fd), path.clone()).await;
        self.end_making(&place, made).await
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        follow: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let place = [Place::at(&fd, &path).following(follow)];
        self.begin_change(&place).await?;
        // What a link leads to is opened for that.
        if ask::kind_at(&mut self.filesystem(), &fd, &path, follow).await.is_some_and(ask::is_device) {
            return Err(self.left_alone());
        }
        let mut view = self.filesystem();
        let set = view.set_times_at(ask::same(&fd), follow, path.clone(), accessed, modified).await;
        self.end_change(&place, set).await
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        follow: PathFlags,
        path: String,
        to: Fd,
        new: String,
    ) -> FsResult<()> {
        let places = [Place::at(&fd, &path), Place::at(&to, &new)];
        self.begin_making(&places).await?;
        let (old_dir, new_dir) = (ask::same(&fd), ask::same(&to));
        let made = self.filesystem().link_at(old_dir, follow, path.clone(), new_dir, new.clone()).await;
        self.end_making(&places, made).await
    }

    /// A link that leads outside would not let a guest leave this directory. But programs of the host would follow it,
    /// and so would a grant of its target.
    async fn symlink_at(&mut self, fd: Fd, path: String, new: String) -> FsResult<()> {
        let place = [Place::at(&fd, &new)];
        self.begin_making(&place).await?;
        self.check_name(&Place::at(&fd, &path))?;
        if leads_out(&new, &path) {
            self.deny_way_out(&fd, &path);
            return Err(ErrorCode::NotPermitted.into());
        }
        let made = self.filesystem().symlink_at(ask::same(&fd), path, new.clone()).await;
        self.end_making(&place, made).await
    }

    async fn rename_at(&mut self, fd: Fd, path: String, to: Fd, new: String) -> FsResult<()> {
        let places = [Place::at(&fd, &path), Place::at(&to, &new)];
        self.begin_change(&places).await?;
        let (old_dir, new_dir) = (ask::same(&fd), ask::same(&to));
        let renamed = self.filesystem().rename_at(old_dir, path.clone(), new_dir, new.clone()).await;
        self.end_change(&places, renamed).await
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let place = [Place::at(&fd, &path)];
        self.begin_change(&place).await?;
        let removed = self.filesystem().unlink_file_at(ask::same(&fd), path.clone()).await;
        self.end_change(&place, removed).await
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let place = [Place::at(&fd, &path)];
        self.begin_change(&place).await?;
        let removed = self.filesystem().remove_directory_at(ask::same(&fd), path.clone()).await;
        self.end_change(&place, removed).await
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        Listing::of(&mut self.filesystem(), &stream)?.next()
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        let listing = Listing::delete(self.filesystem(), &stream)?;
        self.book.iter().for_each(|book| book.lock().dropped_listing(listing.len()));
        Ok(())
    }
}
