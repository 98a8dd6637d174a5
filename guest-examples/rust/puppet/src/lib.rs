//! Does what a script says, and returns what it was answered: so a test can make up tasks that ask the host for anything,
//! in any order, and for one thing depending on what came of another.
//!
//! A script has one command a line. Paths are in the first granted directory, but where a command opens one by itself.

mod changes;
mod files;
mod network;
mod script;

use std::collections::{BTreeSet, HashMap};
use std::env;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasip2::cli::stdin::get_stdin;
use wasip2::clocks::monotonic_clock;
use wasip2::random::{insecure_seed, random};
use wasip2::sockets::{instance_network, ip_name_lookup};

wit_bindgen::generate!({
    path: ["../../../wit"],
    inline: "
        package hostel:examples@0.1.0;

        world puppet {
            import hostel:task/context@0.1.0;

            /// Carries out a script, and returns the answer to each of its commands; a command that is not understood
            /// ends it.
            export play: func(script: string) -> result<list<string>, string>;
        }
    ",
    generate_all,
});

use hostel::task::context;

use crate::files::Files;
use crate::script::Command;

struct Puppet;

impl Guest for Puppet {
    fn play(script: String) -> Result<Vec<String>, String> {
        let mut files = Files::default();
        let mut answers: Vec<String> = Vec::new();
        for line in script.lines() {
            let last = answers.last().map(String::as_str).unwrap_or_default();
            if let Some(command) = script::command(line, last)? {
                answers.push(answer(command, &mut files));
            }
        }
        Ok(answers)
    }
}

export!(Puppet);

fn answer(command: Command<'_>, files: &mut Files) -> String {
    match command {
        Command::Now => unix_nanos().to_string(),
        Command::Ticks => monotonic_clock::now().to_string(),
        Command::Random => random::get_random_u64().to_string(),
        Command::Seed => format!("{:?}", insecure_seed::insecure_seed()),
        Command::Order(words) => in_hash_order(words),
        Command::Sleep(ms) => {
            sleep(Duration::from_millis(ms));
            "slept".to_owned()
        }
        Command::Environment => format!("{:?}", env::vars().collect::<Vec<_>>()),
        Command::Input => format!("{:?}", get_stdin().blocking_read(64).map_err(|_| "ended")),
        Command::LookUp(name) => {
            let answer = ip_name_lookup::resolve_addresses(&instance_network::instance_network(), name);
            format!("{:?}", answer.map(|_| "found"))
        }
        Command::Grow(pages) => (core::arch::wasm32::memory_grow(0, pages) != usize::MAX).to_string(),
        Command::Run => context::run_id(),
        Command::Attempt => context::attempt().to_string(),
        Command::Task => context::task_name(),
        Command::Print(text) => {
            println!("{text}");
            "printed".to_owned()
        }
        Command::Files(question) => files.answer(question),
        Command::Repeat(times, command) => {
            let answers = (0..times).filter_map(|_| Some(answer(script::command(command, "").ok()??, files)));
            answers.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" | ")
        }
        Command::Network(question) => network::answer(question),
    }
}

/// Stays a function of its own, so that it has a name.
#[inline(never)]
fn unix_nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

fn in_hash_order(words: &str) -> String {
    let words: HashMap<_, _> = words.split(' ').zip(0..).collect();
    words.into_keys().collect::<Vec<_>>().join(" ")
}
