//! What the README says that is not a program: limits, commands, links.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cargo_metadata::{Metadata, MetadataCommand, TargetKind};
use hostel::{Event, LimitKind, Limits, RunId, State, Timestamp, bytes_text};

use crate::README;

const POWER: u64 = 1_000_000_000_000_000_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn workspace() -> Metadata {
    MetadataCommand::new().current_dir(root()).no_deps().exec().unwrap()
}

/// The first two cells after the first of a table's row.
fn row(name: &str) -> (&'static str, &'static str) {
    let row = README.lines().find_map(|line| line.strip_prefix(&format!("| {name} | ")));
    let mut cells = row.unwrap_or_else(|| panic!("README.md has no row for {name}")).split(" | ");
    (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
}

/// A number with its thousands apart.
fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap());
    groups.collect::<Vec<_>>().join(",")
}

/// A limit as the README writes it.
fn limit_text(kind: LimitKind, limits: &Limits) -> String {
    let Some(value) = kind.of(limits) else { return "none".to_owned() };
    let is = |kinds: &[LimitKind]| kinds.contains(&kind);
    if is(&[LimitKind::Timeout, LimitKind::IdleTimeout]) {
        return format!("{} days", Duration::from_nanos(value).as_secs() / (24 * 60 * 60));
    }
    let bytes = [
        LimitKind::Memory,
        LimitKind::Log,
        LimitKind::Input,
        LimitKind::Result,
        LimitKind::Written,
        LimitKind::Network,
    ];
    match value {
        _ if is(&bytes) => bytes_text(value),
        POWER => "10¹⁸".to_owned(),
        _ => count_text(value),
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    for kind in LimitKind::ALL {
        let (name, cells) = match kind.option() {
            Some(option) => {
                let row = README
                    .lines()
                    .find(|line| line.starts_with("| ") && line.contains(&format!("| `--{option}`")));
                let row = row.unwrap_or_else(|| panic!("README.md has no row for --{option}"));
                let cells: Vec<_> = row.split(" | ").skip(1).take(2).collect();
                (option, (cells[0], cells[1]))
            }
            None if kind == LimitKind::Instances => ("instances", row("core instances")),
            None => (kind.name(), row(kind.name())),
        };
        let expected = (limit_text(kind, &Limits::default()), limit_text(kind, &Limits::MAX));
        assert_eq!(cells, (&*expected.0, &*expected.1), "{name}");
    }
}

#[test]
fn the_examples_and_packages_it_names_exist() {
    let workspace = workspace();
    let words: Vec<&str> = README.split_whitespace().collect();
    let after = |option: &str| -> Vec<&str> {
        words.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1].trim_end_matches('`')).collect()
    };
    let examples = after("--example");
    assert!(!examples.is_empty());
    for example in examples {
        let mut targets = workspace.packages.iter().flat_map(|package| &package.targets);
        let exists =
            targets.any(|target| target.name == example && target.kind.contains(&TargetKind::Example));
        assert!(exists, "README.md names the example {example}, and no package has it");
    }
    for path in after("--path") {
        let manifest = root().join(path).join("Cargo.toml").canonicalize().unwrap();
        let package =
            workspace.packages.iter().find(|package| package.manifest_path.as_std_path() == manifest);
        let installs =
            package.is_some_and(|package| package.targets.iter().any(|target| target.name == "hostel"));
        assert!(installs, "README.md installs `hostel` from {path}, which has no such program");
    }
}

#[test]
fn its_links_lead_somewhere() {
    let targets =
        README.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    for target in targets.filter(|target| !target.starts_with('#') && !target.contains("://")) {
        assert!(root().join(target).exists(), "README.md links to {target}, which is not there");
    }
}

#[test]
fn the_toolchain_it_asks_for_is_the_one_the_workspace_needs() {
    let version = workspace().packages.iter().find_map(|package| package.rust_version.clone()).unwrap();
    let (major, minor) = (version.major, version.minor);
    assert!(
        README.contains(&format!("Rust toolchain ({major}.{minor} or later)")),
        "README.md names Rust {major}.{minor}"
    );
}

#[test]
fn the_table_of_states_is_that_of_the_code() {
    let runs = std::fs::read_to_string(root().join("docs/runs.md")).unwrap();
    let events = [
        Event::CameDue,
        Event::SlotAwaited,
        Event::SlotGranted,
        Event::Started,
        Event::RetryPlanned { due: Timestamp::from_unix_nanos(0) },
        Event::CancelRequested,
        Event::Completed,
        Event::CacheHit { producer: RunId::from_bytes([0; 16]) },
        Event::Failed,
        Event::TimedOut,
        Event::UpstreamFailed,
        Event::Crashed,
        Event::Rescued,
        Event::Cancelled,
        Event::RolledBack,
    ];
    for state in State::ALL {
        let next = events.iter().filter_map(|event| Some(format!("{event} → {}", state.apply(*event).ok()?)));
        let next = next.collect::<Vec<_>>().join(", ");
        let row = format!("| {state} | {:?} | {next} |", state.state_type()).replace("|  |", "| |");
        assert!(runs.contains(&row), "docs/runs.md lacks the row\n{row}");
    }
}
