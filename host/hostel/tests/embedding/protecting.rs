//! No guest may write where the host keeps what it trusts, whatever the path is called.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostel::{
    BuildError, DataDirError, DirAccess, DirGrant, ErrorKind, Host, HostBuilder, RemoteCache, SubmitError,
    args,
};
use hostel_guests::PUPPET;
use tempfile::TempDir;

use crate::{build, task};

/// Whether a grant to write is refused by a host with these settings, and why.
fn refusal(settings: HostBuilder, granted: &Path) -> Option<SubmitError> {
    let host = build(settings.max_workers(1));
    let grant = DirGrant::new(granted, "/d").unwrap().with_access(DirAccess::Rw);
    task(&host, PUPPET, "play").dir(grant).submit(args!["list ."]).err()
}

fn with_data_dir(dir: &Path) -> HostBuilder {
    Host::builder().data_dir(dir)
}

fn with_remote(dir: &Path) -> HostBuilder {
    let none: [(&str, &str); 0] = [];
    Host::builder().remote_cache(RemoteCache::from_url(&format!("file://{}", dir.display()), none).unwrap())
}

#[track_caller]
fn assert_refused(settings: HostBuilder, granted: &Path, protected: &Path) {
    let error = refusal(settings, granted).expect("the grant is refused");
    let is_of_a_kind =
        matches!(error, SubmitError::WritableDataDir { .. } | SubmitError::WritableRemoteCache { .. });
    assert!(is_of_a_kind && error.kind() == ErrorKind::Invalid, "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{} is granted for writing", granted.display())), "{text}");
    assert!(text.contains(&protected.display().to_string()), "{text}");
}

/// Directories to grant and to protect, in one that is new.
struct Tree(TempDir);

impl Tree {
    fn new(dirs: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        dirs.iter().for_each(|dir| fs::create_dir_all(tree.path(dir)).unwrap());
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }
}

#[test]
fn the_directory_of_a_remote_cache_is_not_granted_to_be_written() {
    let tree = Tree::new(&["work/shared/v1", "work/other", "apart"]);
    std::os::unix::fs::symlink(tree.path("work"), tree.path("link")).unwrap();
    let shared = tree.path("work/shared");
    for granted in ["work", "work/shared", "work/shared/v1", "link", "link/shared"] {
        assert_refused(with_remote(&shared), &tree.path(granted), &shared);
    }
    assert_refused(with_remote(&tree.path("link/shared")), &tree.path("work"), &tree.path("link/shared"));
    for granted in ["work/other", "apart"] {
        assert_eq!(refusal(with_remote(&shared), &tree.path(granted)).map(|error| error.to_string()), None);
    }
    // One that is not there yet.
    let later = tree.path("work/later");
    assert_refused(with_remote(&later), &tree.path("work"), &later);

    let text = refusal(with_remote(&shared), &tree.path("work")).unwrap().to_string();
    assert!(text.contains("the directory") && text.contains("of the remote cache"), "{text}");
    let both = with_remote(&tree.path("apart")).data_dir(tree.path("work/data"));
    assert!(matches!(refusal(both, &tree.path("apart")), Some(SubmitError::WritableRemoteCache { .. })));
}

#[test]
fn links_in_the_data_directory_are_followed() {
    let tree = Tree::new(&["data", "big/results", "other"]);
    std::os::unix::fs::symlink(tree.path("big/results"), tree.path("data/results")).unwrap();
    assert_refused(with_data_dir(&tree.path("data")), &tree.path("big"), &tree.path("data"));
    assert!(refusal(with_data_dir(&tree.path("data")), &tree.path("other")).is_none());
}

