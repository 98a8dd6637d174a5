//! What tasks and runs are asked to do, as bytes.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::read::Reader;
use super::{outcome, write};
use crate::{
    CachePolicy, Clock, Determinism, Digest, DirAccess, DirGrant, EnvGrant, ExportPath, FlowRun, Grants,
    InputSpec, Limits, QueueName, Randomness, RetryDelay, RetryOn, RetryPolicy, RunSpec, ScheduleSlot, Tags,
    TaskKey, TaskSpec, TraceParent, Unique, UniqueMode, UnknownImports, WaitFor,
};

const ACCESSES: [DirAccess; 2] = [DirAccess::Ro, DirAccess::Rw];

const UNKNOWN_IMPORTS: [UnknownImports; 2] = [UnknownImports::Refuse, UnknownImports::Trap];

/// The last parts of a run, each a bit of the byte before them: where it came from a schedule, and where from a trace. The byte is the 0 or 1
/// of a `maybe` for runs without a trace.
const HAS_SCHEDULE: u8 = 1;
const HAS_TRACE: u8 = 2;

pub(super) fn write_task(out: &mut Vec<u8>, task: &TaskSpec) {
    let TaskSpec {
        limits,
        run_timeout,
        retry,
        cache,
        cache_expiration,
        refresh,
        grants,
        determinism,
        unknown_imports,
        name,
        tags,
        priority,
        version,
        description,
        flow,
    } = task;
    write_limits(out, limits);
    write::maybe(out, *run_timeout, write::duration);
    write_retry(out, retry);
    write_policy(out, cache);
    write::maybe(out, *cache_expiration, write::duration);
    write::flag(out, *refresh);
    write_grants(out, grants);
    write_determinism(out, determinism);
    write::choice(out, &UNKNOWN_IMPORTS, unknown_imports);
    write::maybe(out, name.as_deref(), write::text);
    write_tags(out, tags);
    write::signed(out, *priority);
    write::maybe(out, version.as_deref(), write::text);
    write::maybe(out, description.as_deref(), write::text);
    write::maybe(out, flow.as_ref(), write_flow);
}

pub(super) fn read_task(reader: &mut Reader<'_>) -> Option<TaskSpec> {
    Some(TaskSpec {
        limits: read_limits(reader)?,
        run_timeout: reader.maybe(Reader::duration)?,
        retry: read_retry(reader)?,
        cache: read_policy(reader)?,
        cache_expiration: reader.maybe(Reader::duration)?,
        refresh: reader.flag()?,
        grants: read_grants(reader)?.into(),
        determinism: read_determinism(reader)?,
        unknown_imports: reader.choice(&UNKNOWN_IMPORTS)?,
        name: reader.maybe(Reader::shared)?,
        tags: read_tags(reader)?,
        priority: reader.signed()?,
        version: reader.maybe(Reader::shared)?,
        description: reader.maybe(Reader::shared)?,
        flow: reader.maybe(read_flow)?,
    })
}

fn write_limits(out: &mut Vec<u8>, limits: &Limits) {
    let Limits {
        memory_bytes,
        timeout,
        idle_timeout,
        fuel,
        table_elements,
        instances,
        handles,
        subtasks,
        log_bytes,
        log_lines,
        input_bytes,
        result_bytes,
        open_files,
        written_bytes,
        sockets,
        network_bytes,
    } = limits;
    write::number(out, *memory_bytes);
    write::maybe(out, *timeout, write::duration);
    write::maybe(out, *idle_timeout, write::duration);
    write::maybe(out, *fuel, write::number);
    let counts = [
        table_elements,
        instances,
        handles,
        subtasks,
        log_bytes,
        log_lines,
        input_bytes,
        result_bytes,
        open_files,
        written_bytes,
        sockets,
        network_bytes,
    ];
    counts.into_iter().for_each(|count| write::number(out, *count));
}

fn read_limits(reader: &mut Reader<'_>) -> Option<Limits> {
    Some(Limits {
        memory_bytes: reader.number()?,
        timeout: reader.maybe(Reader::duration)?,
        idle_timeout: reader.maybe(Reader::duration)?,
        fuel: reader.maybe(Reader::number)?,
        table_elements: reader.number()?,
        instances: reader.number()?,
        handles: reader.number()?,
        subtasks: reader.number()?,
        log_bytes: reader.number()?,
        log_lines: reader.number()?,
        input_bytes: reader.number()?,
        result_bytes: reader.number()?,
        open_files: reader.number()?,
        written_bytes: reader.number()?,
        sockets: reader.number()?,
        network_bytes: reader.number()?,
    })
}

