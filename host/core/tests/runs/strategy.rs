//! Random options, runs, schedules, outcomes and facts.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::{
    Amendment, BlobRef, CachePolicy, Clock, Determinism, Digest, DirAccess, DirGrant, EnvGrant, Event,
    ExportPath, Failure, FlowRun, Frame, GrantKind, Grants, HostCall, InputSpec, Limit, LimitKind, Limits,
    Missed, Name, Outcome, Overlap, QueueName, Randomness, Receipt, RetryDelay, RetryOn, RetryPolicy,
    RunFact, RunId, RunSpec, Schedule, ScheduleSlot, StoredOutcome, StoredValue, TaskKey, TaskSpec,
    Timestamp, TraceParent, Trap, Unique, UniqueMode, UnknownImports, UpstreamChain, UpstreamRun, WaitFor,
    When,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn task_spec() -> impl Strategy<Value = TaskSpec> {
    let numbers =
        (limits(), option::of(duration()), retry(), policy(), option::of(duration()), any::<bool>());
    let choices = (grants(), determinism(), any::<bool>(), vec(text(), 0..4), any::<i32>());
    let texts = (option::of(shared()), option::of(shared()), option::of(shared()), option::of(flow()));
    (numbers, choices, texts).prop_map(|(numbers, choices, texts)| {
        let (limits, run_timeout, retry, cache, cache_expiration, refresh) = numbers;
        let (grants, determinism, traps, tags, priority) = choices;
        let (name, version, description, flow) = texts;
        let unknown_imports = if traps { UnknownImports::Trap } else { UnknownImports::Refuse };
        let tags = tags.into_iter().collect();
        TaskSpec {
            limits,
            run_timeout,
            retry,
            cache,
            cache_expiration,
            refresh,
            grants: Arc::new(grants),
            determinism,
            unknown_imports,
            name,
            tags,
            priority,
            version,
            description,
            flow,
        }
    })
}

pub(crate) fn run_spec() -> impl Strategy<Value = RunSpec> {
    let parts = (id(), task(), task_spec(), vec(input(), 0..4), vec(wait_for(), 0..3));
    let more = (vec(text(), 0..3), option::of(instant()), option::of(id()), instant());
    let queued =
        (queue(), option::of(unique()), option::of(instant()), option::of(slot()), option::of(trace()));
    (parts, more, queued).prop_map(|(parts, more, (queue, unique, debounced, schedule, trace))| {
        let ((id, task, spec, inputs, wait_for), (tags, due, parent, created)) = (parts, more);
        let (spec, tags) = (spec.into(), tags.into_iter().collect());
        RunSpec {
            id,
            task,
            spec,
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
        }
    })
}

fn trace() -> impl Strategy<Value = TraceParent> {
    let parts = (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>());
    parts.prop_filter_map("an id is zero", |(trace, span, flags)| TraceParent::new(trace, span, flags))
}

pub(crate) fn schedule() -> impl Strategy<Value = Schedule> {
    let when = prop_oneof![
        (shared(), shared()).prop_map(|(expression, zone)| When::Cron { expression, zone }),
        (duration(), instant()).prop_map(|(interval, anchor)| When::Every { interval, anchor }),
    ];
    let parts = ("[a-z0-9][a-z0-9._-]{0,8}", shared(), task_spec(), vec((name(), stored()), 0..3));
    let policies = (select(Missed::ALL.to_vec()), select(Overlap::ALL.to_vec()), duration(), any::<bool>());
    (parts, vec(text(), 0..3), queue(), when, policies).prop_map(|(parts, tags, queue, when, policies)| {
        let (name, task, spec, arguments) = parts;
        let (missed, overlap, spread, paused) = policies;
        let name = name.parse().expect("it is one");
        Schedule {
            spec: spec.into(),
            arguments,
            tags: tags.into_iter().collect(),
            queue,
            missed,
            overlap,
            spread,
            paused,
            ..Schedule::new(name, task, when)
        }
    })
}

