//! One attempt: a fresh store and instance, one call, an outcome. Then everything is dropped.

mod failure;
mod report;

pub use report::{AttemptError, Attempted};

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use hostel_core::{
    Failure, Limit, LimitKind, Limits, Name, Observation, Outcome, Receipt, Timestamp, Value, bytes_text,
};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, InstancePre, Val};

use crate::boundary::Boundary;
use crate::busy::{Busy, WaitedTooLong};
use crate::call::Call;
use crate::component::{Style, Warm};
use crate::config::STACK_BYTES;
use crate::function::Function;
use crate::guest::{self, Guest};
use crate::meter::{Meter, SharedMemory};
use crate::options::AttemptOptions;
use crate::program::Program;
use crate::resources::SharedResources;
use crate::ticker::Ticking;
use crate::values;

impl Function {
    /// Runs the function once, in an instance of its own that is dropped before this returns.
    ///
    /// `inputs` are one value for each parameter, in order and in normal form, as returned by
    /// [`hostel_core::Signature::bind`]. A function that returns `result<T, E>` completes with the `T` and fails with
    /// the `E`.
    ///
    /// While the guest computes, the future returns to its executor every few milliseconds; while the guest sleeps or
    /// waits it is pending. A guest that sleeps or has a timeout needs a tokio timer; a guest that uses the network needs a
    /// tokio runtime with I/O. If other attempts leave no room for the instance, it waits until one of them has ended.
    ///
    /// # Errors
    ///
    /// [`AttemptError`] if the host could not do its part.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the guest at once and frees all its resources; the log retains what was printed.
    pub async fn attempt(
        &self,
        inputs: &[Value],
        options: &Arc<AttemptOptions>,
    ) -> Result<Attempted, AttemptError> {
        let resources = &self.component().0.resources;
        if options.limits.fuel.is_some() && !resources.counts_fuel {
            return Err(AttemptError::FuelIsNotCounted);
        }
        let ticking = resources.ticker.ticking();
        match self.attempt_in_room(inputs, options).await {
            // On the heap, because it is rare: otherwise the future of every attempt would have room for it.
            Err(AttemptError::NoRoom(_)) => Box::pin(self.attempt_later(inputs, options, &ticking)).await,
            ended => ended,
        }
    }

    /// Makes the attempt as soon as there is room for it.
    async fn attempt_later(
        &self,
        inputs: &[Value],
        options: &Arc<AttemptOptions>,
        ticking: &Ticking<'_>,
    ) -> Result<Attempted, AttemptError> {
        let mut tries_alone = 0;
        loop {
            // Another attempt may have ended just before `look_out`, so try once more.
            let look_out = ticking.look_out();
            let no_room = match self.attempt_in_room(inputs, options).await {
                Err(no_room @ AttemptError::NoRoom(_)) => no_room,
                ended => return ended,
            };
            let Some(others_hold_room) = in_time(options.ends_at, look_out.wait()).await else {
                return Ok(ended_waiting(options));
            };
            tries_alone = if others_hold_room { 0 } else { tries_alone + 1 };
            if tries_alone >= TRIES_ALONE {
                return Err(no_room);
            }
            match self.attempt_in_room(inputs, options).await {
                Err(AttemptError::NoRoom(_)) => {}
                ended => return ended,
            }
        }
    }

    /// Makes the attempt if there is room for it. Otherwise nothing of it has happened.
    async fn attempt_in_room(
        &self,
        inputs: &[Value],
        options: &Arc<AttemptOptions>,
    ) -> Result<Attempted, AttemptError> {
        if self.component().is_surface() {
            return Err(AttemptError::Surface);
        }
        let stack = self.component().stack_bytes();
        // Dropped after the stack.
        let _admitted = self.memory().admit(stack).ok_or_else(no_memory)?;
        self.attempt_admitted(inputs, options, stack).await
    }

