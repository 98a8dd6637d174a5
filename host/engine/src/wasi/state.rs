//! The WASI state of one attempt, created when the guest first needs it.

use std::convert::Infallible;
use std::sync::Arc;

use hostel_core::{Limit, LimitKind, Limits};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::gate::Gate;
use super::log_pipe::LogPipe;
use crate::meter::Buffers;
use crate::network::{Network, SystemResolver};
use crate::notes::Notes;
use crate::options::AttemptOptions;
use crate::program::{Input, Program};
use crate::resources::SharedResources;

/// The maximum number of the host's resources that one guest may hold, whatever its limit on handles: each takes memory
/// of the host that no limit counts.
pub(super) const MAX_RESOURCES: u64 = 10_000;

/// The maximum size of one set of headers or trailers, including the host's overhead for each header: twice what
/// servers accept.
const FIELD_BYTES: usize = 16 << 10;

/// The WASI state of one attempt.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    http: WasiHttpCtx,
    pub(super) gate: Gate,
    network: Arc<Network>,
    pub(crate) table: ResourceTable,
}

/// The same, created on first use. Most pure tasks import nothing or never call their imports, and creating it costs
/// more than their call.
pub(crate) struct LazyWasi {
    program: Program,
    resources: Arc<SharedResources>,
    made: Option<Box<Wasi>>,
}

/// The common needs of most capabilities, beyond their own state.
pub(crate) struct HostView<'a> {
    pub(crate) options: &'a AttemptOptions,
    pub(crate) notes: &'a mut Notes,
    pub(crate) wasi: &'a mut LazyWasi,
}

impl HostView<'_> {
    pub(crate) fn wasi(&mut self) -> &mut Wasi {
        self.wasi.get(self.options, self.notes)
    }

    /// The guest's resources.
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.wasi().table
    }

    /// The guest's permissions in the network.
    pub(crate) fn network(&mut self) -> &Arc<Network> {
        &self.wasi().network
    }
}

impl LazyWasi {
    pub(crate) fn new(program: Program, resources: &Arc<SharedResources>) -> Self {
        Self { program, resources: Arc::clone(resources), made: None }
    }

    /// From now on, what the guest prints and logs counts as memory of all attempts.
    pub(crate) fn count_log(&self, options: &AttemptOptions) {
        options.log.take_from(|| Box::new(Buffers::taking(&self.resources.memory)));
    }

    /// The state, which is created now if there is none.
    pub(crate) fn get(&mut self, options: &AttemptOptions, notes: &mut Notes) -> &mut Wasi {
        let Self { program, resources, made } = self;
        made.get_or_insert_with(|| {
            let Ok(wasi) = Wasi::new(options, notes, (program, resources), |_| Ok::<_, Infallible>(()));
            wasi
        })
    }

    /// Creates the state from a context that `prepare` changes first.
    pub(crate) fn make<E>(
        &mut self,
        options: &AttemptOptions,
        notes: &mut Notes,
        prepare: impl FnOnce(&mut WasiCtxBuilder) -> Result<(), E>,
    ) -> Result<(), E> {
        self.made = Some(Wasi::new(options, notes, (&mut self.program, &self.resources), prepare)?);
        Ok(())
    }

    /// The network, if there is a state.
    pub(crate) fn network(&self) -> Option<&Network> {
        self.made.as_ref().map(|wasi| &*wasi.network)
    }

    /// The limit on the host's resources, if there is no room for another one.
    pub(crate) fn full_table(&mut self, limits: &Limits) -> Option<Limit> {
        let table = &mut self.made.as_mut()?.table;
        let is_full = match table.push(()) {
            Ok(fits) => table.delete(fits).is_err(),
            Err(_) => true,
        };
        is_full.then(|| Limit { kind: LimitKind::Handles, allowed: max_resources(limits) })
    }
}

impl Wasi {
    fn new<E>(
        options: &AttemptOptions,
        notes: &mut Notes,
        (program, resources): (&mut Program, &Arc<SharedResources>),
        prepare: impl FnOnce(&mut WasiCtxBuilder) -> Result<(), E>,
    ) -> Result<Box<Self>, E> {
        options.log.take_from(|| Box::new(Buffers::taking(&resources.memory)));
        let network = Network::new(options, notes.denials(), Arc::new(SystemResolver), &resources.tls);
        let mut context = context(options, std::mem::take(program), &network);
        prepare(&mut context)?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(max_resources(&options.limits)).unwrap_or(usize::MAX));
        let (ctx, http, gate) = (context.build(), http_context(), Gate::new(&network));
        Ok(Box::new(Self { ctx, http, gate, network, table }))
    }
}

impl WasiView for Wasi {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

impl WasiHttpView for Wasi {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, hooks: &mut self.gate, table: &mut self.table }
    }
}

fn max_resources(limits: &Limits) -> u64 {
    limits.handles.min(MAX_RESOURCES)
}

/// The WASI context of one attempt, without directories.
fn context(options: &AttemptOptions, program: Program, network: &Arc<Network>) -> WasiCtxBuilder {
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

/// The bounds on requests.
fn http_context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(FIELD_BYTES);
    context
}
