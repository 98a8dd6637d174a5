//! WASI as guests see it: everything linked, almost nothing granted.
//!
//! A guest may ask for any WASI 0.2 interface, because toolchains import most of them unasked. It gets clocks,
//! randomness, and a log behind stdout and stderr; it finds no directories, no variables and an empty stdin; it is
//! refused sockets, name look-up and HTTP. Grants will widen this, one file a capability.

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

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

/// Refuses every outgoing request, with the error that WASI has for it.
pub(crate) struct DenyHttp;

type HttpResponse = http::Response<WasiBody>;
type HttpTransmission = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for DenyHttp {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _transmission: HttpTransmission,
    ) -> Box<dyn Future<Output = Result<(HttpResponse, HttpTransmission), Error>> + Send> {
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}
