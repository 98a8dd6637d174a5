//! Which value of an option counts: that of the command line, then of the task's table, of its file's table, of the defaults.

use std::path::Path;

use clap::{Args, Command, FromArgMatches};
use hostel::{Component, Host, TaskSpec, ValueForm, blocking};

use super::Config;
use crate::loaded::Loaded;
use crate::options::task::TaskOptions;

/// A value for each place, from the highest precedence to the lowest.
const VALUES: &[(&str, [&str; 4])] = &[
    ("retries", ["1", "2", "3", "4"]),
    ("retry-delay", ["1s", "1s,2s", "exp:1s", "4s"]),
    ("retry-jitter", ["0.1", "0.2", "0.3", "0.4"]),
    ("retry-on", ["trap", "exit", "limit", "trap,exit"]),
    ("timeout", ["1s", "2s", "3s", "4s"]),
    ("idle-timeout", ["1s", "2s", "3s", "4s"]),
    ("run-timeout", ["1s", "2s", "3s", "4s"]),
    ("max-fuel", ["1", "2", "3", "4"]),
    ("max-memory", ["1MiB", "2MiB", "3MiB", "4MiB"]),
    ("max-log", ["1", "2", "3", "4"]),
    ("max-log-lines", ["1", "2", "3", "4"]),
    ("max-input", ["1", "2", "3", "4"]),
    ("max-result", ["1", "2", "3", "4"]),
    ("max-open-files", ["1", "2", "3", "4"]),
    ("max-written", ["1", "2", "3", "4"]),
    ("max-sockets", ["1", "2", "3", "4"]),
    ("max-network", ["1", "2", "3", "4"]),
    ("max-handles", ["1", "2", "3", "4"]),
    ("max-subtasks", ["1", "2", "3", "4"]),
    ("name", ["1 {a}", "2 {a}", "3 {a}", "4 {a}"]),
    ("tag", ["1", "2", "3", "4"]),
    ("tags", ["1", "2", "3", "4"]),
    ("priority", ["1", "2", "3", "4"]),
    ("version", ["1", "2", "3", "4"]),
    ("description", ["1", "2", "3", "4"]),
    ("http", ["one", "two", "three", "four"]),
    ("net", ["one:1", "two:2", "three:3", "four:4"]),
    ("lookup", ["one", "two", "three", "four"]),
    ("env", ["ONE=1", "TWO=2", "THREE=3", "FOUR=4"]),
    ("dir", ["/::/one", "/::/two", "/::/three", "/::/four"]),
    ("unknown-imports", ["trap", "refuse", "trap", "refuse"]),
    ("deterministic", ["true", "false", "true", "false"]),
    ("clock", ["virtual", "fixed:2026-01-01T00:00:00Z", "real", "virtual"]),
    ("random", ["key", "seed:2", "seed:3", "seed:4"]),
    ("cache", ["none", "inputs", "task-source", "inputs + task-source"]),
    ("cache-expiration", ["1s", "2s", "3s", "4s"]),
    ("refresh-cache", ["true", "true", "true", "true"]),
];

/// Options that only files have, and options that they do not have.
const ONLY_IN_FILES: [&str; 4] = ["tags", "priority", "version", "description"];
const NOT_IN_FILES: [&str; 2] = ["tag", "refresh-cache"];

fn arith() -> Component {
    let host = Host::builder().max_workers(1).build().unwrap();
    blocking::load(&host, hostel_guests::ARITH).unwrap()
}

/// Whether an option can be given in this place.
fn is_possible(name: &str, place: usize) -> bool {
    let is_grant = TaskSpec::key(name).unwrap().is_grant();
    match place {
        0 => !ONLY_IN_FILES.contains(&name),
        1 | 2 => !NOT_IN_FILES.contains(&name),
        _ => !NOT_IN_FILES.contains(&name) && !is_grant,
    }
}

/// The headings of the places in a file, from the highest precedence to the lowest.
fn headings() -> [String; 3] {
    let file = Path::new(hostel_guests::ARITH).display();
    [format!("[tasks.'{file}#add']"), format!("[tasks.'{file}']"), "[defaults]".to_owned()]
}

/// The options on the command line.
fn flags(flags: &[String]) -> TaskOptions {
    let command = TaskOptions::augment_args(Command::new("hostel").no_binary_name(true));
    TaskOptions::from_arg_matches(&command.try_get_matches_from(flags).unwrap()).unwrap()
}

/// The options that count for `add`.
fn merged(component: &Component, on_line: &[String], in_file: &str) -> TaskOptions {
    let task = component.task("add").unwrap();
    let loaded = Loaded::component(component.clone(), hostel_guests::ARITH.into());
    let config = Config::parse(in_file, Path::new("hostel.toml")).unwrap();
    flags(on_line).or(config.of_task(Path::new(hostel_guests::ARITH), &loaded, &task).unwrap())
}