    /// Makes an attempt that may begin, and whose stack may take so much.
    async fn attempt_admitted(
        &self,
        inputs: &[Value],
        options: &Arc<AttemptOptions>,
        stack: u64,
    ) -> Result<Attempted, AttemptError> {
        let warm = self.component().0.warm.as_ref();
        // Dropped after the instance.
        let place = warm.and_then(Warm::place);
        let (linked, index) = place.as_ref().map_or_else(|| self.code(), |(code, _)| self.code_in(code));
        let pre = linked.as_ref().map_err(|missing| AttemptError::NotLinked(missing.clone()))?;
        let index = index.ok_or_else(|| AttemptError::internal("the component lacks the export"))?;
        let timeout = options.time_left();
        let deadline = timeout.map(|after| Timestamp::from(SystemTime::now()).after(after));
        let attempt = Attempt { function: self, pre, index, options, timeout, deadline };
        let mut execution = Execution::new(&attempt, inputs);
        let arguments: u64 = inputs.iter().map(values::lowered_bytes).sum();
        if arguments >= COUNTED_ARGUMENTS && !execution.store.data_mut().meter.take_beside(arguments) {
            execution.has_ended = true;
            let needed = bytes_text(arguments);
            return Err(AttemptError::NoRoom(format!(
                "the host has no room for the arguments, which take {needed}"
            )));
        }
        execution.store.data_mut().open_dirs()?;
        let unknown = warm.map(|warm| &warm.warmth).filter(|warmth| warmth.is_unknown());
        let outcome = match unknown.filter(|_| self.component().is_optimised()) {
            // On the heap, because it is rare.
            Some(warmth) => {
                let outcome = Box::pin(warmth.look_at(attempt.run_in_time(&mut execution, inputs))).await;
                self.component().looked_at();
                outcome
            }
            None => attempt.run_in_time(&mut execution, inputs).await,
        };
        let outcome = match outcome {
            Ok(_) if execution.found_no_room() && self.memory().has_others(stack) => Err(no_memory()),
            Err(AttemptError::NoRoom(what)) if execution.has_acted() => Err(AttemptError::LostRoom(what)),
            outcome => outcome,
        };
        if let Err(AttemptError::NoRoom(_)) = outcome {
            execution.has_ended = true;
        } else {
            options.log.close();
            options.log.shorten_captured();
        }
        Ok(execution.ended(outcome?))
    }

    /// The memory of all attempts.
    fn memory(&self) -> &SharedMemory {
        &self.component().0.resources.memory
    }
}

/// Others have the memory that the attempt needs to begin.
fn no_memory() -> AttemptError {
    AttemptError::NoRoom("the runs of this host have all memory that they may have".to_owned())
}

/// Arguments that take less than this are not counted as memory of the host.
const COUNTED_ARGUMENTS: u64 = 64 << 10;

/// An attempt is too large for the engine if it finds this often that all other attempts also wait for room. Once is
/// not enough: the others try at the same time, and may block it.
const TRIES_ALONE: u32 = 3;

/// How many entries wasmtime's table of concurrent tasks has for each call of an async function, including the attempt's own, and for
/// each stream and future. A test checks it.
const ENTRIES: u64 = 3;

/// The store of a running attempt. Dropping it reports the resource use of the attempt, unless the attempt has ended.
struct Execution<'a> {
    store: Store<Guest>,
    function: &'a Function,
    inputs: &'a [Value],
    options: &'a Arc<AttemptOptions>,
    cpu_time: Duration,
    has_ended: bool,
}

impl<'a> Execution<'a> {
    fn new(attempt: &Attempt<'a>, inputs: &'a [Value]) -> Self {
        let Attempt { function, options, .. } = *attempt;
        Self {
            store: attempt.store(inputs),
            function,
            inputs,
            options,
            cpu_time: Duration::ZERO,
            has_ended: false,
        }
    }

    /// Whether the host has done something for the guest that cannot be done twice.
    fn has_acted(&self) -> bool {
        self.store.data().notes.host_calls().total() > 0
    }

    /// Whether there was no memory for the instance, and nothing has happened.
    fn found_no_room(&self) -> bool {
        self.store.data().meter.has_no_room() && !self.has_acted()
    }

    fn ended(&mut self, outcome: Outcome) -> Attempted {
        self.has_ended = true;
        // First, because it settles the denials.
        let observation = self.store.data_mut().take_observation();
        let receipt = Box::new(self.receipt(Some(&outcome)));
        Attempted { outcome, observation, receipt }
    }

