//! Every change that can be made to granted directories.

use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags, filesystem_error_code,
};
use wasip2::io::streams::{OutputStream, StreamError};

use crate::files::Roots;

/// What is changed. A path that begins with `2:` is in the second granted directory.
pub(crate) enum Change<'a> {
    /// `put PATH TEXT`: writes a file anew, which need not be there.
    Put(&'a str, &'a str),
    /// `make PATH`: an empty file, which must not be there.
    Make(&'a str),
    /// `at OFFSET PATH TEXT`: writes into a file.
    At { path: &'a str, offset: u64, text: &'a str },
    /// `stream OFFSET PATH TEXT`: the same through a stream, twice.
    Stream { path: &'a str, offset: u64, text: &'a str },
    /// `append PATH TEXT`: at the end of a file, through a stream.
    Append(&'a str, &'a str),
    /// `resize SIZE PATH`.
    Resize { path: &'a str, size: u64 },
    /// `stamp SECONDS PATH`: sets the times of an open file.
    Stamp { path: &'a str, seconds: u64 },
    /// `sync PATH`.
    Sync(&'a str),
    /// `unasked PATH TEXT`: writes through a descriptor that is open to read only.
    WriteUnasked(&'a str, &'a str),
    /// `hold COUNT PATH`: how often a file can be opened at once.
    Hold { path: &'a str, count: u64 },
    /// What no file has to be opened for.
    Tree(TreeChange<'a>),
}

/// A change of what is where.
pub(crate) enum TreeChange<'a> {
    /// `stamp-at SECONDS PATH`: sets the times of what a path leads to.
    StampAt { path: &'a str, seconds: u64 },
    /// `make-dir PATH`.
    MakeDir(&'a str),
    /// `remove-dir PATH`.
    RemoveDir(&'a str),
    /// `remove PATH`.
    Remove(&'a str),
    /// `rename OLD NEW`.
    Rename(&'a str, &'a str),
    /// `hard-link OLD NEW`.
    HardLink(&'a str, &'a str),
    /// `soft-link TARGET NEW`.
    SoftLink(&'a str, &'a str),
}

type Done = Result<String, ErrorCode>;

/// Carries out a change.
pub(crate) fn make(roots: &Roots, change: Change<'_>) -> Done {
    let opened = |path| open(roots, path, OpenFlags::empty());
    match change {
        Change::Put(path, text) => {
            write(&open(roots, path, OpenFlags::CREATE | OpenFlags::TRUNCATE)?, 0, text)
        }
        Change::Make(path) => open(roots, path, OpenFlags::CREATE | OpenFlags::EXCLUSIVE).map(|_| done(())),
        Change::At { path, offset, text } => write(&opened(path)?, offset, text),
        Change::Stream { path, offset, text } => {
            let file = opened(path)?;
            let stream = file.write_via_stream(offset)?;
            print(&stream, text)?;
            print(&stream, text)
        }
        Change::Append(path, text) => {
            let file = open(roots, path, OpenFlags::CREATE)?;
            let stream = file.append_via_stream()?;
            print(&stream, text)
        }
        Change::Resize { path, size } => opened(path)?.set_size(size).map(done),
        Change::Stamp { path, seconds } => {
            open_to_read(roots, path)?.set_times(NewTimestamp::NoChange, at(seconds)).map(done)
        }
        Change::Sync(path) => {
            let file = opened(path)?;
            file.sync_data().and_then(|()| file.sync()).map(done)
        }
        Change::WriteUnasked(path, text) => write(&open_to_read(roots, path)?, 0, text),
        Change::Hold { path, count } => {
            let held: Vec<_> = (0..count).map_while(|_| opened(path).ok()).collect();
            Ok(held.len().to_string())
        }
        Change::Tree(change) => change_tree(roots, change).map(done),
    }
}

fn change_tree(roots: &Roots, change: TreeChange<'_>) -> Result<(), ErrorCode> {
    match change {
        TreeChange::StampAt { path, seconds } => {
            let (root, path) = roots.place(path);
            root.set_times_at(FOLLOW, path, NewTimestamp::Now, at(seconds))
        }
        TreeChange::MakeDir(path) => {
            let (root, path) = roots.place(path);
            root.create_directory_at(path)
        }
        TreeChange::RemoveDir(path) => {
            let (root, path) = roots.place(path);
            root.remove_directory_at(path)
        }
        TreeChange::Remove(path) => {
            let (root, path) = roots.place(path);
            root.unlink_file_at(path)
        }
        TreeChange::Rename(old, new) => {
            let ((from, old), (to, new)) = (roots.place(old), roots.place(new));
            from.rename_at(old, to, new)
        }
        TreeChange::HardLink(old, new) => {
            let ((from, old), (to, new)) = (roots.place(old), roots.place(new));
            from.link_at(PathFlags::empty(), old, to, new)
        }
        TreeChange::SoftLink(target, new) => {
            let (root, new) = roots.place(new);
            root.symlink_at(target, new)
        }
    }
}

fn done((): ()) -> String {
    "done".to_owned()
}

const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;

fn open(roots: &Roots, path: &str, how: OpenFlags) -> Result<Descriptor, ErrorCode> {
    let (root, path) = roots.place(path);
    root.open_at(FOLLOW, path, how, DescriptorFlags::READ | DescriptorFlags::WRITE)
}

fn open_to_read(roots: &Roots, path: &str) -> Result<Descriptor, ErrorCode> {
    let (root, path) = roots.place(path);
    root.open_at(FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)
}

fn write(file: &Descriptor, offset: u64, text: &str) -> Done {
    file.write(text.as_bytes(), offset).map(|written| written.to_string())
}

fn print(stream: &OutputStream, text: &str) -> Done {
    match stream.blocking_write_and_flush(text.as_bytes()) {
        Ok(()) => Ok(text.len().to_string()),
        Err(StreamError::Closed) => Ok("the stream is closed".to_owned()),
        Err(StreamError::LastOperationFailed(error)) => {
            Err(filesystem_error_code(&error).unwrap_or(ErrorCode::Io))
        }
    }
}

fn at(seconds: u64) -> NewTimestamp {
    NewTimestamp::Timestamp(Datetime { seconds, nanoseconds: 0 })
}
