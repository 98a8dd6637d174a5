//! Files of which nothing changes but the content: two images of a file system with the same inodes, sizes and times, one
//! mounted in place of the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hostel::object_store::memory::InMemory;
use hostel::{CachePolicy, DirGrant, Host, RemoteCache, State};
use hostel_guests::PUPPET;
use tempfile::TempDir;

use super::play;
use crate::{build, task};

/// What `a` says in each image. They are of one length.
const ONE: &str = "what is in image one";
const TWO: &str = "what is in image two";

/// The images, and a directory to mount them on.
struct Images(TempDir);

/// An image that is mounted until this is dropped.
struct Mounted(PathBuf);

impl Images {
    /// `None`, with a note, where the tools are missing or mounting is not permitted.
    fn new() -> Option<Self> {
        let images = Self(tempfile::tempdir().unwrap());
        match images.make().and_then(|()| images.try_mount(ONE)) {
            Ok(_) => Some(images),
            Err(problem) => {
                println!("skipped, for no image can be made and mounted here: {problem}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An ext4 image with a file of long ago, and another that differs from it in the bytes of that file alone.
    fn make(&self) -> Result<(), String> {
        for dir in ["source", "mounted"] {
            fs::create_dir(self.path(dir)).unwrap();
        }
        fs::write(self.path("source/a"), ONE).unwrap();
        let image = self.path(ONE);
        run("mke2fs", |make| {
            make.args(["-q", "-t", "ext4", "-d"]).arg(self.path("source")).arg(&image).arg("4M")
        })?;
        for time in ["mtime", "ctime", "atime", "crtime"] {
            let set = format!("set_inode_field /a {time} 20200101000000");
            run("debugfs", |debug| debug.args(["-w", "-R", &set]).arg(&image))?;
        }
        let mut bytes = fs::read(&image).unwrap();
        let place = bytes.windows(ONE.len()).position(|window| window == ONE.as_bytes());
        let place = place.ok_or("the image does not hold the file as it is")?;
        bytes[place..place + TWO.len()].copy_from_slice(TWO.as_bytes());
        fs::write(self.path(TWO), bytes).unwrap();
        Ok(())
    }

    fn try_mount(&self, image: &str) -> Result<Mounted, String> {
        let target = self.path("mounted");
        run("mount", |mount| mount.args(["-o", "loop,ro"]).arg(self.path(image)).arg(&target))?;
        Ok(Mounted(target))
    }

    fn mount(&self, image: &str) -> Mounted {
        self.try_mount(image).unwrap()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", |unmount| unmount.arg(&self.0)).unwrap();
    }
}

fn run(program: &str, with: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), String> {
    let done = with(&mut Command::new(program)).output().map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// Reads `a` where an image is mounted.
fn read(host: &Host, at: &Mounted) -> (State, String) {
    let dir = DirGrant::new(&at.0, "/world").unwrap();
    let (run, answers) = play(&task(host, PUPPET, "play").cache(CachePolicy::AUTO).dir(dir), "read a");
    (run.state(), answers.concat())
}

fn computed(text: &str) -> (State, String) {
    (State::Completed, text.to_owned())
}

fn cached(text: &str) -> (State, String) {
    (State::Cached, text.to_owned())
}

#[test]
fn an_image_in_place_of_another_is_no_hit() {
    let Some(images) = Images::new() else { return };
    let data = tempfile::tempdir().unwrap();
    for host in super::hosts(data.path()) {
        let looks = |image: &str| {
            let mounted = images.mount(image);
            let metadata = fs::metadata(mounted.0.join("a")).unwrap();
            (read(&host, &mounted), (metadata.modified().unwrap(), metadata.len()))
        };
        let (first, stamp) = looks(ONE);
        assert_eq!(first, computed(ONE));
        assert_eq!(looks(ONE), (cached(ONE), stamp));
        assert_eq!(looks(TWO), (computed(TWO), stamp), "the same times, and other content");
        assert_eq!([looks(ONE).0, looks(TWO).0], [cached(ONE), cached(TWO)]);
    }
}

#[test]
fn another_machine_with_another_image_does_not_believe_the_first() {
    let Some(images) = Images::new() else { return };
    let bucket = Arc::<InMemory>::default();
    let machine = || {
        let cache = RemoteCache::from_object_store(Arc::clone(&bucket) as _, "results");
        build(Host::builder().max_workers(1).remote_cache(cache))
    };
    assert_eq!(read(&machine(), &images.mount(ONE)), computed(ONE));
    assert_eq!(read(&machine(), &images.mount(ONE)), cached(ONE));
    assert_eq!(read(&machine(), &images.mount(TWO)), computed(TWO));
    assert_eq!(read(&machine(), &images.mount(TWO)), cached(TWO));
    assert_eq!(read(&machine(), &images.mount(ONE)), cached(ONE));
}

#[test]
fn a_data_directory_that_was_copied_elsewhere_is_not_believed_either() {
    let Some(images) = Images::new() else { return };
    let [here, there] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let host = |dir: &Path| build(Host::builder().max_workers(1).data_dir(dir));
    assert_eq!(read(&host(here.path()), &images.mount(ONE)), computed(ONE));
    run("cp", |copy| copy.arg("-a").arg(here.path().join("results")).arg(there.path())).unwrap();
    assert_eq!(read(&host(there.path()), &images.mount(TWO)), computed(TWO));
    assert_eq!(read(&host(there.path()), &images.mount(ONE)), cached(ONE));
}