#[test]
fn a_link_on_the_way_is_not_granted_to_be_written() {
    let tree = Tree::new(&["home/share/beside", "links/apart", "big/data", "later"]);
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(tree.path(to), tree.path(at)).unwrap();
    link("links/one", "home/share/data");
    link("links/two", "links/one");
    link("big/data", "links/two");
    link("later/not/there", "home/dangling");
    let check = |protected: &str, refused: &[&str], granted: &[&str]| {
        let protected = tree.path(protected);
        for settings in [with_data_dir, with_remote] {
            for dir in refused {
                assert_refused(settings(&protected), &tree.path(dir), &protected);
            }
            for dir in granted {
                let refusal = refusal(settings(&protected), &tree.path(dir));
                assert_eq!(refusal.map(|error| error.to_string()), None, "{dir}");
            }
        }
    };
    check(
        "home/share/data",
        &["home/share", "home", "links", "big", "big/data"],
        &["home/share/beside", "links/apart", "later"],
    );
    check("home/dangling/data", &["home", "later"], &["links", "big"]);
    // A directory that the path leaves again may be replaced by a link.
    let through = tree.path("links/apart/../../big/data");
    assert_refused(with_data_dir(&through), &tree.path("links"), &through);
    // What is missing may be made.
    let missing = tree.path("home/nothing/../../later/data");
    assert_refused(with_data_dir(&missing), &tree.path("later"), &missing);
}

#[test]
fn a_data_directory_that_others_can_write_builds_no_host() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new(&["data"]);
    fs::set_permissions(tree.path("data"), fs::Permissions::from_mode(0o777)).unwrap();
    let error = Host::builder().data_dir(tree.path("data")).build().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let BuildError::DataDir(DataDirError::Writable { data_dir, path, mode, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!((data_dir, path, mode), (tree.path("data"), tree.path("data"), 0o777));
}

/// A directory mounted in a second place, until this is dropped.
#[cfg(target_os = "linux")]
struct Bind(PathBuf);

#[cfg(target_os = "linux")]
impl Bind {
    /// `None` where nothing may be mounted, which only root may.
    fn mount(from: &Path, to: &Path) -> Option<Self> {
        let mounted = Command::new("mount").arg("--bind").args([from, to]).output().ok()?;
        if mounted.status.success() {
            return Some(Self(to.to_owned()));
        }
        eprintln!("not tested, nothing can be mounted: {}", String::from_utf8_lossy(&mounted.stderr));
        None
    }
}

#[cfg(target_os = "linux")]
impl Drop for Bind {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Refused for the data directory and for a remote cache alike, by a path that is another one only by name.
#[cfg(target_os = "linux")]
#[track_caller]
fn assert_both_refused(protected: &Path, granted: &Path) {
    assert_refused(with_data_dir(protected), granted, protected);
    assert_refused(with_remote(protected), granted, protected);
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_is_mounted_elsewhere_is_the_same() {
    let tree = Tree::new(&["a/data/results/blobs-1/aa", "a/other", "mnt/in", "mnt/beside", "plain"]);
    let (data, mnt) = (tree.path("a/data"), tree.path("mnt/in"));
    let free = |granted: &str| {
        assert_eq!(refusal(with_data_dir(&data), &tree.path(granted)).map(|error| error.to_string()), None);
        assert_eq!(refusal(with_remote(&data), &tree.path(granted)).map(|error| error.to_string()), None);
    };
    // The protected directory itself, one above it, and ones inside of it.
    let sources = ["a/data", "a", "a/data/results", "a/data/results/blobs-1/aa"];
    for source in sources {
        let Some(_bind) = Bind::mount(&tree.path(source), &mnt) else { return };
        assert_both_refused(&data, &mnt);
        // A mount somewhere below what is granted.
        assert_both_refused(&data, &tree.path("mnt"));
        free("mnt/beside");
        free("plain");
    }
    {
        let Some(_bind) = Bind::mount(&tree.path("a"), &mnt) else { return };
        assert_both_refused(&data, &tree.path("mnt/in/data/results"));
        free("mnt/in/other");
        // The other way round: the protected directory is named by the second path.
        assert_both_refused(&tree.path("mnt/in/data"), &tree.path("a"));
        assert_both_refused(&tree.path("mnt/in/data"), &tree.path("a/data/results"));
        // One that is still to be made.
        assert_both_refused(&tree.path("mnt/in/later"), &tree.path("a"));
    }
    let Some(_bind) = Bind::mount(&tree.path("a/other"), &mnt) else { return };
    free("mnt");
    // What is mounted inside of the protected directory is part of it.
    let Some(_inside) = Bind::mount(&tree.path("plain"), &tree.path("a/data/results")) else { return };
    assert_both_refused(&data, &tree.path("plain"));
}
