//! Granted directories: every question that a guest asks about them is recorded with its answer, until it writes.
//!
//! A guest's calls come to [`host`](self), which asks through wasmtime-wasi and notes the answers in the [`Book`]; [`verify`]
//! asks the same questions again in the same way. Changes go through [`change`], which keeps to the names in [`reserved`], and
//! [`output`] writes. Everything is done on the thread that runs the guest: the calls are short, and going to another thread
//! and back would cost more than most of them.

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
