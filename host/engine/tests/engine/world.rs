//! A small directory that guests read in, and what can happen to it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use hostel_core::{DirGrant, Grants, Limits, Trace};
use hostel_engine::{AttemptOptions, Component, Function, Verdict, verify};
use hostel_guests::READER;
use tempfile::TempDir;

use crate::{Ran, load, run_as};

/// Compiled once: each test asks much.
static ASKER: LazyLock<Component> = LazyLock::new(|| load(READER));

pub(crate) fn asker(name: &str) -> Function {
    ASKER.function(Some(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A directory of its own for each test, which a guest knows as `data`.
pub(crate) struct World(TempDir);

impl World {
    /// Two files, a directory with a file, a symbolic link to the first and one that leads nowhere.
    pub(crate) fn new() -> Self {
        let world = Self(TempDir::new().unwrap());
        world.write("a.txt", "alpha");
        world.write("b.txt", "beta");
        world.write("other.txt", "other");
        fs::create_dir(world.path("sub")).unwrap();
        world.write("sub/c.txt", "gamma");
        symlink("a.txt", world.path("link")).unwrap();
        symlink("nowhere", world.path("dangling")).unwrap();
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn grants(&self) -> Grants {
        let dirs = vec![DirGrant::new(self.0.path(), "data").unwrap()];
        Grants { dirs, ..Grants::default() }
    }

    pub(crate) fn options(&self) -> AttemptOptions {
        AttemptOptions::new(Limits::default()).grants(Arc::new(self.grants()))
    }

    /// Has a guest ask something; `args` come after the place of the directory.
    pub(crate) async fn ask(&self, name: &str, args: &[&str]) -> Ran {
        self.ask_with(name, args, self.options()).await
    }

    pub(crate) async fn ask_with(&self, name: &str, args: &[&str], options: AttemptOptions) -> Ran {
        let all: Vec<_> = [&["0"], args].concat();
        run_as(&asker(name), &all, options).await
    }

    /// Has a guest ask something that is to be reproducible.
    pub(crate) async fn trace(&self, name: &str, args: &[&str]) -> Trace {
        let ran = self.ask(name, args).await;
        assert!(ran.observation.is_reproducible(), "{name} {args:?}: {}", ran.observation);
        ran.observation.trace().clone()
    }

    pub(crate) fn verify(&self, trace: &Trace) -> Verdict {
        verify(trace, &self.grants(), &|| false)
    }

    pub(crate) fn still_holds(&self, trace: &Trace) -> bool {
        self.verify(trace) == Verdict::Holds
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Writes other bytes, and sets the time of the last writing to what it was.
    pub(crate) fn write_secretly(&self, name: &str, content: &str) {
        let modified = fs::metadata(self.path(name)).unwrap().modified().unwrap();
        self.write(name, content);
        self.set_modified(name, modified);
    }

    pub(crate) fn touch(&self, name: &str) {
        self.set_modified(name, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    }

    /// Puts another file with the same bytes in its place.
    pub(crate) fn replace(&self, name: &str) {
        fs::copy(self.path(name), self.path("new")).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    pub(crate) fn replace_by_dir(&self, name: &str) {
        self.remove(name);
        fs::create_dir(self.path(name)).unwrap();
    }

    pub(crate) fn relink(&self, name: &str, to: &str) {
        self.remove(name);
        symlink(to, self.path(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn rename(&self, name: &str, to: &str) {
        fs::rename(self.path(name), self.path(to)).unwrap();
    }

    fn set_modified(&self, name: &str, modified: SystemTime) {
        File::options().write(true).open(self.path(name)).unwrap().set_modified(modified).unwrap();
    }
}