fn write_retry(out: &mut Vec<u8>, policy: &RetryPolicy) {
    let RetryPolicy { retries, delay, jitter, on } = policy;
    write::number(out, (*retries).into());
    match delay {
        RetryDelay::Fixed(delay) => {
            out.push(0);
            write::duration(out, *delay);
        }
        RetryDelay::List(delays) => {
            out.push(1);
            write::list(out, delays, |out, delay| write::duration(out, *delay));
        }
        RetryDelay::Exponential(first) => {
            out.push(2);
            write::duration(out, *first);
        }
    }
    out.extend(jitter.to_bits().to_le_bytes());
    out.push(on.bits());
}

fn read_retry(reader: &mut Reader<'_>) -> Option<RetryPolicy> {
    let retries = reader.narrow()?;
    let delay = match reader.byte()? {
        0 => RetryDelay::Fixed(reader.duration()?),
        1 => RetryDelay::List(reader.list(Reader::duration)?),
        2 => RetryDelay::Exponential(reader.duration()?),
        _ => return None,
    };
    let jitter = f64::from_bits(u64::from_le_bytes(reader.array()?));
    Some(RetryPolicy { retries, delay, jitter, on: RetryOn::of_bits(reader.byte()?)? })
}

fn write_policy(out: &mut Vec<u8>, policy: &CachePolicy) {
    out.push(policy.bits());
    write::list(out, policy.left_out(), |out, name| write::text(out, name));
    write::maybe(out, policy.template(), write::text);
}

fn read_policy(reader: &mut Reader<'_>) -> Option<CachePolicy> {
    let facts = reader.byte()?;
    let left_out = ascending(reader.list(Reader::shared)?)?;
    CachePolicy::of_parts(facts, left_out, reader.maybe(Reader::shared)?)
}

/// The items, if they are in ascending order and each is there once.
fn ascending<T: PartialOrd>(items: Vec<T>) -> Option<Vec<T>> {
    items.is_sorted_by(|one, next| one < next).then_some(items)
}

fn write_grants(out: &mut Vec<u8>, grants: &Grants) {
    let Grants { http, dirs, env, net, lookup } = grants;
    write::list(out, http, |out, grant| write::text(out, &grant.to_string()));
    write::list(out, dirs, |out, grant| {
        write::bytes(out, grant.host().as_os_str().as_encoded_bytes());
        write::text(out, grant.guest());
        write::choice(out, &ACCESSES, &grant.access());
    });
    write::list(out, env, |out, grant| {
        write::text(out, grant.name());
        write::text(out, grant.value());
    });
    write::list(out, net, |out, grant| write::text(out, &grant.to_string()));
    write::list(out, lookup, |out, grant| write::text(out, &grant.to_string()));
}

fn read_grants(reader: &mut Reader<'_>) -> Option<Grants> {
    Some(Grants {
        http: reader.list(read_displayed)?,
        dirs: reader.list(read_dir)?,
        env: reader.list(|reader| EnvGrant::new(reader.text()?, reader.text()?).ok())?,
        net: reader.list(read_displayed)?,
        lookup: reader.list(read_displayed)?,
    })
}

/// What is written as its text, and has one text only.
fn read_displayed<T: FromStr + ToString>(reader: &mut Reader<'_>) -> Option<T> {
    let text = reader.text()?;
    text.parse::<T>().ok().filter(|read| read.to_string() == text)
}

fn read_dir(reader: &mut Reader<'_>) -> Option<DirGrant> {
    let (host, guest) = (path(reader.bytes()?)?, reader.text()?);
    let grant = DirGrant::new(host, guest).ok().filter(|grant| grant.guest() == guest)?;
    Some(grant.with_access(reader.choice(&ACCESSES)?))
}

/// A path may be any bytes where the system says so, and otherwise is UTF-8.
fn path(bytes: &[u8]) -> Option<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Some(Path::new(std::ffi::OsStr::from_bytes(bytes)).to_owned())
    }
    #[cfg(not(unix))]
    {
        str::from_utf8(bytes).ok().map(|path| Path::new(path).to_owned())
    }
}

