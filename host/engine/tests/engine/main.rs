//! The engine on real guests: what loads, what it says of itself, and how an attempt ends.

#![cfg(test)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test has one variant in mind")]

#[cfg(unix)]
mod apart;
mod bombs;
mod boundary;
mod budget_bombs;
mod compile_cache;
mod context;
mod hooks;
mod http;
mod inspecting;
mod limits;
mod loading;
mod merge_bombs;
mod network;
mod observing;
mod outcomes;
#[cfg(unix)]
mod reading;
mod sandbox;
mod server;
mod stdin;
mod stopping;
mod tiers;
mod type_bombs;
mod values;
#[cfg(unix)]
mod verifying;
mod warm;
#[cfg(unix)]
mod world;
#[cfg(unix)]
mod writing;

use std::sync::{Arc, LazyLock};

use hostel_core::{Arguments, Failure, Limits, LogStream, Observation, Outcome, Receipt, Trap, Value};
use hostel_engine::{AttemptOptions, Attempted, Component, Engine, EngineOptions, Function, LogBook};

/// One engine for all tests of the binary, as in a host.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(EngineOptions::default()).unwrap());

fn load(path: &str) -> Component {
    ENGINE.load_file(path.as_ref()).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn function(path: &str, name: &str) -> Function {
    load(path).function(Some(name)).unwrap_or_else(|error| panic!("{path}#{name}: {error}"))
}

/// What came of an attempt, what it touched and used up, and what the guest printed.
struct Ran {
    outcome: Outcome,
    observation: Observation,
    receipt: Box<Receipt>,
    log: Arc<LogBook>,
}

/// Runs one attempt with arguments in WAVE.
async fn run_as(function: &Function, args: &[&str], options: AttemptOptions) -> Ran {
    let arguments = args.iter().fold(Arguments::new(), |arguments, text| arguments.positional(*text));
    let inputs = function.signature().bind_text(arguments).unwrap();
    let Attempted { outcome, observation, receipt } =
        function.attempt(&inputs, &options.clone().into()).await.unwrap();
    Ran { outcome, observation, receipt, log: options.log }
}

async fn run_with(function: &Function, args: &[&str], limits: Limits) -> Ran {
    run_as(function, args, AttemptOptions::new(limits)).await
}

async fn run(path: &str, name: &str, args: &[&str]) -> Ran {
    run_with(&function(path, name), args, Limits::default()).await
}

impl Ran {
    /// The value, in WAVE.
    fn value(&self) -> String {
        match &self.outcome {
            Outcome::Completed(value) => value.to_wave(),
            other => panic!("expected a value, found {other:?}"),
        }
    }

    /// What a program printed.
    fn stdout(&self) -> &[u8] {
        let Outcome::Completed(Value::Record(fields)) = &self.outcome else { panic!("{:?}", self.outcome) };
        let [(_, Value::Bytes(stdout))] = fields.as_slice() else { panic!("{fields:?}") };
        stdout
    }

    fn failure(&self) -> &Failure {
        match &self.outcome {
            Outcome::Failed(failure) => failure,
            other => panic!("expected a failure, found {other:?}"),
        }
    }

    fn trap(&self) -> &Trap {
        match self.failure() {
            Failure::Trap(trap) => trap,
            other => panic!("expected a trap, found {other:?}"),
        }
    }

    fn printed(&self, stream: LogStream) -> Vec<String> {
        self.log.lines().into_iter().filter(|line| line.stream == stream).map(|line| line.text).collect()
    }
}
