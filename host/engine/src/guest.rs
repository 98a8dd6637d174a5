//! What the host keeps beside one instance.

use std::sync::Arc;

use hostel_core::{Denials, DirGrant, HostCall, HostCalls, Limit, LimitKind, Limits, Observation, Touch};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::UpdateDeadline;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::call::Call;
use crate::denial::DenialBook;
use crate::files::{OpenDirError, SharedBook, open_roots};
use crate::meter::Meter;
use crate::network::{Network, SystemResolver};
use crate::observe::Recorder;
use crate::options::AttemptOptions;
use crate::program::Program;
use crate::stdin::StdinReader;
use crate::turn::Turn;
use crate::wasi::{self, Clocks, Gate, Random, Refused};

/// How many resources of the host's one guest may hold, whatever its limit on handles is: each takes memory of the host's
/// that no limit counts.
const MAX_RESOURCES: u64 = 10_000;

/// The data of one store: the limiter, whom it runs for, and WASI from the moment the guest first asks for it.
///
/// Most pure tasks import nothing or never call what they import, and a WASI context costs more than their call.
pub(crate) struct Guest {
    pub(crate) meter: Meter,
    pub(crate) tally: Tally,
    /// What it was denied; `None` as long as it has asked for nothing that could be.
    denials: Option<DenialBook>,
    pub(crate) call: Call,
    pub(crate) recorder: Recorder,
    pub(crate) clocks: Clocks,
    pub(crate) random: Random,
    turn: Turn,
    /// What it reads in granted directories; `None` if none are.
    pub(crate) book: Option<SharedBook>,
    /// What is taken of the room that sockets have; given back some time after they are closed.
    pub(crate) socket_room: Vec<OwnedSemaphorePermit>,
    /// At least how many sets of headers it has made and not dropped.
    pub(crate) kept_fields: u64,
    program: Program,
    /// What it reads from its standard input, if that is a stream.
    stdin: Option<StdinReader>,
    wasi: Option<Box<Wasi>>,
}

/// What the host counts while the guest runs.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) host_calls: HostCalls,
    pub(crate) denials: Denials,
}

struct Wasi {
    ctx: WasiCtx,
    http: WasiHttpCtx,
    hooks: Gate,
    network: Arc<Network>,
    table: ResourceTable,
}

impl Guest {
    pub(crate) fn new(meter: Meter, turn: Turn, call: Call, program: Program) -> Self {
        let AttemptOptions { determinism, seed_of, on_touch, .. } = &call.options;
        let recorder = Recorder::new(on_touch.clone());
        let clocks = Clocks::new(determinism.clock);
        let random = Random::new(determinism.randomness, *seed_of);
        let stdin = program.stream().cloned();
        Self {
            meter,
            tally: Tally::default(),
            denials: None,
            call,
            recorder,
            clocks,
            random,
            turn,
            book: None,
            socket_room: Vec::new(),
            kept_fields: 0,
            program,
            stdin,
            wasi: None,
        }
    }

    pub(crate) fn denials(&mut self) -> &DenialBook {
        self.denials.get_or_insert_with(|| DenialBook::new(&self.call.options.log))
    }

    /// The guest, which calls a host function of this kind.
    pub(crate) fn calls(&mut self, kind: HostCall) -> &mut Self {
        self.tally.host_calls.count(kind, 1);
        self
    }

    /// Whether to go on computing, now that there is a new epoch.
    pub(crate) fn look(&mut self) -> UpdateDeadline {
        self.turn.look()
    }

    /// Opens the directories that are granted.
    pub(crate) fn open_dirs(&mut self) -> Result<(), OpenDirError> {
        let Self { call: Call { options, .. }, denials, .. } = self;
        let options = &*options;
        let AttemptOptions { log, grants, limits, .. } = options;
        if grants.dirs.is_empty() {
            return Ok(());
        }
        let denials = denials.get_or_insert_with(|| DenialBook::new(log));
        let network = Network::new(options, denials, Arc::new(SystemResolver));
        let mut context = wasi::context(options, std::mem::take(&mut self.program), &network);
        open_roots(&mut context, grants)?;
        let roots = grants.dirs_by_name().into_iter().map(DirGrant::guest);
        self.book = Some(SharedBook::new(roots, *limits, log));
        self.wasi = Some(Wasi::new(context.build(), network, options));
        Ok(())
    }

