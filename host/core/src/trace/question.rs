//! What can be asked of a file system, and what it can answer.

use crate::Digest;

/// What a guest asked about something it has open. Paths are relative to that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Open what is there.
    Open {
        /// Where.
        path: Box<str>,
        /// Whether a symbolic link at the end is followed.
        follow: bool,
        /// Whether it has to be a directory.
        directory: bool,
    },
    /// Its metadata.
    Metadata,
    /// The metadata of what is there.
    MetadataAt {
        /// Where.
        path: Box<str>,
        /// Whether a symbolic link at the end is followed.
        follow: bool,
    },
    /// Where the symbolic link there leads.
    Link {
        /// Where.
        path: Box<str>,
    },
    /// A number that tells it from other files.
    Hash,
    /// A number that tells what is there from other files.
    HashAt {
        /// Where.
        path: Box<str>,
        /// Whether a symbolic link at the end is followed.
        follow: bool,
    },
    /// Whether it is the same as something else that is open.
    SameAs {
        /// The other.
        other: super::Node,
    },
    /// What is in the directory.
    Entries,
    /// So many bytes of the file.
    Content {
        /// The place of the first.
        start: u64,
        /// How many.
        len: u64,
    },
}

/// What the file system told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// That it will not do it.
    Refused(Refusal),
    /// It was opened, and is this.
    Opened(FileKind),
    /// Its metadata.
    Metadata(FileMetadata),
    /// What the link says.
    Link(Box<str>),
    /// The number that tells it from other files.
    Hash {
        /// The lower half.
        lower: u64,
        /// The upper half.
        upper: u64,
    },
    /// Whether two are the same.
    Same(bool),
    /// What is in the directory.
    Entries {
        /// Sorted by the bytes of their names.
        entries: Vec<DirEntry>,
        /// How many more have names that are no text.
        unreadable: u64,
    },
    /// What the bytes are.
    Content {
        /// Their SHA-256.
        digest: Digest,
        /// Whether the guest was told that the file ends after them.
        end: bool,
    },
}

impl Answer {
    /// Takes in what another answer to the same question tells besides; `false` if they contradict each other. Who read the
    /// same bytes may have met the end of the file by it, or not have gone on to see.
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
    /// What it is; a symbolic link is not followed.
    pub kind: FileKind,
}

/// What stands under a name.
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
    /// A pipe, a socket, or something else.
    Other,
}

/// Metadata as a guest is told it: without the time of the last access, which reading would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// What it is.
    pub kind: FileKind,
    /// How many names it has.
    pub links: u64,
    /// Its size in bytes; of a symbolic link, the length of what it says.
    pub size: u64,
    /// When its content was changed last.
    pub modified: Option<Moment>,
    /// What the host calls the time of the last change of its state.
    pub changed: Option<Moment>,
}

/// A time of a file's, since 1970; negative seconds are before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Whole seconds.
    pub seconds: i64,
    /// The rest, below a thousand million.
    pub nanos: u32,
}

/// A definite no, which the same question gets again for as long as the files are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Nothing is there.
    NoEntry,
    /// It is no directory.
    NotDirectory,
    /// It is a directory.
    IsDirectory,
    /// The host may not.
    Access,
    /// No guest may; or the path leads out of the directory.
    NotPermitted,
    /// Symbolic links go in a circle, or one is not to be followed.
    Loop,
    /// The name is too long.
    NameTooLong,
    /// The question makes no sense.
    Invalid,
    /// A name is no text.
    IllegalByteSequence,
    /// It is nothing of which this can be asked.
    BadDescriptor,
    /// The file system knows no such thing.
    Unsupported,
    /// A number is too large.
    Overflow,
}

impl Question {
    /// What was asked for, for reports.
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

    /// The path in it, if it has one.
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
