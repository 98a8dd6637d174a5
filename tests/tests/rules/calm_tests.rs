//! What tests may not do: sleep, be switched off, or need a port that someone else may have.

use crate::tokens::{self, Token};
use crate::tree::{Source, keep, sources};

/// Ways to wait for nothing in particular.
const SLEEPS: [&str; 4] = ["thread::sleep", "thread::sleep_ms", "time::sleep", "time::sleep_until"];

/// What takes the address to listen on.
const LISTENS: [&str; 2] = ["bind", "listen"];

/// Whether these rules are for this file: guests may sleep, that is what some of them are for.
fn is_ours(source: &&Source) -> bool {
    !source.is_in("guest-examples/rust")
}

fn sleeps(source: &Source) -> Vec<String> {
    let paths = source.test_paths();
    let sleeps = paths.iter().filter(|path| SLEEPS.iter().any(|sleep| path.names(sleep)));
    sleeps.map(|path| format!("{}:{}: `{}`", source.path, path.line, path.parts.join("::"))).collect()
}

fn ignored(source: &Source) -> Vec<String> {
    let tokens = &source.test_code;
    let places = (0..tokens.len()).filter(|at| tokens::is(&tokens[*at..], &["#", "[", "ignore"]));
    places.map(|at| format!("{}:{}", source.path, tokens[at].line)).collect()
}

fn fixed_ports(source: &Source) -> Vec<String> {
    let tokens = &source.test_code;
    let mut complaints = Vec::new();
    for at in 0..tokens.len() {
        if let [name, open, ..] = &tokens[at..]
            && LISTENS.contains(&name.text.as_str())
            && open.text == "("
            && let Some(port) = tokens::inside(&tokens[at + 1..]).iter().find(|token| is_port(token))
        {
            complaints.push(format!("{}:{}: {}", source.path, name.line, port.text));
        }
    }
    complaints
}

/// Whether a literal is a port, or an address with one, that is not left to the system.
fn is_port(token: &Token) -> bool {
    let number = token.text.trim_end_matches("u16");
    if let Ok(number) = number.parse::<u32>() {
        // Smaller numbers are parts of an address.
        return number > 255;
    }
    let port = token.text.trim_end_matches('"').rsplit_once(':').map(|(_, port)| port);
    token.text.starts_with('"')
        && port.and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port != 0)
}

#[test]
fn tests_do_not_sleep() {
    let complaints: Vec<_> = sources().iter().filter(is_ours).flat_map(sleeps).collect();
    keep(
        &complaints,
        "Wait for what is to happen: await the future, a channel or `changed`, with a timeout as a net; or pause \
         tokio's time and advance it.",
    );
}

#[test]
fn no_test_is_switched_off() {
    let complaints: Vec<_> = sources().iter().filter(is_ours).flat_map(ignored).collect();
    keep(
        &complaints,
        "Mend the test or remove it. What a machine lacks, a test says and skips, as `hostel_guests::BUILT`.",
    );
}

#[test]
fn tests_listen_on_free_ports() {
    let complaints: Vec<_> = sources().iter().filter(is_ours).flat_map(fixed_ports).collect();
    keep(&complaints, "Listen on port 0, and ask the listener which one it got.");
}

#[test]
fn restless_tests_are_noticed() {
    let check = |rule: fn(&Source) -> Vec<String>, text: &str, expected: &[&str]| {
        assert_eq!(rule(&Source::new("tests/tests/a.rs", text)), expected, "{text}");
    };
    check(sleeps, "thread::sleep(x)", &["tests/tests/a.rs:1: `thread::sleep`"]);
    check(sleeps, "use tokio::time::{sleep, timeout};", &["tests/tests/a.rs:1: `tokio::time::sleep`"]);
    check(sleeps, "// thread::sleep\nsleeper(\"time::sleep\")", &[]);
    let of_code = Source::new("host/hostel/src/a.rs", "thread::sleep(x)");
    assert_eq!(sleeps(&of_code), [""; 0]);

    check(ignored, "#[test]\n#[ignore = \"later\"]\nfn a() {}", &["tests/tests/a.rs:2"]);
    check(ignored, "#[test] fn ignore() {}", &[]);

    check(fixed_ports, "bind(\"127.0.0.1:0\")", &[]);
    check(fixed_ports, "bind((\"127.0.0.1\", 0)); connect(\"127.0.0.1:80\")", &[]);
    check(fixed_ports, "bind(\"127.0.0.1:8080\")", &["tests/tests/a.rs:1: \"127.0.0.1:8080\""]);
    check(fixed_ports, "bind(([127, 0, 0, 1], 8080u16))", &["tests/tests/a.rs:1: 8080u16"]);
}
