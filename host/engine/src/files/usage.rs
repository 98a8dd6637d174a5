//! A guest's use of files and of the disk, within its limits.

use std::fmt;
use std::sync::Arc;

use hostel_core::{Limit, LimitKind, Limits};

use crate::log::LogBook;

/// The number of files, directories and links that a guest may always create. Even an empty one takes space on the
/// disk.
const ENTRIES: u64 = 1_000;

/// For each block of this many bytes that it may write, a guest may create one more: the space that most file systems
/// use for a non-empty entry.
const BYTES_OF_ENTRY: u64 = 4 << 10;

/// The maximum total number of entries in the open listings of an attempt. The host holds them, each with a name of at
/// most 255 bytes.
pub(super) const MOST_LISTED: usize = 100_000;

/// The counts of one attempt.
pub(super) struct Usage {
    limits: Limits,
    log: Arc<LogBook>,
    open: u64,
    read_bytes: u64,
    written_bytes: u64,
    entries: u64,
    /// The entries of open listings.
    listed: usize,
    /// The limits that the log has already mentioned.
    remarked: Vec<&'static str>,
}

impl Usage {
    pub(super) fn new(limits: Limits, log: Arc<LogBook>) -> Self {
        let (open, read_bytes, written_bytes, entries, listed) = (0, 0, 0, 0, 0);
        Self { limits, log, open, read_bytes, written_bytes, entries, listed, remarked: Vec::new() }
    }

    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    pub(super) fn opened(&mut self) {
        self.open += 1;
    }

    pub(super) fn closed(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    pub(super) fn read(&mut self, bytes: u64) {
        self.read_bytes = self.read_bytes.saturating_add(bytes);
    }

    pub(super) fn wrote(&mut self, bytes: u64) {
        self.written_bytes = self.written_bytes.saturating_add(bytes);
    }

    pub(super) fn made(&mut self) {
        self.entries += 1;
    }

    pub(super) fn listed(&mut self, entries: usize) {
        self.listed += entries;
    }

    pub(super) fn unlisted(&mut self, entries: usize) {
        self.listed = self.listed.saturating_sub(entries);
    }

    /// The maximum number of entries of one more listing.
    pub(super) fn room_to_list(&self) -> usize {
        MOST_LISTED.saturating_sub(self.listed)
    }

    /// Adds a remark that a listing would have more.
    pub(super) fn refuse_listing(&mut self) {
        let allowed = format_args!("listings that are open may have {MOST_LISTED} entries together");
        self.tell("a directory was not listed", &allowed);
    }

    /// Whether one more may be opened. If not, adds a remark.
    pub(super) fn admits_opening(&mut self) -> bool {
        let fits = self.open < self.limits.open_files;
        if !fits {
            self.tell("a file was not opened", &Limit::of(LimitKind::OpenFiles, &self.limits));
        }
        fits
    }

    /// Whether this many bytes may be written. If not, adds a remark.
    pub(super) fn admits_writing(&mut self, bytes: u64) -> bool {
        let fits = self.written_bytes.saturating_add(bytes) <= self.limits.written_bytes;
        if !fits {
            self.tell("a file was not written", &Limit::of(LimitKind::Written, &self.limits));
        }
        fits
    }

    /// Whether a file, a directory or a link may be created. If not, adds a remark.
    pub(super) fn admits_making(&mut self) -> bool {
        let most = ENTRIES.saturating_add(self.limits.written_bytes / BYTES_OF_ENTRY);
        let fits = self.entries < most;
        if !fits {
            let option = LimitKind::Written.option().unwrap_or_default();
            let allowed = format_args!("it may make {most} (raise it with --{option})");
            self.tell("a file, a directory or a link was not made", &allowed);
        }
        fits
    }

    /// Adds a remark at the first refusal of a limit.
    fn tell(&mut self, refused: &'static str, allowed: &dyn fmt::Display) {
        if !self.remarked.contains(&refused) {
            self.remarked.push(refused);
            self.log.remark(format!("{refused}: {allowed}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_told_of_once() {
        let log = Arc::new(LogBook::new(1 << 20, None));
        let limits = Limits { open_files: 1, written_bytes: 8192, ..Limits::default() };
        let mut usage = Usage::new(limits, Arc::clone(&log));
        assert!(usage.admits_opening() && usage.admits_writing(8192) && !usage.admits_writing(8193));
        usage.opened();
        assert!(!usage.admits_opening() && !usage.admits_opening());
        usage.closed();
        assert!(usage.admits_opening());
        usage.wrote(8191);
        assert!(usage.admits_writing(1) && !usage.admits_writing(2) && !usage.admits_writing(u64::MAX));
        (0..1002).for_each(|_| {
            assert!(usage.admits_making());
            usage.made();
        });
        assert!(!usage.admits_making());
        let remarks: Vec<_> = log.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(
            remarks,
            [
                "a file was not written: it may write 8 KiB to files (raise it with --max-written)",
                "a file was not opened: it may have 1 files open at once (raise it with --max-open-files)",
                "a file, a directory or a link was not made: it may make 1002 (raise it with --max-written)",
            ]
        );
    }
}
