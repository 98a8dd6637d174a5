//! A directory that changes in every way a directory can.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use tempfile::TempDir;

/// Where there may be something.
pub(crate) const NAMES: [&str; 10] = [".", "a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "l", "d/l"];

/// What no guest ever sees.
pub(crate) const SECRET: &str = "secret";

/// What files are made of.
pub(crate) const LETTERS: [char; 6] = ['a', 'b', 'c', 'x', 'y', 'z'];

/// The directory, what stands beside it, and what was done.
pub(crate) struct World {
    /// Has the world and, outside of it, a file that no guest ever sees.
    around: TempDir,
    rng: Rng,
    pub(crate) changes: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let around = tempfile::tempdir().unwrap();
        fs::create_dir(around.path().join("world")).unwrap();
        fs::write(around.path().join("outside"), SECRET).unwrap();
        let mut world = Self { around, rng: Rng::with_seed(seed), changes: Vec::new() };
        (0..6).for_each(|_| world.change());
        world
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.around.path().join("world")
    }

    /// Changes something, or nothing where that cannot be done.
    pub(crate) fn change(&mut self) {
        let (name, other) = (self.name(), self.name());
        let (path, to) = (self.path().join(name), self.path().join(other));
        let (what, done) = match self.rng.u8(0..15) {
            0 | 1 => ("write", self.write(&path)),
            2 => ("append", append(&path)),
            3 => ("remove", remove(&path)),
            4 | 5 => ("make a directory", fs::create_dir_all(&path)),
            6 => ("rename", fs::rename(&path, &to)),
            7 => ("make again", again(&path)),
            8 | 9 => ("link", self.link(&path, other)),
            10 => ("link hard", fs::hard_link(&path, &to)),
            11 => ("touch", File::open(&path).and_then(|file| file.set_modified(self.time()))),
            12 => ("forge", forge(&path)),
            13 => ("forbid", permit(&path, 0o000)),
            _ => ("permit", permit(&path, 0o755)),
        };
        let done = if done.is_ok() { "" } else { "fail to " };
        self.changes.push(format!("{done}{what} {name} {other}"));
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.rng.usize(1..NAMES.len())]
    }

    fn write(&mut self, path: &Path) -> io::Result<()> {
        let length = self.rng.usize(0..12);
        let text: String = (0..length).filter_map(|_| self.rng.choice(LETTERS)).collect();
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    }

    fn link(&mut self, path: &Path, other: &str) -> io::Result<()> {
        let outside = self.around.path().join("outside");
        let targets = [other, "../a", "nowhere", "../outside", "../../outside", "."].map(PathBuf::from);
        let targets = [&targets[..], &[outside]].concat();
        let target = &targets[self.rng.usize(..targets.len())];
        let _ = remove(path);
        symlink(target, path)
    }

    /// Some time of the last day.
    fn time(&mut self) -> SystemTime {
        SystemTime::now() - Duration::from_secs(self.rng.u64(0..86_400))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What nobody may enter cannot be removed.
        for name in NAMES {
            let _ = permit(&self.path().join(name), 0o755);
        }
    }
}

fn append(path: &Path) -> io::Result<()> {
    File::options().append(true).open(path)?.write_all(b"z")
}

fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// The same content in another file; not through a link, which would bring in what is outside.
fn again(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_symlink() {
        return Err(io::Error::other("a link"));
    }
    let content = fs::read(path)?;
    fs::remove_file(path)?;
    fs::write(path, content)
}

/// Other content of the same length, with the old time on it.
fn forge(path: &Path) -> io::Result<()> {
    let (content, metadata) = (fs::read_to_string(path)?, fs::metadata(path)?);
    let forged: String = content.chars().map(|letter| if letter == 'a' { 'b' } else { 'a' }).collect();
    fs::write(path, forged)?;
    File::open(path)?.set_modified(metadata.modified()?)
}

fn permit(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
