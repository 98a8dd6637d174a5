//! The location of directories on their file systems, which recognises a directory that is mounted in two places.
//!
//! `/proc/self/mountinfo` has a line for each mount (proc_pid_mountinfo(5)): which part of which file system appears at
//! which path. It maps every path to a device and a path inside that device.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The mounts of this process. None are known without `/proc`.
pub(super) struct Mounts(Vec<Mount>);

/// A part of a file system, and the path where it is mounted.
struct Mount {
    device: String,
    root: PathBuf,
    point: PathBuf,
}

/// A directory as a device and a path inside it.
type Location<'a> = (&'a str, PathBuf);

impl Mounts {
    pub(super) fn read() -> Self {
        Self::parse(&fs::read("/proc/self/mountinfo").unwrap_or_default())
    }

    fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').filter_map(mount).collect())
    }

    /// Whether a file below one directory may be a file below the other. Both paths are absolute and without links.
    pub(super) fn overlap(&self, one: &Path, other: &Path) -> bool {
        let others = self.locations(other);
        self.locations(one).iter().any(|(device, path)| {
            let is_same =
                |(of, at): &Location<'_>| of == device && (at.starts_with(path) || path.starts_with(at));
            others.iter().any(is_same)
        })
    }

    /// Whether `inner` is `outer` or inside it, by some mount. Both paths are absolute and without links.
    pub(super) fn contains(&self, outer: &Path, inner: &Path) -> bool {
        let outers = self.locations(outer);
        let inners = self.0.iter().filter_map(|mount| Some((&mount.device, mount.own_location(inner)?)));
        inners
            .into_iter()
            .any(|(device, path)| outers.iter().any(|(of, outer)| of == device && path.starts_with(outer)))
    }

    /// The location of a directory, and of everything mounted below it. Mounts hidden by others count as well: to
    /// determine which ones are hidden is harder than to refuse a grant that is not needed.
    fn locations(&self, dir: &Path) -> Vec<Location<'_>> {
        let location = |mount: &'_ Mount| {
            if mount.point.starts_with(dir) {
                return Some(mount.root.clone());
            }
            mount.own_location(dir)
        };
        self.0.iter().filter_map(|mount| Some((mount.device.as_str(), location(mount)?))).collect()
    }
}

impl Mount {
    /// The location of a directory on the file system, if this mount contains it.
    fn own_location(&self, dir: &Path) -> Option<PathBuf> {
        dir.strip_prefix(&self.point).ok().map(|rest| self.root.join(rest))
    }
}

/// Reads `ID PARENT MAJOR:MINOR ROOT POINT …`.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let device = String::from_utf8(fields.next()?.to_vec()).ok()?;
    let (root, point) = (unescaped(fields.next()?), unescaped(fields.next()?));
    Some(Mount { device, root, point })
}

/// A path in which space, tab, line feed and backslash are escaped as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                Some((((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), tail))
            }
            _ => None,
        };
        let (byte, left) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = left;
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
22 21 0:20 / /proc rw - proc proc rw
30 21 8:1 /data/hostel/results /a\\040b rw - ext4 /dev/sda1 rw
31 21 8:1 /data /srv/work/deep rw - ext4 /dev/sda1 rw
32 21 8:2 / /big rw - ext4 /dev/sdb1 rw
33 21 8:2 /blobs /data/hostel/compiled rw - ext4 /dev/sdb1 rw
34 21 0:30 / /home rw - tmpfs tmpfs rw
";

    #[test]
    fn a_directory_is_known_wherever_it_is_mounted() {
        let mounts = Mounts::parse(MOUNTS.as_bytes());
        let check = |granted: &str, is_reached: bool| {
            let found = mounts.overlap(Path::new(granted), Path::new("/data/hostel"));
            assert_eq!(found, is_reached, "{granted}");
        };
        check("/data/hostel", true);
        check("/data", true);
        check("/data/other", false);
        check("/data/hostel-2", false);
        // A part of the data directory, and what is below that part.
        check("/a b", true);
        check("/a b/blobs-1", true);
        // A mount below the granted directory.
        check("/srv/work", true);
        check("/srv/work/deep/hostel", true);
        check("/srv/work/deep/other", false);
        check("/srv/other", false);
        // Another file system that is mounted below the data directory.
        check("/big", true);
        check("/big/blobs/x", true);
        check("/big/other", false);
        check("/home/data/hostel", false);
    }

    #[test]
    fn a_directory_contains_what_is_mounted_in_it_and_nothing_above() {
        let mounts = Mounts::parse(MOUNTS.as_bytes());
        let check = |outer: &str, inner: &str, expected: bool| {
            assert_eq!(mounts.contains(Path::new(outer), Path::new(inner)), expected, "{outer} {inner}");
        };
        check("/data", "/data/hostel", true);
        check("/data/hostel", "/data", false);
        check("/srv/work", "/data/hostel", true);
        check("/srv/work/deep/hostel", "/data", false);
        check("/a b", "/data/hostel/results", true);
        check("/a b", "/data/hostel", false);
        check("/big", "/data/hostel/compiled", true);
    }

    #[test]
    fn without_mounts_nothing_is_known() {
        assert!(!Mounts::parse(b"").overlap(Path::new("/data"), Path::new("/data")));
        assert!(!Mounts::parse(b"nonsense\n\n1 2 3").overlap(Path::new("/data"), Path::new("/data")));
        assert_eq!(unescaped(br"/a\040b\134\011c\9"), Path::new("/a b\\\tc\\9"));
    }
}