fn flag(name: &str, value: &str) -> Vec<String> {
    let option = format!("--{name}");
    if is_flag(name) { vec![option] } else { vec![option, value.to_owned()] }
}

fn line(name: &str, value: &str) -> String {
    if is_flag(name) { format!("{name} = {value}") } else { format!("{name} = '{value}'") }
}

fn is_flag(name: &str) -> bool {
    TaskSpec::key(name).unwrap().form == ValueForm::Flag
}

#[test]
fn every_option_counts_in_the_place_of_the_highest_precedence() {
    assert!(VALUES.iter().map(|(name, _)| *name).eq(TaskSpec::KEYS.iter().map(|key| key.name)));
    let component = arith();
    for (name, values) in VALUES {
        // Each number says by its bits in which places the option is given.
        for places in 0..16_u32 {
            let given: Vec<_> = (0..4).filter(|place| places & (1 << place) != 0).collect();
            if !given.iter().all(|place| is_possible(name, *place)) {
                continue;
            }
            let on_line = if given.contains(&0) { flag(name, values[0]) } else { Vec::new() };
            let in_file: Vec<_> = given.iter().filter(|place| **place > 0).collect();
            let in_file = in_file
                .into_iter()
                .map(|place| format!("{}\n{}\n", headings()[place - 1], line(name, values[*place])));
            let options = merged(&component, &on_line, &in_file.collect::<String>());
            let found = options.apply(component.task("add").unwrap()).unwrap();

            let adds_up = TaskSpec::key(name).unwrap().repeats || *name == "tags";
            let counts = if adds_up { given.len() } else { given.len().min(1) };
            let set = if *name == "tags" { "tag" } else { name };
            let mut expected = TaskSpec::default();
            expected.set_all(given.iter().take(counts).map(|place| (set, values[*place]))).unwrap();
            assert_eq!(**found.spec(), expected, "{name} in the places {given:?}");
        }
    }
}

#[test]
fn options_that_set_others_take_their_places() {
    let component = arith();
    let [task, file, defaults] = headings();
    let check = |on_line: &[&str], in_file: &str, clock: &str, random: &str| {
        let on_line: Vec<_> = on_line.iter().map(|word| (*word).to_owned()).collect();
        let found = merged(&component, &on_line, in_file).spec().unwrap().determinism;
        assert_eq!([found.clock.to_string(), found.randomness.to_string()], [clock, random], "{in_file}");
    };
    let fixed = "fixed:2026-01-01T00:00:00Z";
    let clock = |heading: &str| format!("{heading}\nclock = '{fixed}'\n");
    let both = |heading: &str, both: bool| format!("{heading}\ndeterministic = {both}\n");
    check(&["--deterministic"], &clock(&task), "virtual", "key");
    check(&["--clock", "real"], &both(&task, true), "real", "key");
    check(&["--deterministic", "--clock", "real"], "", "real", "key");
    check(&[], &format!("{}{}", clock(&task), both(&file, true)), fixed, "key");
    check(&[], &format!("{}{}", both(&task, false), clock(&file)), "real", "real");
    check(
        &["--random", "seed:1"],
        &format!("{}{}", both(&file, true), clock(&defaults)),
        "virtual",
        "seed:1",
    );
}

#[test]
fn a_variable_has_the_value_of_the_highest_precedence() {
    let component = arith();
    let [task, file, _] = headings();
    let in_file = format!("{task}\nenv = ['A=2', 'B=2']\n{file}\nenv = ['A=3', 'B=3', 'C=3']\n");
    let options = merged(&component, &flag("env", "A=1"), &in_file);
    let found = options.apply(component.task("add").unwrap()).unwrap();
    let env: Vec<_> = found.spec().grants.env.iter().map(|env| (env.name(), env.value())).collect();
    assert_eq!(env, [("A", "1"), ("B", "2"), ("C", "3")]);
}

#[test]
fn a_task_can_turn_off_what_the_defaults_turn_on() {
    let component = arith();
    let [task, file, defaults] = headings();
    let log_prints = |in_file: &str| merged(&component, &[], in_file).log_prints();
    assert!(log_prints(""));
    assert!(!log_prints(&format!("{defaults}\nlog-prints = false\n")));
    assert!(log_prints(&format!("{file}\nlog-prints = true\n{defaults}\nlog-prints = false\n")));
    assert!(!log_prints(&format!("{task}\nlog-prints = false\n{file}\nlog-prints = true\n")));
}
