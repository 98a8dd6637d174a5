//! WASI for guests: all of it is linked, and almost nothing granted.
//!
//! A guest may import any WASI 0.2 interface, because toolchains import most of them unasked. It gets clocks,
//! randomness, and a log behind stdout and stderr. It finds only granted directories and variables. Its stdin is empty,
//! unless it is a program with a standard input. Sockets, name look-up and HTTP work only where they are granted.
//!
//! Everything that could give a guest data beyond its inputs is implemented here, and records a touch when it does; the
//! rest is linked as wasmtime-wasi implements it. Each capability has a file with its state, its view, and its
//! interfaces, which are implemented on the view.

pub(crate) mod clocks;
pub(crate) mod error;
mod gate;
pub(crate) mod http;
mod log_pipe;
pub(crate) mod lookup;
pub(crate) mod poll;
pub(crate) mod random;
pub(crate) mod sockets;
mod state;

pub(crate) use clocks::{Clocks, ClocksView};
pub(crate) use error::ErrorsView;
pub(crate) use http::{Http, HttpView, TooManyFields};
pub(crate) use poll::TooManyPolled;
pub(crate) use random::{Random, RandomView};
pub(crate) use sockets::{Sockets, SocketsView};
pub(crate) use state::{HostView, LazyWasi, Wasi};
