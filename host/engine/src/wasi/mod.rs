//! WASI as guests see it: everything linked, almost nothing granted.
//!
//! A guest may ask for any WASI 0.2 interface, because toolchains import most of them unasked. It gets clocks,
//! randomness, and a log behind stdout and stderr; it finds no directories and no variables but those that are granted; its
//! stdin is empty, unless it is a program and is given one; it is refused sockets, name look-up and HTTP but to what is
//! granted. Each grant has a file of its own here.
//!
//! Whatever could give a guest something that is not among its inputs is implemented here, on [`Guest`], and notes that
//! it did; the rest is linked as it comes.

mod clocks;
mod error;
mod http;
mod lookup;
mod poll;
mod random;
mod sockets;

pub(crate) use clocks::Clocks;
pub(crate) use http::{Gate, Refused, TooManyFields, context as http_context};
pub(crate) use random::Random;

use std::sync::Arc;

use hostel_core::HostCall;
use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};
use wasmtime_wasi::{WasiCtxBuilder, WasiView};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use crate::context;
use crate::guest::Guest;
use crate::log::LogPipe;
use crate::network::Network;
use crate::options::AttemptOptions;
use crate::program::{Input, Program};

/// For interfaces that need nothing but the table of a guest's resources.
struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// The host functions that components are linked against.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    link_observed(&mut linker)?;
    link_streams_and_program(&mut linker)?;
    link_network(&mut linker)?;
    context::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Clocks, randomness, files, waiting: what [`Guest`] answers itself.
fn link_observed(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use bindings::{clocks, filesystem, io, random};

    clocks::wall_clock::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest.calls(HostCall::Clock))?;
    clocks::monotonic_clock::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| {
        guest.calls(HostCall::Clock)
    })?;
    random::random::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest.calls(HostCall::Randomness))?;
    random::insecure::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest.calls(HostCall::Randomness))?;
    random::insecure_seed::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| {
        guest.calls(HostCall::Randomness)
    })?;
    filesystem::types::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest.calls(HostCall::Files))?;
    filesystem::preopens::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest.calls(HostCall::Files))?;
    io::poll::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest.calls(HostCall::Other))
}

/// What says the same in every attempt, given the inputs.
fn link_streams_and_program(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use bindings::{cli, io};

    io::error::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest.calls(HostCall::Other))?;
    io::streams::add_to_linker::<_, Table>(linker, |guest| guest.calls(HostCall::Other).ctx().table)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, |guest| guest.calls(HostCall::Other).cli())
}

/// Whatever begins a talk with others is observed; the rest needs what that gave.
fn link_network(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use bindings::sockets;
    use wasmtime_wasi_http::p2::bindings::http::types;

    sockets::tcp_create_socket::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| {
        guest.calls(HostCall::Sockets)
    })?;
    sockets::udp_create_socket::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| {
        guest.calls(HostCall::Sockets)
    })?;
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(linker, &options, |guest| {
        guest.calls(HostCall::Sockets).sockets()
    })?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, |guest| {
        guest.calls(HostCall::Sockets).sockets()
    })?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(linker, |guest| guest.calls(HostCall::Sockets).sockets())?;
    sockets::udp::add_to_linker::<_, WasiSockets>(linker, |guest| guest.calls(HostCall::Sockets).sockets())?;
    self::sockets::link_counted(linker)?;
    lookup::link(linker)?;
    http::link_handler(linker)?;
    let options = types::LinkOptions::default();
    types::add_to_linker::<_, WasiHttp>(linker, &options, |guest| guest.calls(HostCall::Other).http())?;
    http::link_bounded(linker)?;
    http::link_fields(linker)
}

/// The WASI context of one attempt, but for directories.
pub(crate) fn context(options: &AttemptOptions, program: Program, network: &Arc<Network>) -> WasiCtxBuilder {
    let AttemptOptions { log, grants, .. } = options;
    let mut builder = WasiCtxBuilder::new();
    for variable in grants.env_by_name() {
        builder.env(variable.name(), variable.value());
    }
    network.open_sockets(&mut builder);
    builder
        .args(&program.args)
        .stdout(LogPipe::stdout(log))
        .stderr(LogPipe::stderr(log))
        .allow_ip_name_lookup(false);
    match program.stdin {
        Input::Bytes(bytes) => builder.stdin(MemoryInputPipe::new(bytes)),
        Input::Stream(stream) => builder.stdin(stream),
    };
    builder
}
