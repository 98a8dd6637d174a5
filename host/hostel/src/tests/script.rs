//! The language of cases: one command per line.
//!
//! Set-up, before anything is submitted: `workers N`, `queue N`, `live N`, `memory BYTES`, `limit TAG N`, `rate TAG N/SECONDS`.
//!
//! - `a = f "PLAN" OPTIONS` submits a run named `a`; `g`, `h` and `l` take a second argument: a number or run for `g`,
//!   the outcome of a run for `h`, runs and numbers separated by commas for `l`. See [`super::attempts`] for plans.
//!   Options: `retries=N`, `delay=S[,S…]`, `retry-on=all|none|KINDS`, `retry-if=no`, `run-timeout=S`, `priority=N`,
//!   `tags=T,…`, `cache=POLICY`, `refresh`, `expires=S`, `wait=RUN,…`, `wait-any=RUN,…`, `in=TRANSACTION`, `hooks`,
//!   `inputs-at-most=BYTES`.
//! - `rest` makes all moves that are possible now; `at S` advances the clock to S. A script ends with an implicit
//!   `rest`.
//! - `step N` makes only N moves. `cancel RUN…` cancels, `watch RUN` adds a callback, `count` prints how many attempts
//!   began, and how many executed at once. `report RUN` prints the cache report and the receipt of the run.
//! - `begin T [lazy|eager|off] [key=KEY] [in=T]`, `commit T`, `rollback T`, `drop T`, `set T NAME N`.
//! - `shutdown wait|pending|all`, `first RUN…` waits for the first that fails, `forget RUN N` waits and gives up N
//!   times.

use std::collections::HashMap;
use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use hostel_core::{CachePolicy, Limits, Outcome, RetryDelay, RetryOn, State};

use super::{Setting, Sim, Watched};
use crate::args::Args;
use crate::cache::LookUp;
use crate::group::CommitMode;
use crate::host_state::HostState;
use crate::run::{Input, TaskFuture, allow_failure};
use crate::runner::{RateLimit, TagLimit};
use crate::task::Task;
use crate::transaction::{Transaction, TransactionBuilder};
use crate::wait::{ReturnWhen, as_completed, wait};

/// Runs a script, and returns its result.
pub(super) fn play(script: &str) -> String {
    let mut setting = Setting::default();
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next_if(|line| set_up(&mut setting, line)) {
        let _ = line;
    }
    let mut play = Play::new(&setting);
    lines.for_each(|line| play.command(line));
    play.finish()
}

fn set_up(setting: &mut Setting, line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    match words.as_slice() {
        ["workers", number] => setting.workers = parsed(number),
        ["queue", number] => setting.queue = parsed(number),
        ["live", number] => setting.live = parsed(number),
        ["memory", number] => setting.memory_cache_bytes = parsed(number),
        ["limit", tag, number] => limit(setting, tag).concurrency = Some(parsed(number)),
        ["rate", tag, rate] => {
            let (runs, per) = rate.split_once('/').unwrap_or_else(|| panic!("no rate: {rate:?}"));
            limit(setting, tag).rate = Some(RateLimit { runs: parsed(runs), per: seconds(per) });
        }
        _ => return false,
    }
    true
}

fn limit<'a>(setting: &'a mut Setting, tag: &str) -> &'a mut TagLimit {
    setting.limits.entry(tag.into()).or_default()
}

struct Play {
    sim: Sim,
    /// The names of the runs, in the order of submission.
    order: Vec<String>,
    transactions: HashMap<String, Transaction>,
    output: String,
}

impl Play {
    fn new(setting: &Setting) -> Self {
        Self {
            sim: Sim::new(setting),
            order: Vec::new(),
            transactions: HashMap::new(),
            output: String::new(),
        }
    }

    fn print(&mut self, text: impl std::fmt::Display) {
        writeln!(self.output, "> {text}").expect("text");
    }