    /// Notes what was touched where nobody could note it.
    pub(crate) fn settle(&mut self) {
        for _ in 0..self.meter.take_untold() {
            self.recorder.touch(Touch::RefusedGrowth);
        }
        for kind in self.denials.iter().flat_map(DenialBook::take_untold) {
            self.tally.denials.count(kind);
        }
        for _ in 0..self.stdin.as_ref().map_or(0, StdinReader::take_asked) {
            self.recorder.touch(Touch::StandardInput);
        }
        let of_files = self.book.as_ref().map(|book| book.lock().take_touches()).unwrap_or_default();
        of_files.into_iter().for_each(|touch| self.recorder.touch(touch));
    }

    /// How many bytes it has read from a standard input that is a stream.
    pub(crate) fn stdin_bytes(&self) -> u64 {
        self.stdin.as_ref().map_or(0, StdinReader::read_bytes)
    }

    /// How many bytes it has read from files.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.book.as_ref().map_or(0, |book| book.lock().read_bytes())
    }

    /// How many bytes it has written to files, and made them longer by.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.book.as_ref().map_or(0, |book| book.lock().written_bytes())
    }

    /// Why the last HTTP request was refused, if it was; once.
    pub(crate) fn take_refused_request(&mut self) -> Option<Refused> {
        self.wasi().hooks.take_refused()
    }

    /// What it may do in the network.
    pub(crate) fn network(&mut self) -> &Arc<Network> {
        &self.wasi().network
    }

    /// How much it received over the network.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.wasi.as_ref().map_or(0, |wasi| wasi.network.traffic.received_bytes())
    }

    /// How much it sent over the network.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.wasi.as_ref().map_or(0, |wasi| wasi.network.traffic.sent_bytes())
    }

    /// What was touched until now, and what was read.
    pub(crate) fn take_observation(&mut self) -> Observation {
        // Before the touches: reading that ends now may show that a file has changed.
        let trace = self.book.as_ref().map(|book| book.lock().take_trace());
        self.settle();
        self.recorder.take_observation().with_trace(trace.unwrap_or_default())
    }

    /// How many resources of the host's it may hold, if there is no room for another.
    pub(crate) fn full_table(&mut self) -> Option<Limit> {
        let wasi = self.wasi.as_mut()?;
        let is_full = match wasi.table.push(()) {
            Ok(fits) => wasi.table.delete(fits).is_err(),
            Err(_) => true,
        };
        let limits = &self.call.options.limits;
        is_full.then(|| Limit { kind: LimitKind::Handles, allowed: max_resources(limits) })
    }

    /// Says that no limit gives more of what the host keeps, if that is so.
    pub(crate) fn note_most(&mut self, most: u64, what: &str) {
        if self.call.options.limits.handles > most {
            self.denials().remark(format!("more than {most} {what} at once are not to be had"));
        }
    }

    fn wasi(&mut self) -> &mut Wasi {
        let Self { call: Call { options, .. }, denials, program, wasi, .. } = self;
        wasi.get_or_insert_with(|| {
            let denials = denials.get_or_insert_with(|| DenialBook::new(&options.log));
            let network = Network::new(options, denials, Arc::new(SystemResolver));
            let mut context = wasi::context(options, std::mem::take(program), &network);
            Wasi::new(context.build(), network, options)
        })
    }
}

fn max_resources(limits: &Limits) -> u64 {
    limits.handles.min(MAX_RESOURCES)
}

impl Wasi {
    fn new(ctx: WasiCtx, network: Arc<Network>, options: &AttemptOptions) -> Box<Self> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(max_resources(&options.limits)).unwrap_or(usize::MAX));
        Box::new(Self { ctx, http: wasi::http_context(), hooks: Gate::new(&network), network, table })
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let wasi = self.wasi();
        WasiHttpCtxView { ctx: &mut wasi.http, hooks: &mut wasi.hooks, table: &mut wasi.table }
    }
}
