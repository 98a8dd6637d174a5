//! Names that lead elsewhere, again and again, while the host looks at files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hostel::{CachePolicy, DirGrant, Host, State};
use hostel_guests::PUPPET;
use tempfile::TempDir;

use super::{hosts, play};
use crate::{build, task};

/// So many files are read between two looks at one: more than the host keeps open.
const BETWEEN: usize = 150;

/// How often the names are switched for a while, and how often a task runs meanwhile.
const ROUNDS: usize = 12;
const RUNS: usize = 8;

/// Two directories of equal names, and `now`, which leads to one of them.
fn world() -> TempDir {
    let world = tempfile::tempdir().unwrap();
    for (dir, text) in [("one", "abcdef"), ("two", "abXdeY")] {
        fs::create_dir(world.path().join(dir)).unwrap();
        fs::write(world.path().join(dir).join("a"), text).unwrap();
        (0..BETWEEN).for_each(|file| fs::write(world.path().join(dir).join(file.to_string()), "x").unwrap());
    }
    lead(world.path(), "one");
    world
}

/// Has `now` lead to one of the two, at one blow.
fn lead(world: &Path, to: &str) {
    symlink(to, world.join("new")).unwrap();
    fs::rename(world.join("new"), world.join("now")).unwrap();
}

fn switch(world: &Path, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        ["two", "one"].into_iter().for_each(|to| lead(world, to));
    }
}

/// Ends the switching, also if a run fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks at one file before and after the others.
fn script() -> String {
    let between = (0..BETWEEN).map(|file| format!("read now/{file}"));
    let before = ["part 0 2 now/a".to_owned()];
    let after = ["part 3 2 now/a".to_owned(), "part 2 1 now/a".to_owned(), "read now/a".to_owned()];
    before.into_iter().chain(between).chain(after).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_was_looked_at_while_names_were_switched_is_not_believed_afterwards() {
    let data = tempfile::tempdir().unwrap();
    let forgetful = build(Host::builder().max_workers(1).memory_cache_bytes(0));
    let world = world();
    let script = script();
    for host in hosts(data.path()) {
        let puppet = |host: &Host| {
            let dir = DirGrant::new(world.path(), "/world").unwrap();
            task(host, PUPPET, "play").cache(CachePolicy::AUTO).dir(dir)
        };
        let (puppet, fresh) = (puppet(&host), puppet(&forgetful));
        let mut hits = 0;
        for round in 0..ROUNDS {
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| switch(world.path(), &is_over));
                let _over = Over(&is_over);
                for _ in 0..RUNS {
                    hits += usize::from(play(&puppet, &script).0.state() == State::Cached);
                }
            });
            for to in ["one", "two"] {
                lead(world.path(), to);
                let (run, answers) = play(&puppet, &script);
                assert_eq!(answers, play(&fresh, &script).1, "round {round}, {to}: {}", run.cache_report());
                assert_eq!(play(&puppet, &script).0.state(), State::Cached, "round {round}, {to}");
            }
        }
        println!("{hits} hits of {} while names were switched", ROUNDS * RUNS);
    }
}