    fn receipt(&self, outcome: Option<&Outcome>) -> Receipt {
        let guest = self.store.data();
        let result = outcome.and_then(Outcome::returned).map_or(0, Value::footprint);
        let mut receipt = Receipt::default();
        let given = self.options.limits.fuel.unwrap_or(u64::MAX);
        if self.function.component().0.resources.counts_fuel {
            receipt.fuel = self.store.get_fuel().ok().map(|left| given.saturating_sub(left));
        }
        receipt.cpu_time = self.cpu_time;
        receipt.peak_memory_bytes = guest.meter.peak_memory_bytes();
        receipt.host_calls = guest.notes.host_calls();
        receipt.denials = guest.notes.denied();
        let arguments = self.inputs.iter().map(Value::footprint).sum::<usize>() as u64;
        receipt.input_bytes = arguments.saturating_add(guest.stdin_bytes());
        receipt.result_bytes = result as u64;
        receipt.log_bytes = self.options.log.kept_bytes();
        receipt.read_bytes = guest.read_bytes();
        receipt.written_bytes = guest.written_bytes();
        receipt.received_bytes = guest.received_bytes();
        receipt.sent_bytes = guest.sent_bytes();
        receipt
    }
}

impl Drop for Execution<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.options.log.close();
        if let Some(on_stopped) = self.options.on_stopped.as_ref().and_then(Weak::upgrade) {
            self.store.data_mut().settle();
            on_stopped.stopped(self.receipt(None));
        }
    }
}

/// The parts of an attempt.
struct Attempt<'a> {
    function: &'a Function,
    pre: &'a InstancePre<Guest>,
    index: ComponentExportIndex,
    options: &'a Arc<AttemptOptions>,
    /// The time limit of the attempt.
    timeout: Option<Duration>,
    deadline: Option<Timestamp>,
}

