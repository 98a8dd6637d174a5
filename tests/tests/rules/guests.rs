//! Every guest example is built, listed and used.

use std::collections::BTreeSet;

use cargo_metadata::MetadataCommand;

use crate::tree::{Source, files, keep, names_in, read, root, sources};

const GUESTS: &str = "guest-examples/rust";
const TEXTS: &str = "guest-examples/wat";

/// The guests in Rust, by their directories.
fn guests() -> Vec<String> {
    let names = names_in(GUESTS).into_iter();
    names.filter(|name| root().join(GUESTS).join(name).join("Cargo.toml").is_file()).collect()
}

/// The components as text, without their suffix.
fn texts() -> Vec<String> {
    names_in(TEXTS).iter().filter_map(|name| name.strip_suffix(".wat")).map(str::to_owned).collect()
}

/// The guests in the tables of the README: what stands in the first cell of a row, as code.
fn listed(readme: &str) -> BTreeSet<String> {
    let cells = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells.map(|(name, _)| name.to_owned()).filter(|name| !name.contains(['/', '.'])).collect()
}

/// The constants of `hostel_guests` that a file uses: `ARITH`, `wat::ADD_ONE`.
fn used(source: &Source) -> BTreeSet<String> {
    let paths: Vec<_> = source.paths().into_iter().chain(source.test_paths()).collect();
    let is_about_guests = paths.iter().any(|path| path.names("hostel_guests"));
    let constant = |parts: &[String]| {
        let (last, before) = parts.split_last()?;
        let is_constant = !last.is_empty()
            && last.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit());
        match before.last()?.as_str() {
            "wat" if is_constant => Some(format!("wat::{last}")),
            "hostel_guests" if is_constant => Some(last.clone()),
            _ => None,
        }
    };
    let constants = paths.iter().filter_map(|path| constant(&path.parts));
    constants.filter(|_| is_about_guests).collect()
}

fn constant_of(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

/// The wanted names that are not among those that are there.
fn missing<'a>(wanted: impl IntoIterator<Item = &'a String>, there: &BTreeSet<String>) -> Vec<String> {
    wanted.into_iter().filter(|name| !there.contains(*name)).cloned().collect()
}

#[test]
fn every_guest_is_a_member_of_the_workspace() {
    let metadata =
        MetadataCommand::new().current_dir(root().join(GUESTS)).no_deps().exec().expect("cargo metadata");
    let directories =
        metadata.packages.iter().filter_map(|package| package.manifest_path.parent()?.file_name());
    let members: BTreeSet<_> = directories.map(str::to_owned).collect();
    let guests = guests();
    assert!(guests.len() > 10, "looking in the wrong place?");
    keep(
        &missing(&guests, &members),
        "Its directory is to match `members` in guest-examples/rust/Cargo.toml.",
    );
}

#[test]
fn every_guest_is_listed() {
    let listed = listed(&read("guest-examples/README.md"));
    let guests = guests();
    keep(&missing(&guests, &listed), "Give it a row in a table of guest-examples/README.md.");
    let there = guests.into_iter().collect();
    keep(
        &missing(&listed, &there),
        "guest-examples/README.md lists a guest that is not there: take the row out.",
    );
}

#[test]
fn every_guest_is_used() {
    let users = sources().into_iter().filter(|source| !source.is_in("guest-examples"));
    let used: BTreeSet<_> = users.flat_map(|source| used(&source)).collect();
    let texts = texts();
    assert!(texts.len() > 10, "looking in the wrong place?");
    let guests = guests().iter().map(|name| constant_of(name)).collect::<Vec<_>>();
    let texts = texts.iter().map(|name| format!("wat::{}", constant_of(name))).collect::<Vec<_>>();
    keep(
        &missing(guests.iter().chain(&texts), &used),
        "Use it in a test, as `hostel_guests::NAME` or `hostel_guests::wat::NAME`, or remove it.",
    );
}

#[test]
fn every_guest_file_is_known_to_this_rule() {
    let elsewhere = files(".wat").into_iter().filter(|path| !path.starts_with(TEXTS));
    let complaints: Vec<_> = elsewhere.collect();
    keep(&complaints, &format!("Components as text belong into {TEXTS}, where tests find them."));
}

#[test]
fn unused_and_unlisted_guests_are_noticed() {
    let check = |text: &str, expected: &[&str]| {
        let used = used(&Source::new("host/hostel/tests/a.rs", text));
        assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
    };
    check("load(hostel_guests::ARITH); // hostel_guests::TEXT", &["ARITH"]);
    check("use hostel_guests::{HASH_FILE, wat}; f(wat::ADD_ONE)", &["HASH_FILE", "wat::ADD_ONE"]);
    check("f(hostel_guests::wat::ADD_ONE, hostel_guests::all())", &["wat::ADD_ONE"]);
    check("use my::wat; f(wat::ADD_ONE, Other::ARITH)", &[]);

    assert_eq!(constant_of("hash-file"), "HASH_FILE");
    let listed = listed("| guest | x |\n|---|---|\n| `arith` | `add` |\n| `rust/` | a |\n`text` |");
    assert_eq!(listed.iter().map(String::as_str).collect::<Vec<_>>(), ["arith"]);
    assert_eq!(missing(&["a".to_owned(), "b".to_owned()], &BTreeSet::from(["a".to_owned()])), ["b"]);
}
