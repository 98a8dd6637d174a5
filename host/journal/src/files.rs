//! The data directory: private files, and file systems that will not do.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::OpenJournalError;
use crate::private::{check_dir, check_file, check_inside};
use hostel_files::create_private_dir;

/// The file of the journal, with the version of its format in the name.
pub(crate) const JOURNAL: &str = "journal-1.db";

/// The file of the logs, in the same way.
pub(crate) const LOGS: &str = "logs-1.db";

/// The directory of the components in a data directory.
pub(crate) const COMPONENTS: &str = "components";

/// The directory of the long values of runs in a data directory.
pub(crate) const BLOBS: &str = "blobs";

/// The directories in a data directory that has been used.
pub fn data_dirs(data_dir: &Path) -> [PathBuf; 2] {
    [COMPONENTS, BLOBS].map(|name| data_dir.join(name))
}

/// Whether a file in a data directory with this name is a journal, its logs, or a file beside one of them.
pub fn is_data_file(name: &str) -> bool {
    ["journal-", "logs-"]
        .iter()
        .any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.contains(".db")))
}

/// How often a file is looked at again that seems to have been emptied, with [`LOOK_AGAIN`] between.
const LOOKS: u32 = 20;

/// The pause between two looks. Together a second: another process may just have created the file.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The path of a file that SQLite has beside another.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Refuses a journal without content in a data directory that has been used: SQLite would take it for a new one, and remove its log.
pub(crate) fn check_not_emptied(dir: &Path, file: &Path) -> Result<(), OpenJournalError> {
    let is_empty = || fs::symlink_metadata(file).is_ok_and(|file| file.is_file() && file.len() == 0);
    let [components, blobs] = data_dirs(dir);
    let used = [beside(file, "-wal"), components, blobs, dir.join(LOGS)];
    let found = || used.iter().find(|path| is_empty() && path.exists());
    for _ in 0..LOOKS {
        if found().is_none() {
            return Ok(());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    found().map_or(Ok(()), |found| {
        Err(OpenJournalError::Emptied { path: file.to_owned(), beside: found.clone() })
    })
}

/// Creates a data directory and its missing parents with mode 0700, and a private file in it, unless they exist. Refuses network
/// file systems, and what other users can change.
pub(crate) fn prepare(dir: &Path, file: &Path) -> Result<(), OpenJournalError> {
    // First, so that nothing is created where others could replace it.
    check_dir(dir)?;
    create_private_dir(dir).map_err(|source| OpenJournalError::Io { path: dir.to_owned(), source })?;
    if let Some(kind) = network_file_system(dir) {
        return Err(OpenJournalError::NetworkFileSystem { dir: dir.to_owned(), kind });
    }
    // Again, because somebody else may have created it meanwhile.
    check_inside(dir)?;
    data_dirs(dir).iter().try_for_each(|dir| check_inside(dir))?;
    create_private_file(file).map_err(|source| match unwritable(dir, file) {
        Some(reason) => OpenJournalError::Unwritable { dir: dir.to_owned(), reason },
        None => OpenJournalError::Io { path: file.to_owned(), source },
    })?;
    // SQLite would wait for a FIFO, and write to what a link leads to.
    ["", "-wal", "-shm"].into_iter().try_for_each(|ending| check_file(&beside(file, ending)))
}

/// Why a file or its directory cannot be written by this process, if that is so. Not known on other systems than Linux.
#[cfg(target_os = "linux")]
pub(crate) fn unwritable(dir: &Path, file: &Path) -> Option<&'static str> {
    use rustix::fs::{Access, access};
    use rustix::io::Errno;
    for (path, reason) in [(dir, "its directory cannot be written"), (file, "its file cannot be written")] {
        match access(path, Access::WRITE_OK) {
            Err(Errno::ROFS) => return Some("its file system is read-only"),
            Err(Errno::ACCESS | Errno::PERM) => return Some(reason),
            Err(_) | Ok(()) => {}
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn unwritable(_: &Path, _: &Path) -> Option<&'static str> {
    None
}

/// Creates an empty file with mode 0600, whatever the umask, unless there is something of this name.
fn create_private_file(file: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created.and_then(|_| make_private(file)),
    }
}

/// Gives a file mode 0600.
pub(crate) fn make_private(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// The type of the network file system that a directory is on. Not known on other systems than Linux.
#[cfg(target_os = "linux")]
fn network_file_system(dir: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(dir).ok()?.f_type;
    // Some systems have it as a signed number of 32 bits.
    let magic = (kind as u64) & 0xffff_ffff;
    let known = NETWORK_MAGICS.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name);
    let is_fuse = magic == FUSE_MAGIC;
    known.or_else(|| is_fuse.then(|| network_fuse(dir, &mount_table())).flatten())
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

/// Numbers of file systems that several machines share. Source: statfs(2), and linux/magic.h.
#[cfg(target_os = "linux")]
const NETWORK_MAGICS: [(u64, &str); 12] = [
    (0x6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x517b, "smb"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x00c3_6400, "ceph"),
    (0x7375_7245, "coda"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x7461_636f, "ocfs2"),
];

#[cfg(target_os = "linux")]
const FUSE_MAGIC: u64 = 0x6573_5546;

/// File systems of FUSE that several machines share, as the table of mounts names them.
#[cfg(target_os = "linux")]
const NETWORK_FUSES: [&str; 9] = [
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.ceph-fuse",
    "fuse.juicefs",
    "fuse.mount-s3",
    "fuse.curlftpfs",
];

#[cfg(target_os = "linux")]
fn mount_table() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
}

/// The type of the mount that a directory is on, by a table of mounts (proc_pid_mountinfo(5)), if it is one of the network.
#[cfg(target_os = "linux")]
fn network_fuse(dir: &Path, mounts: &str) -> Option<&'static str> {
    let dir = dir.canonicalize().ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let point = Path::new(mount.split(' ').nth(4)?);
        dir.starts_with(point).then(|| (point.as_os_str().len(), kind.split(' ').next()))
    });
    let (_, kind) = mounts.max_by_key(|(length, _)| *length)?;
    NETWORK_FUSES.into_iter().find(|known| Some(*known) == kind)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_created_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        let file = data.join("journal-1.db");
        prepare(&data, &file).unwrap();
        prepare(&data, &file).unwrap();
        assert_eq!((mode(&data), mode(data.parent().unwrap()), mode(&file)), (0o700, 0o700, 0o600));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("journal-1.db-wal")).unwrap();
        let error = prepare(dir.path(), &dir.path().join("journal-1.db")).unwrap_err();
        assert!(matches!(&error, OpenJournalError::NotAFile { path } if path.ends_with("journal-1.db-wal")));
        let error = prepare(&dir.path().join("journal-1.db").join("x"), &dir.path().join("y")).unwrap_err();
        assert!(matches!(error, OpenJournalError::Io { .. }), "{error}");
    }

    #[test]
    fn what_leads_elsewhere_is_refused_and_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        for name in ["journal-1.db", "journal-1.db-wal"] {
            let link = dir.path().join(name);
            std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
            let error = prepare(dir.path(), &dir.path().join("journal-1.db")).unwrap_err();
            assert!(matches!(&error, OpenJournalError::NotAFile { path } if *path == link), "{error}");
            fs::remove_file(link).unwrap();
        }
        let fifo = dir.path().join("journal-1.db");
        fs::remove_file(&fifo).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(fifo).status().unwrap().success());
        let error = prepare(dir.path(), &dir.path().join("journal-1.db")).unwrap_err();
        assert!(matches!(error, OpenJournalError::NotAFile { .. }), "{error}");
        assert_eq!(fs::metadata(elsewhere.path()).unwrap().len(), 0);
    }

    #[test]
    fn what_others_can_write_is_refused_and_what_they_can_read_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("journal-1.db");
        for name in ["components", "blobs"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        prepare(dir.path(), &file).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (name, bad, good) in [
            ("", 0o777, 0o755),
            ("components", 0o770, 0o700),
            ("blobs", 0o702, 0o700),
            ("journal-1.db", 0o666, 0o644),
        ] {
            let path = dir.path().join(name);
            set(&path, bad);
            let error = prepare(dir.path(), &file).unwrap_err();
            assert!(matches!(error, OpenJournalError::Writable { mode, .. } if mode == bad), "{error}");
            set(&path, good);
            prepare(dir.path(), &file).unwrap();
        }
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        // Only root can give a file away.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("journal-1.db");
        prepare(dir.path(), &file).unwrap();
        std::os::unix::fs::chown(&file, Some(12_345), None).unwrap();
        let error = prepare(dir.path(), &file).unwrap_err();
        assert!(matches!(error, OpenJournalError::Owner { owner: 12_345, .. }), "{error}");
        assert_eq!(error.kind(), hostel_core::ErrorKind::Denied);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn network_mounts_are_known_by_their_type() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let table = |kind: &str| {
            let shown = path.display();
            format!(
                "21 1 8:1 / / rw - ext4 /dev/sda rw\n22 21 0:40 / {shown} rw shared:1 - {kind} host: rw\n"
            )
        };
        assert_eq!(network_fuse(&path, &table("fuse.sshfs")), Some("fuse.sshfs"));
        assert_eq!(network_fuse(&path.join("."), &table("fuse.ntfs")), None);
        assert_eq!(network_fuse(Path::new("/"), &table("fuse.sshfs")), None);
        assert_eq!(network_file_system(&path), None);
    }
}