fn write_determinism(out: &mut Vec<u8>, determinism: &Determinism) {
    match determinism.clock {
        Clock::Real => out.push(0),
        Clock::Fixed(instant) => {
            out.push(1);
            write::instant(out, instant);
        }
        Clock::Virtual => out.push(2),
    }
    match determinism.randomness {
        Randomness::Real => out.push(0),
        Randomness::Seeded(seed) => {
            out.push(1);
            write::number(out, seed);
        }
        Randomness::Key => out.push(2),
    }
}

fn read_determinism(reader: &mut Reader<'_>) -> Option<Determinism> {
    let clock = match reader.byte()? {
        0 => Clock::Real,
        1 => Clock::Fixed(reader.instant()?),
        2 => Clock::Virtual,
        _ => return None,
    };
    let randomness = match reader.byte()? {
        0 => Randomness::Real,
        1 => Randomness::Seeded(reader.number()?),
        2 => Randomness::Key,
        _ => return None,
    };
    Some(Determinism { clock, randomness })
}

pub(super) fn write_tags(out: &mut Vec<u8>, tags: &Tags) {
    write::list(out, tags, |out, tag| write::text(out, tag));
}

pub(super) fn read_tags(reader: &mut Reader<'_>) -> Option<Tags> {
    Some(ascending(reader.list(Reader::shared)?)?.into_iter().collect())
}

fn write_flow(out: &mut Vec<u8>, flow: &FlowRun) {
    write::id(out, flow.id());
    let parameters: Vec<_> = flow.parameters().collect();
    write::list(out, &parameters, |out, (name, value)| {
        write::text(out, name);
        write::text(out, value);
    });
}

fn read_flow(reader: &mut Reader<'_>) -> Option<FlowRun> {
    let id = reader.id()?;
    let parameters = reader.list(|reader| Some((reader.shared()?, reader.string()?)))?;
    let names = parameters.is_sorted_by(|(one, _), (next, _)| one < next);
    names.then(|| FlowRun::of_parts(id, parameters))
}

pub(super) fn write_run(out: &mut Vec<u8>, run: &RunSpec) {
    write_task(out, &run.spec);
    write_run_alone(out, run);
}

/// The run without its task's options.
pub(super) fn write_run_alone(out: &mut Vec<u8>, run: &RunSpec) {
    let RunSpec {
        id,
        task,
        spec: _,
        inputs,
        wait_for,
        tags,
        due,
        parent,
        created,
        queue,
        unique,
        debounced,
        schedule,
        trace,
    } = run;
    write::id(out, *id);
    out.extend(task.component.as_bytes());
    write::maybe(out, task.export.interface(), write::text);
    write::text(out, task.export.function());
    write::list(out, inputs, write_input);
    write::list(out, wait_for, |out, wait| {
        let (kind, run) = match wait {
            WaitFor::Completed(run) => (0, run),
            WaitFor::Ended(run) => (1, run),
        };
        out.push(kind);
        write::id(out, *run);
    });
    write_tags(out, tags);
    write::maybe(out, *due, write::instant);
    write::maybe(out, *parent, write::id);
    write::instant(out, *created);
    write::text(out, queue.as_str());
    write::maybe(out, unique.as_ref(), write_unique);
    write::maybe(out, *debounced, write::instant);
    out.push(u8::from(schedule.is_some()) * HAS_SCHEDULE + u8::from(trace.is_some()) * HAS_TRACE);
    if let Some(ScheduleSlot { schedule, slot }) = schedule {
        write::text(out, schedule);
        write::instant(out, *slot);
    }
    if let Some(trace) = trace {
        out.extend(trace.trace());
        out.extend(trace.span());
        out.push(trace.flags());
    }
}

fn write_unique(out: &mut Vec<u8>, Unique { key, mode }: &Unique) {
    write::text(out, key);
    match mode {
        UniqueMode::Existing => out.push(0),
        UniqueMode::Reject => out.push(1),
        UniqueMode::Replace => out.push(2),
        UniqueMode::Debounce { wait, most } => {
            out.push(3);
            write::duration(out, *wait);
            write::duration(out, *most);
        }
    }
}

fn read_unique(reader: &mut Reader<'_>) -> Option<Unique> {
    let key = reader.shared()?;
    let mode = match reader.byte()? {
        0 => UniqueMode::Existing,
        1 => UniqueMode::Reject,
        2 => UniqueMode::Replace,
        3 => UniqueMode::Debounce { wait: reader.duration()?, most: reader.duration()? },
        _ => return None,
    };
    Some(Unique { key, mode })
}

