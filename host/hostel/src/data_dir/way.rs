//! The target of a path, and the directories that can redirect it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The maximum number of links to follow, as in Linux.
const MAX_LINKS: usize = 40;

/// The target of a path, resolved step by step as the system does. No part of it has to exist: a missing part counts as
/// a directory that may still be created.
pub(super) struct Way {
    /// The target, without links.
    pub(super) end: PathBuf,
    /// The directories, without links, that contain a link on the way, or a directory that the path leaves by `..`. A
    /// guest that may write to one of them can redirect the path with a link.
    pub(super) holders: Vec<PathBuf>,
}

/// The remaining steps.
enum Step {
    Root(OsString),
    Up,
    Down(OsString),
}

impl Way {
    /// Resolves a path; a relative one from the current directory. Stops early at a chain of links that the system
    /// would not follow either.
    pub(super) fn of(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut way = Self { end: PathBuf::new(), holders: Vec::new() };
        let mut links = 0;
        let mut steps: VecDeque<Step> = steps(&path).collect();
        while let Some(step) = steps.pop_front() {
            match step {
                Step::Root(root) => way.end.push(root),
                Step::Up => {
                    way.end.pop();
                    way.holders.push(way.end.clone());
                }
                Step::Down(name) => {
                    let next = way.end.join(name);
                    match fs::read_link(&next) {
                        Ok(target) if links < MAX_LINKS => {
                            links += 1;
                            way.holders.push(way.end.clone());
                            let mut of_target: VecDeque<Step> = self::steps(&target).collect();
                            of_target.append(&mut steps);
                            steps = of_target;
                        }
                        _ => way.end = next,
                    }
                }
            }
        }
        way
    }
}

fn steps(path: &Path) -> impl Iterator<Item = Step> {
    path.components().filter_map(|part| match part {
        Component::Prefix(_) | Component::RootDir => Some(Step::Root(part.as_os_str().to_owned())),
        Component::CurDir => None,
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn directories_from_which_the_way_can_be_changed_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let at = |path: &str| if path.is_empty() { root.clone() } else { root.join(path) };
        for made in ["a/b", "c/d", "e"] {
            fs::create_dir_all(at(made)).unwrap();
        }
        symlink("../c/link", at("a/link")).unwrap();
        symlink(at("e"), at("c/link")).unwrap();
        symlink("nothing/here", at("e/dangling")).unwrap();
        symlink("loop", at("e/loop")).unwrap();
        let check = |path: &str, end: &str, holders: &[&str]| {
            let way = Way::of(&at(path));
            assert_eq!(way.end, at(end), "{path}");
            let holders: Vec<_> = holders.iter().map(|dir| at(dir)).collect();
            assert_eq!(way.holders, holders, "{path}");
        };
        check("a/b", "a/b", &[]);
        check("a/./b/../x", "a/x", &["a"]);
        check("a/link", "e", &["a", "", "c"]);
        check("a/link/x/y", "e/x/y", &["a", "", "c"]);
        check("a/link/../c/d", "c/d", &["a", "", "c", ""]);
        check("e/dangling", "e/nothing/here", &["e"]);
        check("e/dangling/../x", "e/nothing/x", &["e", "e/nothing"]);
        check("missing/../a/link", "e", &["", "a", "", "c"]);
        assert_eq!(Way::of(&at("e/loop")).holders.len(), MAX_LINKS);
        assert_eq!(Way::of(Path::new("/")).end, Path::new("/"));
    }
}
