//! What can be asked of a file system, and what it can answer.

use std::time::Duration;

use crate::{Digest, Timestamp};

/// How much older than its stamp a file's times must be for the stamp to count. File systems keep times in steps of up to
/// two seconds, and what was written within one step has one time. And where a program writes through a mapping of the
/// file, the time changes with the first write to a page only, until that page was written back, which Linux does after
/// half a minute or so (`dirty_expire_centisecs` and `dirty_writeback_centisecs`, 30 s and 5 s).
const SETTLED_AFTER: Duration = Duration::from_secs(60);

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

/// What tells that a file was not changed, without reading it: where it is, its size, its times, and when the host looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The device it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When its content was changed last.
    pub modified: Moment,
    /// When anything of it was changed last; unlike the other this cannot be set.
    pub changed: Moment,
    /// When the host looked: before it read any of the content.
    pub taken: Timestamp,
}

impl Stamp {
    /// Whether a file that looks the same later was not changed since this one was taken: its times are older by more than
    /// a minute, so any change since then has given it another time.
    pub fn is_settled(&self) -> bool {
        let Some(latest) = self.taken.unix_nanos().checked_sub(nanos(SETTLED_AFTER)) else { return false };
        [self.modified, self.changed].iter().all(|moment| moment.unix_nanos() <= i128::from(latest))
    }

    /// Whether it shows the same file, unchanged; when the two were taken does not count.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        *self == Self { taken: self.taken, ..*other }
    }
}

impl Moment {
    fn unix_nanos(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn stamp(modified: i64, changed: i64, taken: u64) -> Stamp {
        let moment = |seconds| Moment { seconds, nanos: 0 };
        let (modified, changed) = (moment(modified), moment(changed));
        Stamp { device: 1, inode: 2, size: 3, modified, changed, taken: Timestamp::from_unix_nanos(taken) }
    }

    #[test]
    fn a_stamp_is_settled_when_both_times_are_a_minute_old() {
        let check = |modified, changed, taken, expected| {
            assert_eq!(
                stamp(modified, changed, taken).is_settled(),
                expected,
                "{modified} {changed} {taken}"
            );
        };
        check(100, 100, 160 * SECOND, true);
        check(100, 100, 160 * SECOND - 1, false);
        check(100, 101, 160 * SECOND, false);
        check(101, 100, 160 * SECOND, false);
        check(200, 100, 160 * SECOND, false);
        check(-5, 0, 60 * SECOND, true);
        check(0, 0, 0, false);
    }

    #[test]
    fn two_stamps_show_the_same_whenever_they_were_taken() {
        let one = stamp(1, 2, 3);
        assert!(one.shows_the_same(&stamp(1, 2, 4)));
        assert!(!one.shows_the_same(&stamp(1, 3, 3)));
        assert!(!one.shows_the_same(&stamp(2, 2, 3)));
        assert!(!one.shows_the_same(&Stamp { inode: 3, ..one }));
        assert!(!one.shows_the_same(&Stamp { device: 2, ..one }));
        assert!(!one.shows_the_same(&Stamp { size: 4, ..one }));
    }
}
