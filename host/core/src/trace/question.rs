//! Questions to a file system, and its answers.

use crate::Digest;

/// A question of a guest about an open file or directory. Paths are relative to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Open the entry at a path.
    Open {
        /// The path.
        path: Box<str>,
        /// Whether a symbolic link at the end is followed.
        follow: bool,
        /// Whether it must be a directory.
        directory: bool,
    },
    /// Its metadata.
    Metadata,
    /// The metadata of the entry at a path.
    MetadataAt {
        /// The path.
        path: Box<str>,
        /// Whether a symbolic link at the end is followed.
        follow: bool,
    },
    /// The target of the symbolic link at a path.
    Link {
        /// The path.
        path: Box<str>,
    },
    /// A number that distinguishes it from other files.
    Hash,
    /// A number that distinguishes the entry at a path from other files.
    HashAt {
        /// The path.
        path: Box<str>,
        /// Whether a symbolic link at the end is followed.
        follow: bool,
    },
    /// Whether it is the same as another open file or directory.
    SameAs {
        /// The other one.
        other: super::Node,
    },
    /// The entries of the directory.
    Entries,
    /// A range of bytes of the file.
    Content {
        /// The offset of the first.
        start: u64,
        /// The number of bytes.
        len: u64,
    },
}

/// An answer of the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A refusal.
    Refused(Refusal),
    /// It was opened, and has this kind.
    Opened(FileKind),
    /// Its metadata.
    Metadata(FileMetadata),
    /// The target of the link.
    Link(Box<str>),
    /// The number that distinguishes it from other files.
    Hash {
        /// The lower half.
        lower: u64,
        /// The upper half.
        upper: u64,
    },
    /// Whether two are the same.
    Same(bool),
    /// The entries of the directory.
    Entries {
        /// Sorted by the bytes of their names.
        entries: Vec<DirEntry>,
        /// The number of further entries whose names are not UTF-8.
        unreadable: u64,
    },
    /// The content of the bytes.
    Content {
        /// Their SHA-256.
        digest: Digest,
        /// Whether the guest saw that the file ends after them.
        end: bool,
    },
}

impl Answer {
    /// Merges another answer to the same question; `false` if they contradict each other. Two reads of the same bytes may
    /// differ in whether they reached the end of the file.
    pub(super) fn joins(&mut self, other: &Self) -> bool {
        if let (Self::Content { digest, end }, Self::Content { digest: others, end: ended }) =
            (&mut *self, other)
        {
            *end |= ended;
            return digest == others;
        }
        self == other
    }
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// Its name.
    pub name: Box<str>,
    /// Its kind; a symbolic link is not followed.
    pub kind: FileKind,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharacterDevice,
    /// A pipe, a socket, or another kind.
    Other,
}

/// Metadata as a guest sees it: without the time of the last access, which reading would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// Its kind.
    pub kind: FileKind,
    /// Its number of names.
    pub links: u64,
    /// Its size in bytes; for a symbolic link, the length of its target.
    pub size: u64,
    /// The time of the last change of its content.
    pub modified: Option<Moment>,
    /// The time of the last change of its status, as the host defines it.
    pub changed: Option<Moment>,
}

/// A time of a file, since 1970; negative seconds are earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Whole seconds.
    pub seconds: i64,
    /// The rest in nanoseconds, below a thousand million.
    pub nanos: u32,
}

/// A definite refusal, which the same question gets again while the files are unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It does not exist.
    NoEntry,
    /// It is not a directory.
    NotDirectory,
    /// It is a directory.
    IsDirectory,
    /// The host has no permission.
    Access,
    /// No guest has permission, or the path leads out of the directory.
    NotPermitted,
    /// Symbolic links form a loop, or one must not be followed.
    Loop,
    /// The name is too long.
    NameTooLong,
    /// The question is invalid.
    Invalid,
    /// A name is not UTF-8.
    IllegalByteSequence,
    /// It does not support the question.
    BadDescriptor,
    /// The file system does not support it.
    Unsupported,
    /// A number is too large.
    Overflow,
}

impl Question {
    /// The subject of the question, for reports.
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Open { .. } => "opened",
            Self::Metadata | Self::MetadataAt { .. } => "metadata",
            Self::Link { .. } => "link",
            Self::Hash | Self::HashAt { .. } | Self::SameAs { .. } => "identity",
            Self::Entries => "entries",
            Self::Content { .. } => "content",
        }
    }

    /// Its path, if it has one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Open { path, .. }
            | Self::MetadataAt { path, .. }
            | Self::Link { path }
            | Self::HashAt { path, .. } => Some(path),
            Self::Metadata | Self::Hash | Self::SameAs { .. } | Self::Entries | Self::Content { .. } => None,
        }
    }
}
