//! WASI as guests see it: everything linked, almost nothing granted.
//!
//! A guest may ask for any WASI 0.2 interface, because toolchains import most of them unasked. It gets clocks,
//! randomness, and a log behind stdout and stderr; it finds no directories, no variables and an empty stdin; it is
//! refused sockets and name look-up, and HTTP but to the hosts that are granted. Each grant has a file of its own here.

mod http;

pub(crate) use http::Gate;

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::context;
use crate::guest::{Guest, Program};
use crate::log::{LogBook, LogPipe};

/// The host functions that components are linked against.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    context::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// The WASI context of one attempt.
pub(crate) fn context(log: &Arc<LogBook>, program: Program) -> WasiCtx {
    WasiCtxBuilder::new()
        .args(&program.args)
        .stdin(MemoryInputPipe::new(program.stdin))
        .stdout(LogPipe::stdout(log))
        .stderr(LogPipe::stderr(log))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}
