//! The files of the tree, as the rules see them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tokens::{self, Path as CodePath, Token};

/// A Rust file: what is code in it, and what is test.
pub(crate) struct Source {
    /// From the top of the tree, with `/` on every system.
    pub(crate) path: String,
    pub(crate) text: String,
    /// What is compiled outside of tests.
    pub(crate) code: Vec<Token>,
    /// What is compiled for tests only.
    pub(crate) test_code: Vec<Token>,
    /// How many lines are for tests only.
    pub(crate) test_lines: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let all = tokens::of(text).unwrap_or_else(|error| panic!("{path} is not Rust: {error}"));
        let (code, tests) = match is_test(path) {
            true => (Vec::new(), vec![&all[..]]),
            false => tokens::split_tests(&all),
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            test_code: tests.concat(),
            test_lines: tests.iter().map(|test| tokens::lines(test)).sum(),
        }
    }

    /// The paths that its code names, as `std::env::var` or `println!`.
    pub(crate) fn paths(&self) -> Vec<CodePath> {
        tokens::paths(&self.code)
    }

    /// The same for its tests.
    pub(crate) fn test_paths(&self) -> Vec<CodePath> {
        tokens::paths(&self.test_code)
    }

    /// Whether it lies in this directory of the tree.
    pub(crate) fn is_in(&self, directory: &str) -> bool {
        self.path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Whether a whole file is a test.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests") || path.ends_with("/tests.rs")
}

/// The top of the tree.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests lie in the tree").to_owned()
}

/// The text of a file.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Every Rust file, in the order of their paths.
pub(crate) fn sources() -> Vec<Source> {
    let files = files(".rs");
    assert!(files.len() > 50, "the tree has {} Rust files: looking in the wrong place?", files.len());
    files.iter().map(|path| Source::new(path, &read(path))).collect()
}

/// Every file whose name ends so, in order; not those that cargo or git made.
pub(crate) fn files(suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![root()];
    while let Some(directory) = directories.pop() {
        for path in entries(&directory) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                directories.push(path);
            } else if path.is_file() && name.ends_with(suffix) {
                found.push(from_root(&path));
            }
        }
    }
    found.sort();
    found
}

/// The names in a directory, sorted.
pub(crate) fn names_in(directory: &str) -> Vec<String> {
    let paths = entries(&root().join(directory));
    let mut names: Vec<_> = paths.iter().filter_map(|path| path.file_name()).collect();
    names.sort();
    names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("an entry of a directory").path()).collect()
}

fn from_root(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("found below the top");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// Fails with all complaints of a rule, and what to do about them.
#[track_caller]
pub(crate) fn keep(complaints: &[String], what_to_do: &str) {
    assert!(complaints.is_empty(), "\n  {}\n{what_to_do}\n", complaints.join("\n  "));
}
