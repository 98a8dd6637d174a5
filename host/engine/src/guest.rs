//! The data of one store: all state of the host for one guest.

use std::sync::Arc;

use hostel_core::{DirGrant, HostCall, Limit, Observation, Touch};
use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, StoreContextMut, UpdateDeadline};

use crate::boundary::Boundary;
use crate::call::Call;
use crate::context::ContextView;
use crate::files::{FilesView, OpenDirError, SharedBook, open_roots};
use crate::meter::Meter;
use crate::notes::Notes;
use crate::observe;
use crate::options::AttemptOptions;
use crate::program::Program;
use crate::resources::SharedResources;
use crate::stdin::StdinReader;
use crate::turn::Turn;
use crate::wasi::{
    Clocks, ClocksView, ErrorsView, HostView, Http, HttpView, LazyWasi, Random, RandomView, Sockets,
    SocketsView, Wasi,
};

/// The data of one store: a field for each capability, and the fields that all of them use.
///
/// A capability implements its interfaces on a view of the fields that it needs. The methods below make these views, and
/// [`linker`](crate::linker) links them.
pub(crate) struct Guest {
    pub(crate) meter: Meter,
    pub(crate) call: Call,
    pub(crate) notes: Notes,
    pub(crate) boundary: Boundary,
    turn: Turn,
    wasi: LazyWasi,
    /// The standard input, if it is a stream.
    stdin: Option<StdinReader>,
    clocks: Clocks,
    random: Random,
    /// The record of its reads and writes in granted directories; `None` if none are granted.
    files: Option<SharedBook>,
    sockets: Sockets,
    http: Http,
}

impl Guest {
    pub(crate) fn new(
        meter: Meter,
        boundary: Boundary,
        turn: Turn,
        call: Call,
        program: Program,
        resources: &Arc<SharedResources>,
    ) -> Self {
        let AttemptOptions { log, determinism, seed_of, on_touch, .. } = &*call.options;
        Self {
            meter,
            notes: Notes::new(log, on_touch.clone()),
            boundary,
            turn,
            stdin: program.stream().cloned(),
            wasi: LazyWasi::new(program, resources),
            clocks: Clocks::new(determinism.clock),
            random: Random::new(determinism.randomness, *seed_of),
            files: None,
            sockets: Sockets::default(),
            http: Http::default(),
            call,
        }
    }

    /// Counts a call of a host function of this kind.
    pub(crate) fn calls(&mut self, kind: HostCall) -> &mut Self {
        self.notes.count(kind);
        self
    }

    /// Whether to go on computing in a new epoch.
    pub(crate) fn look(&mut self) -> UpdateDeadline {
        self.turn.look()
    }

    /// Opens the granted directories.
    pub(crate) fn open_dirs(&mut self) -> Result<(), OpenDirError> {
        let AttemptOptions { log, grants, limits, .. } = &*self.call.options;
        if grants.dirs.is_empty() {
            return Ok(());
        }
        self.wasi.make(&self.call.options, &mut self.notes, |context| open_roots(context, grants))?;
        let roots = grants.dirs_by_name().into_iter().map(DirGrant::guest);
        self.files = Some(SharedBook::new(roots, *limits, log));
        Ok(())
    }

    /// The limit on the host's resources, if the guest has reached it.
    pub(crate) fn full_table(&mut self) -> Option<Limit> {
        self.wasi.full_table(&self.call.options.limits)
    }

    /// Adds a remark that no limit allows more than `most`, if the guest's limit is higher.
    pub(crate) fn note_most(&mut self, most: u64, what: &str) {
        if self.call.options.limits.handles > most {
            self.notes.denials().remark(format!("more than {most} {what} at once are never allowed"));
        }
    }
}

/// The views that capabilities are implemented on.
impl Guest {
    pub(crate) fn clocks(&mut self) -> ClocksView<'_> {
        let Self { call, notes, wasi, clocks, .. } = self;
        ClocksView { clocks, host: HostView { options: &call.options, notes, wasi } }
    }

    pub(crate) fn random(&mut self) -> RandomView<'_> {
        RandomView { random: &mut self.random, notes: &mut self.notes }
    }

    pub(crate) fn files(&mut self) -> FilesView<'_> {
        let Self { call, notes, wasi, files, .. } = self;
        FilesView { book: files.as_ref(), host: HostView { options: &call.options, notes, wasi } }
    }

    pub(crate) fn sockets(&mut self) -> SocketsView<'_> {
        let Self { call, notes, wasi, sockets, .. } = self;
        SocketsView { sockets, host: HostView { options: &call.options, notes, wasi } }
    }

    pub(crate) fn http(&mut self) -> HttpView<'_> {
        let Self { meter, call, notes, wasi, sockets, http, .. } = self;
        let host = HostView { options: &call.options, notes, wasi };
        HttpView { http, meter, sockets: SocketsView { sockets, host } }
    }

    pub(crate) fn context(&mut self) -> ContextView<'_> {
        self.wasi.count_log(&self.call.options);
        ContextView { call: &self.call, notes: &mut self.notes }
    }

    /// For interfaces that are linked as wasmtime-wasi implements them.
    pub(crate) fn wasi(&mut self) -> &mut Wasi {
        self.wasi.get(&self.call.options, &mut self.notes)
    }

    pub(crate) fn errors(&mut self) -> ErrorsView<'_> {
        ErrorsView { table: self.table() }
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.wasi().table
    }
}

/// The reports of the attempt.
impl Guest {
    /// Adds touches and denials that were recorded elsewhere, where the notes are not available.
    pub(crate) fn settle(&mut self) {
        for _ in 0..self.meter.take_untold() {
            self.notes.touch(Touch::RefusedGrowth);
        }
        self.notes.settle();
        for _ in 0..self.stdin.as_ref().map_or(0, StdinReader::take_asked) {
            self.notes.touch(Touch::StandardInput);
        }
        let of_files = self.files.as_ref().map(|book| book.lock().take_touches()).unwrap_or_default();
        of_files.into_iter().for_each(|touch| self.notes.touch(touch));
    }

    /// The touches so far, and the trace.
    pub(crate) fn take_observation(&mut self) -> Observation {
        // Before the touches: the end of a read may show that a file has changed.
        let trace = self.files.as_ref().map(|book| book.lock().take_trace());
        self.settle();
        self.notes.take_observation().with_trace(trace.unwrap_or_default())
    }

    /// The number of bytes read from a standard input that is a stream.
    pub(crate) fn stdin_bytes(&self) -> u64 {
        self.stdin.as_ref().map_or(0, StdinReader::read_bytes)
    }

    /// The number of bytes read from files.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.files.as_ref().map_or(0, |book| book.lock().read_bytes())
    }

    /// The number of bytes written to files, including the bytes by which files were extended.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.files.as_ref().map_or(0, |book| book.lock().written_bytes())
    }

    /// The number of bytes received over the network.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.wasi.network().map_or(0, |network| network.traffic.received_bytes())
    }

    /// The number of bytes sent over the network.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.wasi.network().map_or(0, |network| network.traffic.sent_bytes())
    }
}

/// Called by wasmtime whenever the guest and the host call each other, and at the end of these calls.
pub(crate) fn cross(mut store: StoreContextMut<'_, Guest>, hook: CallHook) -> wasmtime::Result<()> {
    let guest = store.data_mut();
    guest.boundary.cross(hook, &mut guest.meter)?;
    if matches!(hook, CallHook::ReturningFromHost) {
        guest.settle();
        observe::name_touches(store, |guest| guest.notes.recorder());
    }
    Ok(())
}
