//! Every row of the table of what Prefect and `concurrent.futures` do is held by a test, or explained where it differs.
//!
//! A test holds a row if the row's id is in its name: `f03_cancel_running`.

use std::collections::BTreeSet;

use crate::tokens;
use crate::tree::{Source, keep, read, sources};

const DIFFERENCES: &str = "docs/differences.md";

/// The sections of the table by their letters, and how many rows each has: tasks and calls, states and outcomes,
/// futures, retries and limits, the cache, transactions, programs.
const SECTIONS: [(char, u8); 7] =
    [('t', 10), ('s', 11), ('f', 29), ('r', 12), ('c', 15), ('x', 10), ('e', 16)];

/// A program that needs what is not there yet: background workers.
const LATER: [&str; 1] = ["e11"];

fn rows() -> Vec<String> {
    let rows = |(letter, last): &(char, u8)| {
        let letter = *letter;
        (1..=*last).map(move |number| format!("{letter}{number:02}"))
    };
    SECTIONS.iter().flat_map(rows).collect()
}

/// What makes a function a test.
const ATTRIBUTES: [&[&str]; 2] = [&["#", "[", "test", "]"], &["#", "[", "tokio", "::", "test"]];

/// The ids in the names of tests.
fn tested(source: &Source) -> BTreeSet<String> {
    let code = &source.test_code;
    let attributes =
        (0..code.len()).filter(|&at| ATTRIBUTES.iter().any(|known| tokens::is(&code[at..], known)));
    let names = attributes.filter_map(|at| {
        let mut tokens = code[at..].iter().skip_while(|token| token.text != "fn");
        tokens.nth(1).map(|name| name.text.as_str())
    });
    names.flat_map(|name| name.split('_')).map(str::to_owned).collect()
}

/// The ids in the first cells of tables.
fn explained(text: &str) -> BTreeSet<String> {
    let ids = text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    ids.map(|(id, _)| id.to_lowercase()).collect()
}

fn missing(sources: &[Source], differences: &str) -> Vec<String> {
    let mut known = explained(differences);
    known.extend(sources.iter().flat_map(tested));
    rows().into_iter().filter(|row| !known.contains(row) && !LATER.contains(&row.as_str())).collect()
}

#[test]
fn every_row_is_tested_or_explained() {
    keep(
        &missing(&sources(), &read(DIFFERENCES)),
        &format!(
            "Write a test with the row's id in its name, or say in {DIFFERENCES} what is different and why."
        ),
    );
}

#[test]
fn what_is_explained_is_a_row() {
    let rows: BTreeSet<String> = rows().into_iter().collect();
    let of_sections =
        |id: &String| id.starts_with(|letter| SECTIONS.iter().any(|(known, _)| *known == letter));
    let is_id = |id: &String| id.len() == 3 && id.ends_with(|digit: char| digit.is_ascii_digit());
    let explained = explained(&read(DIFFERENCES));
    assert!(explained.len() > 10, "{DIFFERENCES} explains {explained:?}: has the table changed?");
    let unknown = explained.into_iter().filter(|id| of_sections(id) && is_id(id) && !rows.contains(id));
    keep(&unknown.collect::<Vec<_>>(), "The table has no such row.");
}

#[test]
fn gaps_are_noticed() {
    let source = |text: &str| Source::new("tests/tests/a.rs", text);
    assert!(
        tested(&source("#[test] fn f03_cancel_running_s09_too() {}"))
            .is_superset(&BTreeSet::from(["f03".to_owned(), "s09".to_owned()]))
    );
    let asynchronous = "#[tokio::test(flavor = \"current_thread\")] #[should_panic] async fn f04_wait() {}";
    assert!(tested(&source(asynchronous)).contains("f04"));
    for text in ["// #[test] fn f03_a", "#[test] fn cancel(f03: u8) {}", "fn f03_helps() {}"] {
        assert!(!tested(&source(text)).contains("f03"), "{text}");
    }
    assert_eq!(explained("| id | x |\n| T01 | F02 is |\nR01\n"), BTreeSet::from(["id".into(), "t01".into()]));
    assert!(missing(&[], "| T01 | x |").contains(&"t02".to_owned()));
    assert!(!missing(&[], "| T01 | x |").contains(&"t01".to_owned()));
}