impl Attempt<'_> {
    async fn run_in_time(
        &self,
        execution: &mut Execution<'_>,
        inputs: &[Value],
    ) -> Result<Outcome, AttemptError> {
        let Limits { idle_timeout, .. } = self.options.limits;
        let timeout = self.timeout;
        let Execution { store, cpu_time, .. } = execution;
        let run = pin!(self.run(store, inputs));
        let busy = Busy::new(run, cpu_time, idle_timeout);
        let ended = match timeout {
            Some(after) => match tokio::time::timeout(after, busy).await {
                Ok(ended) => ended,
                Err(_elapsed) => return Ok(Outcome::Failed(Failure::TimedOut { after })),
            },
            None => busy.await,
        };
        ended.unwrap_or_else(|WaitedTooLong| {
            let limit = Limit::of(LimitKind::IdleTimeout, &self.options.limits);
            self.options.log.close();
            Ok(Outcome::Failed(Failure::Limit { limit, stderr_tail: self.options.log.stderr_tail() }))
        })
    }

    async fn run(&self, store: &mut Store<Guest>, inputs: &[Value]) -> Result<Outcome, AttemptError> {
        match self.function.style() {
            Style::Function => self.run_function(store, inputs).await,
            Style::Program => self.run_program(store).await,
        }
    }

    async fn run_function(
        &self,
        store: &mut Store<Guest>,
        inputs: &[Value],
    ) -> Result<Outcome, AttemptError> {
        let params = inputs.iter().zip(self.function.signature().params.iter());
        let params: Option<Vec<Val>> = params.map(|(input, param)| values::lower(input, &param.ty)).collect();
        let params =
            params.ok_or_else(|| AttemptError::internal("an input is not of its parameter's type"))?;
        let mut results = match self.function.signature().result {
            Some(_) => vec![Val::Bool(false)],
            None => Vec::new(),
        };
        match self.call(store, &params, &mut results).await {
            Ok(()) => self.outcome_of(results),
            Err(error) => {
                self.options.log.close();
                failure::of_error(&error, store.data_mut()).map(Outcome::Failed)
            }
        }
    }

    /// The outcome of a program is its exit code, or the return value of `run`; its value is its output.
    async fn run_program(&self, store: &mut Store<Guest>) -> Result<Outcome, AttemptError> {
        let log = &self.options.log;
        log.capture_stdout(self.options.limits.result_bytes);
        let mut results = [Val::Bool(false)];
        let called = self.call(store, &[], &mut results).await;
        log.close();
        let failure = match called {
            Ok(()) if matches!(results, [Val::Result(Ok(_))]) => None,
            Ok(()) => Some(Failure::Exit { code: 1, stderr_tail: log.stderr_tail() }),
            Err(error) => {
                let failure = failure::of_error(&error, store.data_mut())?;
                Some(failure).filter(|failure| !matches!(failure, Failure::Exit { code: 0, .. }))
            }
        };
        let too_much = |limit| Failure::Limit { limit, stderr_tail: log.stderr_tail() };
        let printed = failure.map_or_else(|| log.take_captured().map_err(too_much), Err);
        Ok(match printed {
            Ok(stdout) => {
                let stdout = (Name::from("stdout"), Value::Bytes(stdout));
                Outcome::Completed(Value::Record(vec![stdout]))
            }
            Err(failure) => Outcome::Failed(failure),
        })
    }

    fn store(&self, inputs: &[Value]) -> Store<Guest> {
        let limits = &self.options.limits;
        let program = match self.function.style() {
            Style::Function => Program::default(),
            Style::Program => Program::new(inputs, self.options),
        };
        let (task, options) = (Arc::clone(self.function.shared_key()), Arc::clone(self.options));
        let call = Call { task, options, deadline: self.deadline };
        let resources = &self.function.component().0.resources;
        let SharedResources { ticker, memory, counts_fuel, .. } = &**resources;
        let (meter, turn) = (Meter::new(limits, memory), ticker.rhythm().turn());
        let boundary = Boundary::new(self.function.has_long_result());
        let guest = Guest::new(meter, boundary, turn, call, program, resources);
        let mut store = Store::new(self.pre.engine(), guest);
        store.limiter(|guest| &mut guest.meter);
        store.call_hook(guest::cross);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().look()));
        let size = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(size(limits.result_bytes / self.function.expansion()));
        store.set_max_component_handles(size(limits.handles));
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(size(limits.subtasks.saturating_mul(ENTRIES).saturating_add(ENTRIES)));
            store.data_mut().boundary.set_async(STACK_BYTES as u64);
        }
        if *counts_fuel {
            // Cannot fail: the engine counts fuel.
            let _ = store.set_fuel(limits.fuel.unwrap_or(u64::MAX));
        }
        store
    }

    async fn call(
        &self,
        store: &mut Store<Guest>,
        params: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        store.data_mut().meter.begin();
        let function = instance.get_func(&mut *store, self.index);
        let function = function.ok_or_else(|| wasmtime::Error::msg("the instance lacks the export"))?;
        function.call_async(&mut *store, params, results).await
    }

    fn outcome_of(&self, mut results: Vec<Val>) -> Result<Outcome, AttemptError> {
        let (Some(val), Some(ty)) = (results.pop(), &self.function.signature().result) else {
            return Ok(Outcome::Completed(Value::UNIT));
        };
        let value =
            values::lift(val, ty).ok_or_else(|| AttemptError::internal("the result is not of its type"))?;
        // wasmtime counts the guest's bytes of a text. In latin1 or UTF-16 they are fewer than those of the text in the host.
        let allowed = self.options.limits.result_bytes;
        if value.least_canonical_bytes() as u64 > allowed {
            self.options.log.close();
            let stderr_tail = self.options.log.stderr_tail();
            let limit = Limit { kind: LimitKind::Result, allowed };
            return Ok(Outcome::Failed(Failure::Limit { limit, stderr_tail }));
        }
        let Value::Result(result) = value else {
            return Ok(Outcome::Completed(value));
        };
        let unit = |payload: Option<Box<Value>>| payload.map_or(Value::UNIT, |value| *value);
        Ok(match result {
            Ok(payload) => Outcome::Completed(unit(payload)),
            Err(payload) => Outcome::Failed(Failure::Error(unit(payload))),
        })
    }
}

/// The result of an attempt whose time expired while it waited for room.
fn ended_waiting(options: &AttemptOptions) -> Attempted {
    let failure = Failure::TimedOut { after: options.time_left().unwrap_or_default() };
    let (observation, receipt) = (Observation::default(), Box::default());
    Attempted { outcome: Outcome::Failed(failure), observation, receipt }
}

/// The output of a future; `None` if it is not ready by `end`.
async fn in_time<T>(end: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match end {
        Some(end) => tokio::time::timeout_at(end.into(), future).await.ok(),
        None => Some(future.await),
    }
}