fn queue() -> impl Strategy<Value = QueueName> {
    "[a-z0-9][a-z0-9._-]{0,8}".prop_map(|name| name.parse().expect("a name"))
}

fn unique() -> impl Strategy<Value = Unique> {
    let mode = prop_oneof![
        Just(UniqueMode::Existing),
        Just(UniqueMode::Reject),
        Just(UniqueMode::Replace),
        (duration(), duration()).prop_map(|(wait, most)| UniqueMode::Debounce { wait, most }),
    ];
    (shared(), mode).prop_map(|(key, mode)| Unique { key, mode })
}

fn slot() -> impl Strategy<Value = ScheduleSlot> {
    (shared(), instant()).prop_map(|(schedule, slot)| ScheduleSlot { schedule, slot })
}

pub(crate) fn fact() -> impl Strategy<Value = RunFact> {
    prop_oneof![
        1 => run_spec().prop_map(|run| RunFact::Born(run.into())),
        9 => later_fact(),
    ]
}

/// A fact that is no birth.
pub(crate) fn later_fact() -> impl Strategy<Value = RunFact> {
    let attempt = (outcome(), receipt());
    prop_oneof![
        6 => event().prop_map(RunFact::Event),
        1 => shared().prop_map(RunFact::Named),
        1 => amendment().prop_map(|amendment| RunFact::Amended(amendment.into())),
        2 => attempt.prop_map(|(outcome, receipt)| RunFact::AttemptEnded { outcome, receipt: receipt.into() }),
        1 => (event(), outcome()).prop_map(|(event, outcome)| RunFact::Ended { event, outcome }),
        2 => outcome().prop_map(|outcome| RunFact::Ended { event: usual_event(&outcome), outcome }),
    ]
}

fn amendment() -> impl Strategy<Value = Amendment> {
    let tags = vec(text(), 0..3).prop_map(|tags| tags.into_iter().collect());
    (option::of(any::<i32>()), option::of(instant()), option::of(queue()), option::of(tags))
        .prop_map(|(priority, due, queue, tags)| Amendment { priority, due, queue, tags })
}

/// The event by which a run that executes ends so.
fn usual_event(outcome: &StoredOutcome) -> Event {
    match outcome {
        Outcome::Completed(_) => Event::Completed,
        Outcome::Failed(Failure::TimedOut { .. }) => Event::TimedOut,
        Outcome::Failed(Failure::Upstream { .. }) => Event::UpstreamFailed,
        Outcome::Failed(_) => Event::Failed,
        Outcome::Crashed { .. } => Event::Crashed,
        Outcome::Cancelled => Event::Cancelled,
    }
}

fn event() -> impl Strategy<Value = Event> {
    // Most events follow a start, so that it is twice as likely.
    prop_oneof![
        1 => Just(Event::Started),
        17 => (instant(), id()).prop_flat_map(|(due, producer)| select(Event::each(due, producer).to_vec())),
    ]
}

fn outcome() -> impl Strategy<Value = StoredOutcome> {
    prop_oneof![
        stored().prop_map(Outcome::Completed),
        failure().prop_map(Outcome::Failed),
        text().prop_map(|reason| Outcome::Crashed { reason }),
        Just(Outcome::Cancelled),
    ]
}

fn failure() -> impl Strategy<Value = Failure<StoredValue>> {
    let lines = || vec(text(), 0..3);
    let limit = (select(vec![LimitKind::Memory, LimitKind::Network, LimitKind::HostMemory]), any::<u64>());
    let trap = (text(), vec(frame(), 0..3), lines());
    let runs = vec((id(), shared()).prop_map(|(run, name)| UpstreamRun { run, name }), 1..12);
    prop_oneof![
        stored().prop_map(Failure::Error),
        trap.prop_map(|(message, backtrace, stderr_tail)| {
            Failure::Trap(Trap { message, backtrace, stderr_tail })
        }),
        (any::<i32>(), lines()).prop_map(|(code, stderr_tail)| Failure::Exit { code, stderr_tail }),
        (limit, lines()).prop_map(|((kind, allowed), stderr_tail)| {
            Failure::Limit { limit: Limit { kind, allowed }, stderr_tail }
        }),
        duration().prop_map(|after| Failure::TimedOut { after }),
        (runs, shared()).prop_map(|(runs, cause)| Failure::Upstream { chain: chain(runs, cause) }),
    ]
}

