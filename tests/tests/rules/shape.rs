//! What files look like: a first line that says what they are for, no great length, no names that say nothing.

use crate::tokens::{self, Token};
use crate::tree::{Source, keep, sources};

/// Lines of a file, without its tests.
const FILE_LINES: usize = 600;

/// Lines of a function: 60 are long, and a match with one arm for each kind of value needs a few more.
const FUNCTION_LINES: usize = 64;

/// Modules of these names gather what belongs elsewhere.
const EMPTY_NAMES: [&str; 7] = ["common", "helper", "helpers", "misc", "shared", "util", "utils"];

/// Types whose names end so do not say what they do.
const EMPTY_ENDINGS: [&str; 4] = ["Helper", "Manager", "Util", "Utils"];

fn first_line(source: &Source) -> Option<String> {
    let says_something = source
        .text
        .lines()
        .next()
        .is_some_and(|line| line.strip_prefix("//! ").is_some_and(|text| !text.trim().is_empty()));
    (!says_something).then(|| format!("{} does not begin with `//! ` and what it is for", source.path))
}

fn file_length(source: &Source) -> Option<String> {
    let lines = source.text.lines().count().saturating_sub(source.test_lines);
    (lines > FILE_LINES).then(|| format!("{} has {lines} lines", source.path))
}

fn long_functions(source: &Source) -> Vec<String> {
    let tokens = &source.code;
    let mut complaints = Vec::new();
    for at in 0..tokens.len() {
        if let [first, name, ..] = &tokens[at..]
            && first.text == "fn"
            && name.text != "("
        {
            let item = &tokens[at..at + tokens::item_length(&tokens[at..])];
            let lines = tokens::lines(item);
            if lines > FUNCTION_LINES {
                complaints.push(format!("{}:{}: `{}` has {lines} lines", source.path, first.line, name.text));
            }
        }
    }
    complaints
}

fn empty_names(source: &Source) -> Vec<String> {
    let path = source.path.trim_end_matches(".rs");
    let files = path.split('/').map(|part| (part.to_owned(), 1));
    let named = |keywords: &'static [&'static str]| {
        let pairs = source.code.windows(2).chain(source.test_code.windows(2));
        pairs.filter_map(move |pair| match pair {
            [keyword, Token { text, line }] if keywords.contains(&keyword.text.as_str()) => {
                Some((text.clone(), *line))
            }
            _ => None,
        })
    };
    let modules = files.chain(named(&["mod"])).filter(|(name, _)| EMPTY_NAMES.contains(&name.as_str()));
    let types = named(&["struct", "enum", "trait", "type"]);
    let types = types.filter(|(name, _)| EMPTY_ENDINGS.iter().any(|ending| name.ends_with(ending)));
    modules.chain(types).map(|(name, line)| format!("{}:{line}: `{name}`", source.path)).collect()
}

#[test]
fn every_file_says_what_it_is_for() {
    let complaints: Vec<_> = sources().iter().filter_map(first_line).collect();
    keep(&complaints, "Say the file's one reason in its first line. Two reasons are two files.");
}

#[test]
fn no_file_is_long() {
    let complaints: Vec<_> = sources().iter().filter_map(file_length).collect();
    keep(
        &complaints,
        &format!(
            "{FILE_LINES} lines are the most (tests apart). Find the second reason in it, and give it a file."
        ),
    );
}

#[test]
fn no_function_is_long() {
    let complaints: Vec<_> = sources().iter().flat_map(long_functions).collect();
    keep(
        &complaints,
        &format!("{FUNCTION_LINES} lines are the most (tests apart). Name its steps, each a function."),
    );
}

#[test]
fn names_say_something() {
    let complaints: Vec<_> = sources().iter().flat_map(empty_names).collect();
    keep(
        &complaints,
        "Name a module for what is in it, and a type for what it is; put single functions where they are used.",
    );
}

#[test]
fn wrong_shapes_are_noticed() {
    let source = |text: &str| Source::new("host/core/src/a.rs", text);
    assert_eq!(first_line(&source("//! Says it.\n")), None);
    for text in ["", "//!\n", "use a;\n//! Late.\n", "// Says it.\n"] {
        assert!(first_line(&source(text)).is_some(), "{text:?}");
    }

    let tests = "#[cfg(test)]\nmod tests {\n}\n";
    let file = |lines: usize| source(&(tests.to_owned() + &"//\n".repeat(lines) + tests));
    assert_eq!(file_length(&file(FILE_LINES)), None);
    assert_eq!(file_length(&file(FILE_LINES + 1)).unwrap(), "host/core/src/a.rs has 601 lines");

    let function = |lines: usize| {
        source(&format!("trait T {{ fn a(&self); }}\nfn b(x: [u8; 2]) {{{}}}", "\n".repeat(lines - 1)))
    };
    assert_eq!(long_functions(&function(FUNCTION_LINES)), [""; 0]);
    assert_eq!(long_functions(&function(FUNCTION_LINES + 1)), ["host/core/src/a.rs:2: `b` has 65 lines"]);

    let names = empty_names(&source("mod fine;\nmod util { struct RunManager; }\nstruct Manage;"));
    assert_eq!(names, ["host/core/src/a.rs:2: `util`", "host/core/src/a.rs:2: `RunManager`"]);
    assert_eq!(empty_names(&Source::new("host/helpers/a.rs", "")), ["host/helpers/a.rs:1: `helpers`"]);
}
