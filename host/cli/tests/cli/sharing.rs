//! Processes that want the same result at the same time. Each test waits for what the commands write.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};

use crate::hostel::{Place, Ran};

#[test]
fn c09_of_several_processes_one_executes() {
    let place = Place::with_data_dir();
    for x in 0..5 {
        let line = format!("run caching.wasm#my-stateful-task {x} 50");
        let children = [(); 4].map(|()| place.start(&line));
        let ran = children.map(|child| Ran::of(child.wait_with_output().unwrap()));
        assert!(ran.iter().all(|ran| ran.code == 0 && ran.stdout == format!("{}\n", x + 1)), "{ran:?}");
        let executed: usize = ran.iter().map(|ran| ran.stderr.matches("sleeping").count()).sum();
        let cached = ran.iter().filter(|ran| ran.last().starts_with("Cached (made by run ")).count();
        assert_eq!((executed, cached), (1, 3), "{ran:?}");
    }
}

#[test]
fn c09_one_that_is_killed_is_followed_by_one_that_waits() {
    let place = Place::with_data_dir();
    let start = || {
        let mut child = place.start("run caching.wasm#my-stateful-task 1 3600000");
        let stderr = BufReader::new(child.stderr.take().unwrap());
        (child, stderr)
    };
    let begins = |stderr: &mut BufReader<std::process::ChildStderr>| {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.ends_with("sleeping\n"), "{line}");
    };
    let (mut owner, mut of_owner) = start();
    begins(&mut of_owner);
    let (mut next, mut of_next) = start();
    owner.kill().unwrap();
    owner.wait().unwrap();
    begins(&mut of_next);
    next.kill().unwrap();
    next.wait().unwrap();
}