fn chain(runs: Vec<UpstreamRun>, cause: Arc<str>) -> UpstreamChain {
    let mut runs = runs.into_iter();
    let root = UpstreamChain::root(runs.next().expect("there is one"), cause);
    runs.fold(root, |chain, run| chain.followed_by(run))
}

fn frame() -> impl Strategy<Value = Frame> {
    let parts = (option::of(text()), any::<u32>(), option::of(text()));
    parts.prop_map(|(function, index, source)| Frame { function, index, source })
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let numbers = (option::of(any::<u64>()), duration(), any::<[u64; 8]>());
    let counts = (
        vec((select(HostCall::ALL.to_vec()), any::<u32>()), 0..4),
        vec(select(GrantKind::ALL.to_vec()), 0..4),
    );
    (numbers, counts).prop_map(|((fuel, cpu_time, bytes), (calls, denials))| {
        let mut receipt = Receipt::default();
        (receipt.fuel, receipt.cpu_time) = (fuel, cpu_time);
        calls.into_iter().for_each(|(kind, count)| receipt.host_calls.count(kind, count.into()));
        denials.into_iter().for_each(|kind| receipt.denials.count(kind));
        [
            receipt.peak_memory_bytes,
            receipt.input_bytes,
            receipt.result_bytes,
            receipt.log_bytes,
            receipt.read_bytes,
            receipt.written_bytes,
            receipt.received_bytes,
            receipt.sent_bytes,
        ] = bytes;
        receipt
    })
}

fn input() -> impl Strategy<Value = InputSpec> {
    let leaf = prop_oneof![
        stored().prop_map(InputSpec::Value),
        id().prop_map(InputSpec::Result),
        id().prop_map(InputSpec::Outcome),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let payload = || inner.clone().prop_map(Box::new);
        prop_oneof![
            payload().prop_map(InputSpec::Some),
            (name(), payload()).prop_map(|(case, payload)| InputSpec::Variant(case, payload)),
            payload().prop_map(InputSpec::Ok),
            payload().prop_map(InputSpec::Err),
            vec(inner.clone(), 0..3).prop_map(InputSpec::List),
            vec(inner.clone(), 0..3).prop_map(InputSpec::Tuple),
            vec((name(), inner), 0..3).prop_map(InputSpec::Record),
        ]
    })
}

fn stored() -> impl Strategy<Value = StoredValue> {
    let blob = (any::<[u8; 32]>(), any::<u64>());
    prop_oneof![
        vec(any::<u8>(), 0..20).prop_map(|bytes| StoredValue::Bytes(bytes.into())),
        blob.prop_map(|(digest, length)| {
            StoredValue::Blob(BlobRef { digest: Digest::from_bytes(digest), length })
        }),
    ]
}

fn wait_for() -> impl Strategy<Value = WaitFor> {
    prop_oneof![id().prop_map(WaitFor::Completed), id().prop_map(WaitFor::Ended)]
}

