//! What the examples show, seen by someone who embeds the host: the programs from which people know tasks, the names by
//! which functions are found, and requests that are never answered. Tests are named by the rows of the table of programs.

#![cfg(test)]

mod built;
mod hanging;
mod names;
#[path = "../readme/pattern.rs"]
mod pattern;
mod printing;
mod programs;
mod server;

use hostel::{Component, Host};

/// A host of its own for each test, with nothing on disk.
fn host() -> Host {
    Host::builder().max_workers(2).build().unwrap()
}

async fn load(host: &Host, path: &str) -> Component {
    host.load(path).await.unwrap()
}