pub(super) fn read_run(reader: &mut Reader<'_>) -> Option<RunSpec> {
    let spec = Arc::new(read_task(reader)?);
    read_run_alone(reader, spec)
}

/// Reads a run that was written without its task's options.
pub(super) fn read_run_alone(reader: &mut Reader<'_>, spec: Arc<TaskSpec>) -> Option<RunSpec> {
    let id = reader.id()?;
    let component = Digest::from_bytes(reader.array()?);
    let export = match (reader.maybe(Reader::text)?, reader.text()?) {
        (Some(interface), function) => ExportPath::in_interface(interface, function),
        (None, function) => ExportPath::top_level(function),
    };
    let mut run = RunSpec {
        id,
        task: TaskKey { component, export },
        spec,
        inputs: reader.list(|reader| read_input(reader, 0))?,
        wait_for: reader.list(|reader| match reader.byte()? {
            0 => reader.id().map(WaitFor::Completed),
            1 => reader.id().map(WaitFor::Ended),
            _ => None,
        })?,
        tags: read_tags(reader)?,
        due: reader.maybe(Reader::instant)?,
        parent: reader.maybe(Reader::id)?,
        created: reader.instant()?,
        queue: QueueName::new(reader.text()?).ok()?,
        unique: reader.maybe(read_unique)?,
        debounced: reader.maybe(Reader::instant)?,
        schedule: None,
        trace: None,
    };
    let parts = reader.byte()?;
    if parts & HAS_SCHEDULE != 0 {
        run.schedule = Some(ScheduleSlot { schedule: reader.shared()?, slot: reader.instant()? });
    }
    if parts & HAS_TRACE != 0 {
        run.trace = Some(read_trace(reader)?);
    }
    (parts <= HAS_SCHEDULE | HAS_TRACE).then_some(run)
}

fn read_trace(reader: &mut Reader<'_>) -> Option<TraceParent> {
    let (trace, span, flags) = (reader.array()?, reader.array()?, reader.byte()?);
    TraceParent::new(trace, span, flags).filter(|read| read.flags() == flags)
}

pub(super) fn write_input(out: &mut Vec<u8>, input: &InputSpec) {
    match input {
        InputSpec::Value(value) => {
            out.push(0);
            outcome::write_value(out, value);
        }
        InputSpec::Result(run) => {
            out.push(1);
            write::id(out, *run);
        }
        InputSpec::Outcome(run) => {
            out.push(2);
            write::id(out, *run);
        }
        InputSpec::Some(payload) => write_payload(out, 3, payload),
        InputSpec::Variant(case, payload) => {
            out.push(4);
            write::text(out, case);
            write_input(out, payload);
        }
        InputSpec::Ok(payload) => write_payload(out, 5, payload),
        InputSpec::Err(payload) => write_payload(out, 6, payload),
        InputSpec::List(items) => {
            out.push(7);
            write::list(out, items, write_input);
        }
        InputSpec::Tuple(items) => {
            out.push(8);
            write::list(out, items, write_input);
        }
        InputSpec::Record(fields) => {
            out.push(9);
            write::list(out, fields, |out, (name, field)| {
                write::text(out, name);
                write_input(out, field);
            });
        }
    }
}

fn write_payload(out: &mut Vec<u8>, kind: u8, payload: &InputSpec) {
    out.push(kind);
    write_input(out, payload);
}

pub(super) fn read_input(reader: &mut Reader<'_>, depth: usize) -> Option<InputSpec> {
    if depth >= InputSpec::MAX_DEPTH {
        return None;
    }
    let inner = |reader: &mut Reader<'_>| read_input(reader, depth + 1);
    let boxed = |reader: &mut Reader<'_>| inner(reader).map(Box::new);
    Some(match reader.byte()? {
        0 => InputSpec::Value(outcome::read_value(reader)?),
        1 => InputSpec::Result(reader.id()?),
        2 => InputSpec::Outcome(reader.id()?),
        3 => InputSpec::Some(boxed(reader)?),
        4 => InputSpec::Variant(reader.shared()?, boxed(reader)?),
        5 => InputSpec::Ok(boxed(reader)?),
        6 => InputSpec::Err(boxed(reader)?),
        7 => InputSpec::List(reader.list(inner)?),
        8 => InputSpec::Tuple(reader.list(inner)?),
        9 => InputSpec::Record(reader.list(|reader| Some((reader.shared()?, inner(reader)?)))?),
        _ => return None,
    })
}