fn task() -> impl Strategy<Value = TaskKey> {
    (any::<[u8; 32]>(), option::of(text()), text()).prop_map(|(component, interface, function)| {
        let export = match interface {
            Some(interface) => ExportPath::in_interface(&interface, &function),
            None => ExportPath::top_level(&function),
        };
        TaskKey { component: Digest::from_bytes(component), export }
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let times = (option::of(duration()), option::of(duration()), option::of(any::<u64>()));
    (times, any::<[u64; 3]>()).prop_map(
        |((timeout, idle_timeout, fuel), [memory_bytes, log_lines, sockets])| Limits {
            timeout,
            idle_timeout,
            fuel,
            memory_bytes,
            log_lines,
            sockets,
            ..Limits::default()
        },
    )
}

fn retry() -> impl Strategy<Value = RetryPolicy> {
    let delay = prop_oneof![
        duration().prop_map(RetryDelay::Fixed),
        vec(duration(), 0..4).prop_map(RetryDelay::List),
        duration().prop_map(RetryDelay::Exponential),
    ];
    let on = vec(select(vec![RetryOn::NONE, RetryOn::ERROR, RetryOn::TIMEOUT, RetryOn::CRASH]), 0..4);
    (any::<u32>(), delay, 0.0..10.0_f64, on).prop_map(|(retries, delay, jitter, on)| {
        let on = on.into_iter().fold(RetryOn::NONE, |all, one| all + one);
        RetryPolicy { retries, delay, jitter, on }
    })
}

fn policy() -> impl Strategy<Value = CachePolicy> {
    let facts = vec![
        CachePolicy::NONE,
        CachePolicy::INPUTS,
        CachePolicy::TASK_SOURCE,
        CachePolicy::RUN_ID,
        CachePolicy::FLOW_PARAMETERS,
        CachePolicy::OBSERVED,
    ];
    (vec(select(facts), 0..4), vec(name(), 0..3), option::of(text())).prop_map(|(facts, left_out, key)| {
        let policy = facts.into_iter().fold(CachePolicy::NONE, |all, one| all + one);
        let policy = left_out.into_iter().fold(policy, |policy, name| policy - &*name);
        key.into_iter().fold(policy, |policy, key| policy + CachePolicy::key(&key))
    })
}

fn grants() -> impl Strategy<Value = Grants> {
    let http = select(vec!["example.org", "GET,HEAD https://*.example.org:8443", "http://[::1]:*"]);
    let net = select(vec!["10.0.0.0/8:*", "tcp://db.example.org:5432", "*:53"]);
    let lookup = select(vec!["example.org", "*.example.org"]);
    let env =
        (name(), text()).prop_filter_map("a variable", |(name, value)| EnvGrant::new(&name, &value).ok());
    let dir = ("[a-z:/ ]{1,8}", "[a-z:/ ]{1,8}", any::<bool>()).prop_map(|(host, guest, writable)| {
        let access = if writable { DirAccess::Rw } else { DirAccess::Ro };
        DirGrant::new(host, &guest).expect("neither is empty").with_access(access)
    });
    let parts = (vec(http, 0..3), vec(dir, 0..3), vec(env, 0..3), vec(net, 0..3), vec(lookup, 0..3));
    parts.prop_map(|(http, dirs, env, net, lookup)| Grants {
        http: http.into_iter().map(|text| text.parse().expect("a grant")).collect(),
        dirs,
        env,
        net: net.into_iter().map(|text| text.parse().expect("a grant")).collect(),
        lookup: lookup.into_iter().map(|text| text.parse().expect("a grant")).collect(),
    })
}

fn determinism() -> impl Strategy<Value = Determinism> {
    let clock = prop_oneof![Just(Clock::Real), instant().prop_map(Clock::Fixed), Just(Clock::Virtual)];
    let random =
        prop_oneof![Just(Randomness::Real), any::<u64>().prop_map(Randomness::Seeded), Just(Randomness::Key)];
    (clock, random).prop_map(|(clock, randomness)| Determinism { clock, randomness })
}

fn flow() -> impl Strategy<Value = FlowRun> {
    (id(), vec((name(), text()), 0..3)).prop_map(|(id, parameters)| {
        parameters.into_iter().fold(FlowRun::new(id), |flow, (name, value)| flow.parameter(name, value))
    })
}

fn id() -> impl Strategy<Value = RunId> {
    any::<[u8; 16]>().prop_map(RunId::from_bytes)
}

fn instant() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_unix_nanos)
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..5).prop_map(|text| text.into_iter().collect())
}

fn shared() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Arc::from)
}

fn name() -> impl Strategy<Value = Name> {
    select(vec!["a", "b-c", "x1", "HTTP-get", "none"]).prop_map(Name::from)
}
