//! Granted directories: every question of a guest about them is recorded with its answer, until the guest writes.
//!
//! A guest's calls arrive at [`host`](self), which asks wasmtime-wasi and records the answers in the [`Book`];
//! [`verify`] repeats the questions in the same way. Changes go through [`change`], which respects the names in
//! [`reserved`], and [`output`] writes. Everything is done on the thread that runs the guest: the calls are short, and
//! switching threads would cost more than most of them.

mod ask;
mod book;
mod change;
mod content;
mod host;
mod listing;
mod output;
mod place;
mod reserved;
mod root;
mod stream;
mod usage;
mod verify;
mod view;
mod words;

pub(crate) use book::SharedBook;
pub(crate) use root::open_roots;
pub use root::{OpenDirError, check_dirs};
pub use verify::{Verdict, verify};
pub(crate) use view::{FilesView, link};
