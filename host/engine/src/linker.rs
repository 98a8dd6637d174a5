//! The host functions that components are linked with: a line for each interface names its view, and the kind of call
//! that it counts as.

use hostel_core::HostCall;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliCtxView, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, io, sockets};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView, WasiSocketsView};
use wasmtime_wasi_http::p2::bindings::http::types;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use crate::guest::Guest;
use crate::{context, files, wasi};

/// For interfaces that only need the table of a guest's resources.
struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// A linker with all host functions.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    link_observed(&mut linker)?;
    link_plumbing(&mut linker)?;
    link_network(&mut linker)?;
    link_http(&mut linker)?;
    Ok(linker)
}

/// Clocks, randomness, files, waiting, the run: interfaces that are implemented here, and record touches.
fn link_observed(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasi::clocks::link(linker, |guest| guest.calls(HostCall::Clock).clocks())?;
    wasi::poll::link(linker, |guest| guest.calls(HostCall::Other).clocks())?;
    wasi::random::link(linker, |guest| guest.calls(HostCall::Randomness).random())?;
    files::link(linker, |guest| guest.calls(HostCall::Files).files())?;
    context::link(linker, |guest| guest.calls(HostCall::Context).context())
}

/// Streams, arguments and variables: the same in every attempt with the same inputs.
fn link_plumbing(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasi::error::link(linker, |guest| guest.calls(HostCall::Other).errors())?;
    io::streams::add_to_linker::<_, Table>(linker, |guest| guest.calls(HostCall::Other).table())?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, program)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, program)
}

/// Functions that create sockets or look up names are implemented here. The other functions work on those sockets, and
/// wasmtime-wasi implements them.
fn link_network(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasi::sockets::link(linker, |guest| guest.calls(HostCall::Sockets).sockets())?;
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(linker, &options, network)?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, network)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(linker, network)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(linker, network)?;
    wasi::sockets::link_counted(linker, |guest| guest.calls(HostCall::Sockets).sockets())?;
    wasi::lookup::link(linker, |guest| guest.calls(HostCall::Sockets).sockets(), Guest::table)
}

/// Sending is implemented here, and so are functions that take memory of the host; wasmtime-wasi-http implements the
/// rest.
fn link_http(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasi::http::link_handler(linker, |guest| guest.calls(HostCall::Http).http())?;
    let options = types::LinkOptions::default();
    types::add_to_linker::<_, WasiHttp>(linker, &options, |guest| {
        guest.calls(HostCall::Other).wasi().http()
    })?;
    wasi::http::link_bounded(linker, |guest| guest.calls(HostCall::Other).wasi().http())?;
    wasi::http::link_fields(linker, |guest| guest.calls(HostCall::Other).http())
}

fn program(guest: &mut Guest) -> WasiCliCtxView<'_> {
    guest.calls(HostCall::Other).wasi().cli()
}

fn network(guest: &mut Guest) -> WasiSocketsCtxView<'_> {
    guest.calls(HostCall::Sockets).wasi().sockets()
}
