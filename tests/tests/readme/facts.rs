//! Facts in the README and in `docs/` outside of programs: limits, commands, links.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cargo_metadata::{Metadata, MetadataCommand, TargetKind};
use hostel::{Event, LimitKind, Limits, RunId, State, Timestamp, bytes_text};

use crate::{LIMITS, README, TUTORIAL};

const POWER: u64 = 1_000_000_000_000_000_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn workspace() -> Metadata {
    MetadataCommand::new().current_dir(root()).no_deps().exec().unwrap()
}

/// The first two cells after the first of a table's row.
fn row(name: &str) -> (&'static str, &'static str) {
    let row = LIMITS.lines().find_map(|line| line.strip_prefix(&format!("| {name} | ")));
    let mut cells = row.unwrap_or_else(|| panic!("docs/limits.md has no row for {name}")).split(" | ");
    (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
}

/// A number with its thousands apart.
fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap());
    groups.collect::<Vec<_>>().join(",")
}

/// A limit as the documentation writes it.
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
                let row = LIMITS
                    .lines()
                    .find(|line| line.starts_with("| ") && line.contains(&format!("| `--{option}`")));
                let row = row.unwrap_or_else(|| panic!("docs/limits.md has no row for --{option}"));
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
    let words: Vec<&str> = README.split_whitespace().chain(TUTORIAL.split_whitespace()).collect();
    let after = |option: &str| -> Vec<&str> {
        words.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1].trim_end_matches('`')).collect()
    };
    let examples = after("--example");
    assert!(!examples.is_empty());
    for example in examples {
        let mut targets = workspace.packages.iter().flat_map(|package| &package.targets);
        let exists =
            targets.any(|target| target.name == example && target.kind.contains(&TargetKind::Example));
        assert!(exists, "the documentation names the example {example}, and no package has it");
    }
    for path in after("--path") {
        let manifest = root().join(path).join("Cargo.toml").canonicalize().unwrap();
        let package =
            workspace.packages.iter().find(|package| package.manifest_path.as_std_path() == manifest);
        let installs =
            package.is_some_and(|package| package.targets.iter().any(|target| target.name == "hostel"));
        assert!(installs, "the documentation installs `hostel` from {path}, which has no such program");
    }
}

/// The pages whose links are checked: those at the root, the guests' and all in `docs/`.
fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let others = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "guest-examples/README.md"];
    docs.chain(others.map(|path| root().join(path))).collect()
}

/// The targets of a page's links, except those elsewhere on the web.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://"))
}

/// What GitHub makes of a heading: lower case, `-` for blanks, no other marks.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim_start())).any(|found| found == wanted)
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            assert!(target.exists(), "{} links to {link}, which is not there", page.display());
            assert!(
                fragment.is_empty() || has_anchor(&std::fs::read_to_string(&target).unwrap(), fragment),
                "{} links to {link}, which has no such heading",
                page.display()
            );
        }
    }
}

#[test]
fn every_page_is_in_the_index() {
    let index = std::fs::read_to_string(root().join("docs/README.md")).unwrap();
    for page in pages().into_iter().filter(|page| page.parent() == Some(&root().join("docs"))) {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(
            name == "README.md" || index.contains(&format!("]({name})")),
            "docs/README.md does not list {name}"
        );
    }
}

#[test]
fn headings_have_anchors() {
    assert_eq!(anchor("`hostel.toml`"), "hosteltoml");
    assert_eq!(anchor("Who may use the data directory"), "who-may-use-the-data-directory");
    assert!(has_anchor("# A\n\n## What it does\n", "what-it-does"));
    assert!(!has_anchor("What it does\n", "what-it-does"));
    assert_eq!(links("[a](b.md#c) [d](https://e) [f](#g)").collect::<Vec<_>>(), ["b.md#c", "#g"]);
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
        Event::RetryRequested,
        Event::Postponed,
    ];
    for state in State::ALL {
        let next = events.iter().filter_map(|event| Some(format!("{event} → {}", state.apply(*event).ok()?)));
        let next = next.collect::<Vec<_>>().join(", ");
        let row = format!("| {state} | {:?} | {next} |", state.state_type()).replace("|  |", "| |");
        assert!(runs.contains(&row), "docs/runs.md lacks the row\n{row}");
    }
}
