//! What the examples show, seen by someone who embeds the host: the programs from which people know tasks, and the names
//! by which functions are found. Tests are named by the rows of the table of programs.

#![cfg(test)]

mod built;
mod names;
#[path = "../readme/pattern.rs"]
mod pattern;
mod printing;
mod programs;

use hostel::{Component, Host};

/// A host of its own for each test, with nothing on disk.
fn host() -> Host {
    Host::builder().max_workers(2).build().unwrap()
}

async fn load(host: &Host, path: &str) -> Component {
    host.load(path).await.unwrap()
}
