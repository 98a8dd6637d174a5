//! The table of options.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use super::{OptionKey, ValueForm};
use crate::grammar::{self, OptionTextError, Read};
use crate::{Determinism, Grants, Limits, Tags, TaskSpec};

/// The option that sets two others.
pub(super) const DETERMINISTIC: &str = "deterministic";

/// The others.
pub(super) const CLOCK: &str = "clock";
pub(super) const RANDOM: &str = "random";

/// A heading of the help.
struct Section(&'static str);

/// Reads the text of an option into a spec.
type ReadOption = fn(&mut TaskSpec, &str) -> Read<()>;

impl Section {
    const fn option(&self, form: ValueForm, [name, value]: [&'static str; 2], read: ReadOption) -> OptionKey {
        OptionKey { name, value, form, section: self.0, help: "", default: None, repeats: false, read }
    }

    const fn text(&self, name: &'static str, value: &'static str, read: ReadOption) -> OptionKey {
        self.option(ValueForm::Text, [name, value], read)
    }

    const fn number(&self, name: &'static str, value: &'static str, read: ReadOption) -> OptionKey {
        self.option(ValueForm::Number, [name, value], read)
    }

    const fn flag(&self, name: &'static str, read: ReadOption) -> OptionKey {
        self.option(ValueForm::Flag, [name, "BOOL"], read)
    }
}

impl OptionKey {
    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Its value may also be a list.
    const fn list(self) -> Self {
        Self { form: ValueForm::List, ..self }
    }

    /// Each value is added to those before.
    const fn many(self) -> Self {
        Self { repeats: true, ..self }
    }
}

const RETRIES: Section = Section("Retries");
const LIMITS: Section = Section("Limits");
const LABELS: Section = Section("Labels");
const GRANTS: Section = Section("Grants");
const DETERMINISM: Section = Section("Determinism");
const CACHE: Section = Section("Cache");

/// Every option, in the order in which help shows them.
pub(super) const KEYS: &[OptionKey] = &[
    RETRIES
        .number("retries", "N", |spec, text| put(&mut spec.retry.retries, grammar::retries(text)))
        .help("Retry up to N times when an attempt fails")
        .default("0"),
    RETRIES
        .text("retry-delay", "TIME", |spec, text| put(&mut spec.retry.delay, grammar::retry_delay(text)))
        .help(
            "Wait this long before each retry: 1s; 1s,10s (the last one repeats); exp:1s (doubles \
             each time)",
        )
        .list(),
    RETRIES
        .number("retry-jitter", "FACTOR", |spec, text| {
            put(&mut spec.retry.jitter, grammar::retry_jitter(text))
        })
        .help("Vary each wait at random: with 0.3, up to 1.3 times as long")
        .default("0"),
    RETRIES
        .text("retry-on", "KINDS", |spec, text| put(&mut spec.retry.on, parsed(text)))
        .help("Retry only these, joined by commas: error, trap, exit, limit, timeout, crash")
        .default("all but crash")
        .list(),
    LIMITS
        .number("timeout", "TIME", |spec, text| {
            limit(spec, grammar::timeout(text), |limits, time| limits.timeout = Some(time))
        })
        .help("Stop an attempt after this long: 200ms, 1.5s, 2m, 1d"),
    LIMITS
        .number("idle-timeout", "TIME", |spec, text| {
            limit(spec, grammar::timeout(text), |limits, time| limits.idle_timeout = Some(time))
        })
        .help("Stop an attempt that waits for this long without computing"),
    LIMITS
        .number("run-timeout", "TIME", |spec, text| {
            put(&mut spec.run_timeout, grammar::run_timeout(text).map(Some))
        })
        .help("Stop a run after this long, with all its attempts and the waits between them"),
    LIMITS
        .number("max-fuel", "FUEL", |spec, text| {
            limit(spec, grammar::number(text), |limits, fuel| limits.fuel = Some(fuel))
        })
        .help(
            "Stop an attempt when it has used this much fuel, about one unit for each instruction; \
             counting slows it down by a few percent; to measure the fuel of a run, use a large limit \
             and --receipt",
        ),
    LIMITS
        .number("max-memory", "SIZE", |spec, text| {
            limit(spec, grammar::bytes(text), |limits, bytes| limits.memory_bytes = bytes)
        })
        .help("Memory that an attempt may use")
        .default("256MiB"),
    LIMITS
        .number("max-log", "SIZE", |spec, text| {
            limit(spec, grammar::bytes(text), |limits, bytes| limits.log_bytes = bytes)
        })
        .help("Size of a run's log, all its attempts together")
        .default("1MiB"),
    LIMITS
        .number("max-log-lines", "N", |spec, text| {
            limit(spec, grammar::number(text), |limits, lines| limits.log_lines = lines)
        })
        .help("Lines in a run's log, all its attempts together")
        .default("100,000"),
    LIMITS
        .number("max-input", "SIZE", |spec, text| {
            limit(spec, grammar::bytes(text), |limits, bytes| limits.input_bytes = bytes)
        })
        .help("Size of a run's arguments, and of the data that a program reads from a pipe as its stdin")
        .default("256MiB"),
    LIMITS
        .number("max-result", "SIZE", |spec, text| {
            limit(spec, grammar::bytes(text), |limits, bytes| limits.result_bytes = bytes)
        })
        .help("Size of an attempt's result")
        .default("256MiB"),
    LIMITS
        .number("max-open-files", "N", |spec, text| {
            limit(spec, grammar::number(text), |limits, files| limits.open_files = files)
        })
        .help("Files and listings that an attempt may have open at once")
        .default("256"),
    LIMITS
        .number("max-written", "SIZE", |spec, text| {
            limit(spec, grammar::bytes(text), |limits, bytes| limits.written_bytes = bytes)
        })
        .help("Bytes that an attempt may write to files")
        .default("1GiB"),
    LIMITS
        .number("max-sockets", "N", |spec, text| {
            limit(spec, grammar::number(text), |limits, sockets| limits.sockets = sockets)
        })
        .help("Sockets and HTTP requests that an attempt may have open at once")
        .default("64"),
    LIMITS
        .number("max-network", "SIZE", |spec, text| {
            limit(spec, grammar::bytes(text), |limits, bytes| limits.network_bytes = bytes)
        })
        .help("Bytes that an attempt may send and receive over the network")
        .default("1GiB"),
    LIMITS
        .number("max-handles", "N", |spec, text| {
            limit(spec, grammar::number(text), |limits, handles| limits.handles = handles)
        })
        .help("Handles of resources that an attempt may have at once")
        .default("100,000"),
    LIMITS
        .number("max-subtasks", "N", |spec, text| {
            limit(spec, grammar::number(text), |limits, subtasks| limits.subtasks = subtasks)
        })
        .help("Calls of async functions, streams and futures that an attempt may have at once")
        .default("1,000"),
    LABELS
        .text("name", "TEMPLATE", |spec, text| put(&mut spec.name, shared(text)))
        .help("Name each run by its arguments: 'train {dataset.name}'"),
    LABELS
        .text("tag", "TAG", |spec, text| {
            let tags = grammar::tag(text).and_then(|tag| few(spec.tags.with([tag])));
            put(&mut spec.tags, tags)
        })
        .help("Label each run, for limits and reports")
        .many(),
    LABELS
        .text("tags", "TAGS", |spec, text| {
            let tags = text.split(',').filter(|_| !text.is_empty()).map(|tag| grammar::tag(tag.trim()));
            put(&mut spec.tags, tags.collect::<Read<Vec<_>>>().map(Tags::from_iter).and_then(few))
        })
        .help("Label each run with these, joined by commas, and no others")
        .list(),
    LABELS
        .number("priority", "N", |spec, text| put(&mut spec.priority, grammar::priority(text)))
        .help("Start runs of a higher priority first")
        .default("0"),
    LABELS
        .text("version", "TEXT", |spec, text| put(&mut spec.version, shared(text)))
        .help("The version of the task, for people"),
    LABELS
        .text("description", "TEXT", |spec, text| put(&mut spec.description, shared(text)))
        .help("The purpose of the task, for people"),
    GRANTS
        .text("http", "HOST", |spec, text| push(&mut grants(spec).http, parsed(text)))
        .help(
            "Allow outgoing HTTP to this host: HOST, HOST:PORT or HOST:*, or *.DOMAIN for all names \
             below it; http:// or https:// before it allows only that scheme; methods before it, as \
             in 'GET,HEAD HOST', allow only these",
        )
        .many(),
    GRANTS
        .text("net", "HOST:PORT", |spec, text| push(&mut grants(spec).net, parsed(text)))
        .help(
            "Allow TCP and UDP to this destination: HOST:PORT, where HOST is an address, a network \
             such as 10.0.0.0/8, a name, *.DOMAIN or * for any address, and PORT a number or *; \
             tcp:// or udp:// before it allows only that protocol",
        )
        .many(),
    GRANTS
        .text("lookup", "NAME", |spec, text| push(&mut grants(spec).lookup, parsed(text)))
        .help("Allow looking up this name, or *.DOMAIN for all names below it")
        .many(),
    GRANTS
        .text("env", "NAME=VALUE", |spec, text| push(&mut grants(spec).env, parsed(text)))
        .help("Give the guest this environment variable")
        .many(),
    GRANTS
        .text("dir", "DIR", |spec, text| push(&mut grants(spec).dirs, grammar::dir(text)))
        .help(
            "Allow reading this directory: HOST, or HOST::GUEST to give it another name for the \
             guest; :rw at the end also allows writing",
        )
        .many(),
    GRANTS
        .text("unknown-imports", "WHAT", |spec, text| put(&mut spec.unknown_imports, parsed(text)))
        .help(
            "For a component with imports that this host does not provide: refuse it, or trap when \
             the guest calls one",
        )
        .default("refuse"),
    DETERMINISM
        .flag(DETERMINISTIC, |spec, text| {
            let choice = |both| if both { Determinism::DETERMINISTIC } else { Determinism::default() };
            put(&mut spec.determinism, grammar::flag(text).map(choice))
        })
        .help(
            "Make results functions of their inputs, so that they are cached: a virtual clock, and \
             random numbers from the cache key. Not for keys, tokens or unique ids",
        ),
    DETERMINISM
        .text(CLOCK, "CLOCK", |spec, text| put(&mut spec.determinism.clock, parsed(text)))
        .help(
            "The guest's clock: virtual, which only the guest's readings and sleeps move; or \
             fixed:INSTANT, such as fixed:2026-01-01T00:00:00Z",
        )
        .default("real"),
    DETERMINISM
        .text(RANDOM, "SOURCE", |spec, text| put(&mut spec.determinism.randomness, parsed(text)))
        .help(
            "The source of the guest's random numbers: key, which gives each cache key its own; or \
             seed:NUMBER, which gives every run the same",
        )
        .default("real"),
    CACHE
        .text("cache", "POLICY", |spec, text| put(&mut spec.cache, parsed(text)))
        .help(
            "Reuse the results of runs that share these facts: `auto`, only results that are proved \
             to depend on nothing else; `inputs + task-source`; `auto - input:NAME` leaves an input \
             out; `key:\"{NAME}\"` is your own key; `none`",
        )
        .default("auto"),
    CACHE
        .number("cache-expiration", "TIME", |spec, text| {
            put(&mut spec.cache_expiration, grammar::cache_expiration(text).map(Some))
        })
        .help("Use no cached result that is this old: 10s, 12h, 30d")
        .default("use any age"),
    CACHE
        .flag("refresh-cache", |spec, text| put(&mut spec.refresh, grammar::flag(text)))
        .help("Run even if the cache has a result, and store the new one"),
];

fn grants(spec: &mut TaskSpec) -> &mut Grants {
    Arc::make_mut(&mut spec.grants)
}

fn put<T>(place: &mut T, value: Read<T>) -> Read<()> {
    *place = value?;
    Ok(())
}

fn push<T>(list: &mut Vec<T>, value: Read<T>) -> Read<()> {
    list.push(value?);
    Ok(())
}

/// Refuses more tags than a task may have.
fn few(tags: Tags) -> Read<Tags> {
    let most = Tags::MAX;
    if tags.len() <= most {
        return Ok(tags);
    }
    Err(OptionTextError::new(format!("expected at most {most} tags for each task, found {}", tags.len())))
}

/// Sets a limit, unless it is out of its bounds.
fn limit<T>(spec: &mut TaskSpec, value: Read<T>, set: fn(&mut Limits, T)) -> Read<()> {
    let mut limits = spec.limits;
    set(&mut limits, value?);
    limits.validate().map_err(|error| OptionTextError::new(error.expected()))?;
    spec.limits = limits;
    Ok(())
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Read<T> {
    text.parse().map_err(|error: T::Err| OptionTextError::new(error.to_string()))
}

fn shared(text: &str) -> Read<Option<Arc<str>>> {
    Ok(Some(text.into()))
}
