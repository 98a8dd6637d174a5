//! Questions about granted directories, asked through wasmtime-wasi: first by a guest, and again by the host.

use hostel_core::{Answer, FileKind, FileMetadata, Moment, Question, Refusal};
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, ErrorCode, HostDescriptor, MetadataHashValue, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};

#[cfg(unix)]
use super::listing::read_dir;
use super::listing::{Listing, file_kind};
use super::usage::MOST_LISTED;

pub(super) type View<'a> = WasiFilesystemCtxView<'a>;
pub(super) type Fd = Resource<Descriptor>;

/// The result of opening.
pub(super) enum Opening {
    Opened(Fd, FileKind),
    /// The target was left alone.
    Device,
}

/// Another handle of the same file or directory.
pub(super) fn same(fd: &Fd) -> Fd {
    Resource::new_borrow(fd.rep())
}

/// Opens a file or a directory for reading.
pub(super) async fn open(
    view: &mut View<'_>,
    dir: &Fd,
    path: &str,
    how: (PathFlags, OpenFlags, DescriptorFlags),
) -> FsResult<Opening> {
    let (follow, open_flags, flags) = how;
    if kind_at(view, dir, path, follow).await.is_some_and(is_device) {
        return Ok(Opening::Device);
    }
    let fd = view.open_at(same(dir), follow, path.to_owned(), open_flags, flags).await?;
    let kind = match view.table.get(&fd)? {
        Descriptor::File(_) => FileKind::File,
        Descriptor::Dir(_) => FileKind::Directory,
    };
    Ok(Opening::Opened(fd, kind))
}

/// The target of a path; `None` if it is unknown.
pub(super) async fn kind_at(
    view: &mut View<'_>,
    dir: &Fd,
    path: &str,
    follow: PathFlags,
) -> Option<FileKind> {
    let stat = view.stat_at(same(dir), follow, path.to_owned()).await.ok()?;
    Some(file_kind(stat.type_))
}

/// Whether to leave it alone: opening a pipe may block until its other end is opened, and opening a device may do
/// anything.
pub(super) fn is_device(kind: FileKind) -> bool {
    match kind {
        FileKind::File | FileKind::Directory | FileKind::Link => false,
        FileKind::BlockDevice | FileKind::CharacterDevice | FileKind::Other => true,
    }
}

/// Metadata without the time of last access, which reading changes.
pub(super) fn without_access(stat: DescriptorStat) -> DescriptorStat {
    DescriptorStat { data_access_timestamp: None, ..stat }
}

/// The entries of a directory, if there are no more than this.
#[cfg(unix)]
pub(super) async fn entries(view: &mut View<'_>, dir: &Fd, most: usize) -> FsResult<Option<Listing>> {
    match view.table.get(dir)? {
        Descriptor::Dir(dir) => Listing::new(read_dir(&dir.dir)?, most),
        Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
    }
}

/// The same; all of them are read.
#[cfg(not(unix))]
pub(super) async fn entries(view: &mut View<'_>, dir: &Fd, most: usize) -> FsResult<Option<Listing>> {
    let stream = view.read_directory(same(dir)).await?;
    Listing::new(view.table.delete(stream)?.into_iter(), most)
}

/// Asks questions that need only one descriptor and neither open nor read. `None` if there is no definite answer.
pub(super) async fn ask(view: &mut View<'_>, fd: &Fd, question: &Question) -> Option<Answer> {
    let fd = same(fd);
    match question {
        Question::Metadata => answer(&view.stat(fd).await, stat_told),
        Question::MetadataAt { path, follow } => {
            answer(&view.stat_at(fd, path_flags(*follow), path.to_string()).await, stat_told)
        }
        Question::Link { path } => {
            answer(&view.readlink_at(fd, path.to_string()).await, |link| link_told(link))
        }
        Question::Hash => answer(&view.metadata_hash(fd).await, hash_told),
        Question::HashAt { path, follow } => {
            answer(&view.metadata_hash_at(fd, path_flags(*follow), path.to_string()).await, hash_told)
        }
        // A listing longer than an attempt may get is not an answer that it got.
        Question::Entries => answer(&entries(view, &fd, MOST_LISTED).await.transpose()?, Listing::answer),
        Question::Open { .. } | Question::SameAs { .. } | Question::Content { .. } => None,
    }
}

/// The answer that a guest got, if it is definite.
pub(super) fn answer<T>(result: &FsResult<T>, to_answer: impl FnOnce(&T) -> Answer) -> Option<Answer> {
    match result {
        Ok(value) => Some(to_answer(value)),
        Err(error) => refused(error),
    }
}

/// The refusal that a guest got, if it is definite.
pub(super) fn refused(error: &FsError) -> Option<Answer> {
    error.downcast_ref().and_then(|code| refusal(*code)).map(Answer::Refused)
}

pub(super) fn stat_told(stat: &DescriptorStat) -> Answer {
    Answer::Metadata(FileMetadata {
        kind: file_kind(stat.type_),
        links: stat.link_count,
        size: stat.size,
        modified: stat.data_modification_timestamp.map(moment),
        changed: stat.status_change_timestamp.map(moment),
    })
}

pub(super) fn link_told(link: &str) -> Answer {
    Answer::Link(link.into())
}

pub(super) fn hash_told(hash: &MetadataHashValue) -> Answer {
    Answer::Hash { lower: hash.lower, upper: hash.upper }
}

pub(super) fn path_flags(follow: bool) -> PathFlags {
    if follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() }
}

fn moment(time: Datetime) -> Moment {
    Moment { seconds: i64::try_from(time.seconds).unwrap_or(i64::MAX), nanos: time.nanoseconds }
}

/// The refusals that are repeatable; `None` for faults, which may be gone the next time.
pub(super) fn refusal(code: ErrorCode) -> Option<Refusal> {
    Some(match code {
        ErrorCode::NoEntry => Refusal::NoEntry,
        ErrorCode::NotDirectory => Refusal::NotDirectory,
        ErrorCode::IsDirectory => Refusal::IsDirectory,
        ErrorCode::Access => Refusal::Access,
        ErrorCode::NotPermitted => Refusal::NotPermitted,
        ErrorCode::Loop => Refusal::Loop,
        ErrorCode::NameTooLong => Refusal::NameTooLong,
        ErrorCode::Invalid => Refusal::Invalid,
        ErrorCode::IllegalByteSequence => Refusal::IllegalByteSequence,
        ErrorCode::BadDescriptor => Refusal::BadDescriptor,
        ErrorCode::Unsupported => Refusal::Unsupported,
        ErrorCode::Overflow => Refusal::Overflow,
        ErrorCode::WouldBlock
        | ErrorCode::Already
        | ErrorCode::Busy
        | ErrorCode::Deadlock
        | ErrorCode::Quota
        | ErrorCode::Exist
        | ErrorCode::FileTooLarge
        | ErrorCode::InProgress
        | ErrorCode::Interrupted
        | ErrorCode::Io
        | ErrorCode::TooManyLinks
        | ErrorCode::MessageSize
        | ErrorCode::NoDevice
        | ErrorCode::NoLock
        | ErrorCode::InsufficientMemory
        | ErrorCode::InsufficientSpace
        | ErrorCode::NotEmpty
        | ErrorCode::NotRecoverable
        | ErrorCode::NoTty
        | ErrorCode::NoSuchDevice
        | ErrorCode::Pipe
        | ErrorCode::ReadOnly
        | ErrorCode::InvalidSeek
        | ErrorCode::TextFileBusy
        | ErrorCode::CrossDevice => return None,
    })
}
