//! Every kind of error has an exit code, every exit code is documented, and every subcommand's help is recorded.

use std::collections::BTreeSet;
use std::process::Command;

use crate::tokens::{self, Token};
use crate::tree::{Source, files, keep, read};

const KINDS: &str = "host/core/src/error_kind.rs";
const EXITS: &str = "host/cli/src/exit.rs";
const COMMANDS: &str = "host/cli/src/commands";

/// The variants of the first enum in a file.
fn variants(source: &Source) -> Vec<String> {
    let from_enum = source.code.iter().skip_while(|token| token.text != "enum");
    let body: Vec<_> = from_enum.skip_while(|token| token.text != "{").cloned().collect();
    let variants = tokens::parts(tokens::inside(&body)).into_iter();
    variants
        .filter_map(|variant| tokens::without_attributes(variant).first())
        .map(|name| name.text.clone())
        .collect()
}

/// The numbers that arms of matches give: `=> 130`.
fn codes(source: &Source) -> BTreeSet<u8> {
    let arms = source.code.windows(3).filter(|arm| tokens::is(arm, &["=", ">"]));
    arms.filter_map(|arm| arm.last()).filter_map(|Token { text, .. }| text.parse().ok()).collect()
}

/// The codes in the table of a help text.
fn codes_in_help(help: &str) -> BTreeSet<u8> {
    let table = help.lines().skip_while(|line| *line != "Exit codes:").skip(1);
    table.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// The codes in the table of the documentation: rows that begin with a number.
fn codes_in_docs(text: &str) -> BTreeSet<u8> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    cells.filter_map(|(code, _)| code.parse().ok()).collect()
}

fn codes_of_the_command() -> BTreeSet<u8> {
    let codes = codes(&Source::new(EXITS, &read(EXITS)));
    assert!(
        codes.contains(&0) && codes.contains(&130),
        "{EXITS} gives the codes {codes:?}: has the match moved?"
    );
    codes
}

#[test]
fn every_kind_of_error_has_an_exit_code() {
    let kinds = variants(&Source::new(KINDS, &read(KINDS)));
    assert!(kinds.len() > 5, "{KINDS} has the kinds {kinds:?}: has the enum moved?");
    let exits = Source::new(EXITS, &read(EXITS)).paths();
    let unnamed =
        kinds.iter().filter(|kind| !exits.iter().any(|path| path.names(&format!("ErrorKind::{kind}"))));
    let complaints: Vec<_> = unnamed.map(|kind| format!("{EXITS} does not name ErrorKind::{kind}")).collect();
    keep(&complaints, "Write an arm for it, without `_`: which exit code is right, is a decision.");
}

#[test]
fn the_help_documents_every_exit_code() {
    let help = Command::new(env!("CARGO_BIN_EXE_hostel-under-test"))
        .arg("--help")
        .output()
        .expect("the command runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert_eq!(
        codes_in_help(&help),
        codes_of_the_command(),
        "`hostel --help` lists the exit codes of {EXITS}\n{help}"
    );
}

#[test]
fn the_documentation_has_every_exit_code() {
    assert_eq!(
        codes_in_docs(&read("docs/command-line.md")),
        codes_of_the_command(),
        "docs/command-line.md lists the exit codes of {EXITS}"
    );
}

#[test]
fn the_help_of_every_subcommand_is_recorded() {
    let snapshots = files(".snap").into_iter().filter(|path| path.starts_with("host/cli/"));
    let snapshots: Vec<_> = snapshots.map(|path| read(&path)).collect();
    let names: Vec<_> = files(".rs").iter().filter_map(|path| command(path)).collect();
    assert!(names.iter().any(|name| name.contains(' ')), "{names:?}: no subcommand of a subcommand?");
    let names = names.into_iter().filter(|name| !is_recorded(name, &snapshots));
    let complaints: Vec<_> = names.map(|name| format!("hostel {name}")).collect();
    keep(
        &complaints,
        "Add a snapshot of `hostel NAME --help` to the tests in host/cli, and read it as a stranger would.",
    );
}

/// The subcommand that a file is for: `cache ls` for `cache/ls.rs`, `cache` for `cache/mod.rs`, `schedule run-now` for
/// `schedule/run_now.rs`.
fn command(path: &str) -> Option<String> {
    let name = path.strip_prefix(COMMANDS)?.strip_prefix('/')?.strip_suffix(".rs")?;
    let name = if name == "mod" { None } else { Some(name.strip_suffix("/mod").unwrap_or(name)) };
    name.map(|name| name.replace('/', " ").replace('_', "-"))
}

fn is_recorded(name: &str, snapshots: &[String]) -> bool {
    let usage = format!("Usage: hostel {name}");
    snapshots.iter().any(|snapshot| {
        snapshot.lines().any(|line| {
            line.strip_prefix(&usage).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    })
}

#[test]
fn gaps_are_noticed() {
    let source = |text: &str| Source::new("host/core/src/a.rs", text);
    let kinds =
        variants(&source("#[derive(Debug)] pub enum Kind { /** Doc. */ A, #[x] B(u8, u8), C { d: u8 } }"));
    assert_eq!(kinds, ["A", "B", "C"]);
    assert_eq!(
        codes(&source("match a { A => 0, B => 130, C => \"x\", D => e(7) }")),
        BTreeSet::from([0, 130])
    );
    assert_eq!(
        codes_in_help("  9  before\nExit codes:\n    0  fine\n  130  stopped\n"),
        BTreeSet::from([0, 130])
    );
    assert_eq!(codes_in_docs("| code | x |\n| 0 | fine |\n| memory | 256 |\n0 |"), BTreeSet::from([0]));
    let command = |path: &str| command(&format!("{COMMANDS}/{path}"));
    assert_eq!(
        ["run.rs", "cache/ls.rs", "cache/mod.rs"].map(command),
        ["run", "cache ls", "cache"].map(|name| Some(name.to_owned()))
    );
    assert_eq!(command("mod.rs"), None);
    let snapshots = ["x\nUsage: hostel run [OPTIONS]\n".to_owned()];
    assert!(
        is_recorded("run", &snapshots) && !is_recorded("ru", &snapshots) && !is_recorded("map", &snapshots)
    );
}