    fn command(&mut self, line: &str) {
        if let Some((name, submission)) = line.split_once(" = ") {
            return self.submit(name, submission);
        }
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["rest"] => self.sim.rest(),
            ["at", time] => self.sim.pass_until(seconds(time)),
            ["step", moves] => (0..parsed(moves)).for_each(|_: usize| _ = self.sim.move_once()),
            ["cancel", runs @ ..] => runs.iter().for_each(|run| self.cancel(run)),
            ["watch", run] => self.watch(run),
            ["count"] => {
                let (begun, at_once) = self.sim.scripted.counts();
                self.print(format!("{begun} attempts, {at_once} at once"));
            }
            ["report", run] => self.report(run),
            ["begin", name, options @ ..] => self.begin(name, options),
            ["commit", name] => self.commit(name),
            ["rollback", name] => self.rollback(name),
            ["drop", name] => drop(self.transactions.remove(*name)),
            ["set", name, key, number] => {
                self.transactions[*name].values().set(*key, parsed::<i64>(number));
            }
            ["shutdown", how] => self.shut_down(how),
            ["first", runs @ ..] => self.first(runs),
            ["forget", run, times] => self.forget(run, parsed(times)),
            ["followers", run] => {
                let followers = self.run(run).run().cell().followers.len();
                self.print(format!("{run} has {followers} followers"));
            }
            ["drop-waiter", runs @ ..] => {
                let ended = as_completed(runs.iter().map(|run| self.run(run)));
                drop(ended);
            }
            _ => panic!("unknown command {line:?}"),
        }
    }

    fn run(&self, name: &str) -> TaskFuture {
        let run = self.sim.runs.get(name).unwrap_or_else(|| panic!("no run {name:?}"));
        run.future.clone()
    }

    fn submit(&mut self, name: &str, submission: &str) {
        let (function, rest) = submission.split_once(' ').expect("a function and a plan");
        let (plan, options) = rest.trim_start_matches('"').split_once('"').expect("a plan");
        let mut options: Vec<_> = options.split_whitespace().collect();
        let mut args = Args::new().positional(plan);
        if function != "f" {
            let second = options.remove(0);
            args = args.positional(self.second(function, second));
        }
        let mut task = self.sim.task(function).cache(CachePolicy::NONE);
        for option in options {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            (task, args) = self.option(task, args, key, value);
        }
        match task.try_submit(args) {
            Ok(future) => {
                self.order.push(name.to_owned());
                self.sim.runs.insert(name.to_owned(), Watched { future, seen: Vec::new() });
                self.sim.look();
            }
            Err(error) => self.print(format!("{name}: {error}")),
        }
    }

    /// The second argument of a function.
    fn second(&self, function: &str, text: &str) -> Input {
        let one = |text: &str| match text.parse::<i64>() {
            Ok(number) => Input::value(number),
            Err(_) => Input::from(&self.run(text)),
        };
        match function {
            "g" => one(text),
            "h" => allow_failure(&self.run(text)),
            "l" => Input::list(text.split(',').map(one)),
            _ => panic!("no function {function:?}"),
        }
    }

    fn option(&self, task: Task, args: Args, key: &str, value: &str) -> (Task, Args) {
        let runs = || value.split(',').map(|name| self.run(name)).collect::<Vec<_>>();
        let task = match key {
            "retries" => task.retries(parsed(value)),
            "delay" => task.retry_delay(RetryDelay::from(value.split(',').map(seconds).collect::<Vec<_>>())),
            "retry-on" => task.retry_on(value.parse::<RetryOn>().unwrap_or_else(|error| panic!("{error}"))),
            "retry-if" => task.retry_if(|_| false),
            "run-timeout" => task.run_timeout(seconds(value)),
            "priority" => task.priority(parsed(value)),
            "tags" => task.tags(value.split(',')),
            "cache" => task.cache(value.parse().unwrap_or_else(|error| panic!("{error}"))),
            "refresh" => task.refresh_cache(true),
            "expires" => task.cache_expiration(seconds(value)),
            "inputs-at-most" => task.limits(Limits { input_bytes: parsed(value), ..Limits::default() }),
            "in" => task.within(&self.transactions[value]),
            "hooks" => self.hooked(task),
            "wait" => return (task, args.wait_for(runs().iter())),
            "wait-any" => return (task, args.wait_for_any_outcome(runs().iter())),
            _ => panic!("unknown option {key:?}"),
        };
        (task, args)
    }

    /// The task with a hook of each kind.
    fn hooked(&self, task: Task) -> Task {
        let note = |what: &'static str| {
            let notes = Arc::clone(&self.sim.notes);
            move |run: &TaskFuture, state: State| {
                let _ = run;
                notes.lock().expect("notes").push(format!("{what} {state}"));
            }
        };
        let (committed, rolled_back) = (Arc::clone(&self.sim.notes), Arc::clone(&self.sim.notes));
        task.on_running(note("running"))
            .on_completion(note("completion"))
            .on_failure(note("failure"))
            .on_cancellation(note("cancellation"))
            .on_crashed(note("crashed"))
            .on_commit(move |run, _| committed.lock().expect("notes").push(format!("commit {}", value(run))))
            .on_rollback(move |run, values| {
                let left =
                    values.get("note").map(|left| format!(" with {}", left.to_wave())).unwrap_or_default();
                rolled_back.lock().expect("notes").push(format!("rollback {}{left}", value(run)));
            })
    }

    fn cancel(&mut self, name: &str) {
        let accepted = self.run(name).cancel();
        self.sim.look();
        self.print(format!("cancel {name}: {accepted}"));
    }

    fn watch(&mut self, name: &str) {
        let (notes, named) = (Arc::clone(&self.sim.notes), name.to_owned());
        self.run(name).add_done_callback(move |run| {
            notes.lock().expect("notes").push(format!("{named} done {}", run.state()));
        });
    }

    fn report(&mut self, name: &str) {
        let run = self.run(name);
        let report = run.cache_report();
        let (attempts, used) = (run.attempts().len(), run.receipt().read_bytes);
        let kept = report.kept.to_string();
        self.print(format!(
            "report {name}: {}, {kept}; {attempts} attempts read {used} bytes",
            looked(&report.look_up)
        ));
    }

    fn begin(&mut self, name: &str, options: &[&str]) {
        let host = Arc::clone(&self.sim.host);
        let builder = |host: Arc<HostState>| TransactionBuilder::new(host, None);
        let mut transaction = match options.iter().find_map(|option| option.strip_prefix("in=")) {
            Some(parent) => self.transactions[parent].nested(),
            None => builder(host),
        };
        for option in options {
            transaction = match *option {
                "lazy" => transaction.mode(CommitMode::Lazy),
                "eager" => transaction.mode(CommitMode::Eager),
                "off" => transaction.mode(CommitMode::Off),
                option => match option.strip_prefix("key=") {
                    Some(key) => transaction.key(key),
                    None => transaction,
                },
            };
        }
        self.transactions.insert(name.to_owned(), transaction.begin());
    }

    fn commit(&mut self, name: &str) {
        let transaction = self.transactions.remove(name).expect("a transaction");
        let result = match self.sim.until(transaction.commit()) {
            Some(Ok(report)) => format!("committed, {} failures", report.failures.len()),
            Some(Err(error)) => {
                error.to_string().split(", because run").next().unwrap_or_default().to_owned()
            }
            None => "not ready".to_owned(),
        };
        self.transactions.insert(name.to_owned(), transaction);
        self.print(format!("commit {name}: {result}"));
    }

    fn rollback(&mut self, name: &str) {
        let transaction = self.transactions.remove(name).expect("a transaction");
        let result = match self.sim.until(transaction.rollback()) {
            Some(report) => format!("rolled back, {} failures", report.failures.len()),
            None => "not ready".to_owned(),
        };
        self.transactions.insert(name.to_owned(), transaction);
        self.print(format!("rollback {name}: {result}"));
    }

    fn shut_down(&mut self, how: &str) {
        let scheduler = Arc::clone(&self.sim.host.scheduler);
        scheduler.close();
        if how != "wait" {
            scheduler.cancel_pending();
        }
        if how == "all" {
            scheduler.cancel_live();
        }
        self.sim.look();
        let drained = self.sim.until(scheduler.drained()).is_some();
        self.print(format!("shutdown {how}: {}", if drained { "drained" } else { "waits" }));
    }

    /// Waits until the first of the runs fails, or all have ended.
    fn first(&mut self, runs: &[&str]) {
        let futures: Vec<_> = runs.iter().map(|run| self.run(run)).collect();
        let waited = self.sim.until(wait(&futures, ReturnWhen::FirstException, None));
        let result = waited.map_or_else(
            || "waits".to_owned(),
            |(done, _)| {
                let done = runs.iter().zip(&futures).filter(|(_, future)| done.contains(future));
                done.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
            },
        );
        self.print(format!("first: {result}"));
    }

    /// Begins to wait for a run, and gives up, many times.
    fn forget(&mut self, name: &str, times: usize) {
        let run = self.run(name);
        for _ in 0..times {
            let mut outcome = pin!(run.outcome());
            let mut context = Context::from_waker(Waker::noop());
            assert!(outcome.as_mut().poll(&mut context).is_pending());
        }
    }

    fn finish(mut self) -> String {
        self.sim.rest();
        let mut text = std::mem::take(&mut self.output);
        for name in &self.order {
            let run = &self.sim.runs[name];
            let states = run.seen.iter().map(|(state, at)| format!("{state} {}", at.as_secs_f64()));
            let states = states.collect::<Vec<_>>().join(", ");
            writeln!(text, "{name}: {states}{}", ending(&run.future)).expect("text");
        }
        let notes = self.sim.notes.lock().expect("notes").join(", ");
        if !notes.is_empty() {
            writeln!(text, "notes: {notes}").expect("text");
        }
        text
    }
}

fn ending(run: &TaskFuture) -> String {
    match run.try_outcome().as_deref() {
        Some(Outcome::Completed(value)) => format!(" = {}", value.to_wave()),
        Some(Outcome::Failed(failure)) => format!(", {}", without_ids(&failure.to_string())),
        Some(Outcome::Crashed { reason }) => format!(", {reason}"),
        Some(Outcome::Cancelled) | None => String::new(),
    }
}

fn looked(look_up: &LookUp) -> &'static str {
    match look_up {
        LookUp::Pending => "not looked up",
        LookUp::Off => "off",
        LookUp::Refresh => "refresh",
        LookUp::Hit(_) => "hit",
        LookUp::Miss(_) => "miss",
    }
}

/// The text without the ends of ids, which differ each time: `f-3c1` becomes `f-…`.
fn without_ids(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once('-') {
        Some((function @ ("f" | "g" | "h" | "l"), id)) => {
            format!("{function}-…{}", if id.ends_with(',') { "," } else { "" })
        }
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn value(run: &TaskFuture) -> String {
    ending(run).trim_start_matches(" = ").to_owned()
}

fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("expected a number, found {text:?}"))
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(parsed(text))
}
