//! Tries everything a sandbox may forbid and reports what it got, without ever trapping.
//!
//! `everything` is for showing what a guest without grants can do. The others try one thing each, for
//! showing what one grant changes.

mod network;

use std::fs;
use std::time::{Instant, SystemTime};

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world peek {
            record finding {
                what: string,
                allowed: bool,
                /// What came out of it, or why not.
                detail: string,
            }

            /// One finding for each thing that a program may want from its surroundings.
            export everything: func() -> list<finding>;

            /// The names in a directory, sorted.
            export list-dir: func(path: string) -> result<list<string>, string>;
            export read-file: func(path: string) -> result<string, string>;
            export write-file: func(path: string, content: string) -> result<_, string>;
            export remove-file: func(path: string) -> result<_, string>;
            export env-var: func(name: string) -> option<string>;
            /// All environment variables, sorted by name.
            export env-vars: func() -> list<tuple<string, string>>;
            export argv: func() -> list<string>;
            /// Opens a TCP connection to an IPv4 address and closes it again.
            export connect: func(address: tuple<u8, u8, u8, u8>, port: u16) -> result<_, string>;
            /// The addresses that a name stands for.
            export resolve: func(name: string) -> result<list<string>, string>;
            /// The status that a GET over plain HTTP returns; authority is `host` or `host:port`.
            export http-get: func(authority: string, path: string) -> result<u16, string>;
            /// Seconds since 1970.
            export wall-clock: func() -> u64;
            /// Nanoseconds since some moment that does not change while the instance lives.
            export monotonic-clock: func() -> u64;
            export random: func() -> u64;
        }
    "
});

struct Peek;

impl Guest for Peek {
    fn everything() -> Vec<Finding> {
        vec![
            finding("list /", Self::list_dir("/".to_owned()).map(|names| names.join(" "))),
            finding("read /etc/passwd", Self::read_file("/etc/passwd".to_owned())),
            finding("write /peek.txt", written("/peek.txt")),
            finding("environment variables", seen("no variables", variable_names())),
            finding("argv", seen("no arguments", Self::argv())),
            finding(
                "connect to 127.0.0.1:80",
                Self::connect((127, 0, 0, 1), 80).map(|()| "connected".to_owned()),
            ),
            finding("resolve localhost", Self::resolve("localhost".to_owned()).map(|found| found.join(" "))),
            finding(
                "GET http://127.0.0.1/",
                network::get("127.0.0.1", "/").map(|status| format!("status {status}")),
            ),
            finding("wall clock", Ok(format!("{} s since 1970", Self::wall_clock()))),
            finding("monotonic clock", Ok(format!("{} ns", Self::monotonic_clock()))),
            finding("randomness", Ok(Self::random().to_string())),
        ]
    }

    fn list_dir(path: String) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(path).map_err(|error| error.to_string())?;
        let mut names = entries
            .map(|entry| {
                Ok(entry.map_err(|error| error.to_string())?.file_name().to_string_lossy().into_owned())
            })
            .collect::<Result<Vec<_>, String>>()?;
        names.sort();
        Ok(names)
    }

    fn read_file(path: String) -> Result<String, String> {
        fs::read_to_string(path).map_err(|error| error.to_string())
    }

    fn write_file(path: String, content: String) -> Result<(), String> {
        fs::write(path, content).map_err(|error| error.to_string())
    }

    fn remove_file(path: String) -> Result<(), String> {
        fs::remove_file(path).map_err(|error| error.to_string())
    }

    fn env_var(name: String) -> Option<String> {
        std::env::vars().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn env_vars() -> Vec<(String, String)> {
        let mut variables: Vec<_> = std::env::vars().collect();
        variables.sort();
        variables
    }

    fn argv() -> Vec<String> {
        std::env::args().collect()
    }

    fn connect(address: (u8, u8, u8, u8), port: u16) -> Result<(), String> {
        network::connect(address, port)
    }

    fn resolve(name: String) -> Result<Vec<String>, String> {
        network::resolve(&name)
    }

    fn http_get(authority: String, path: String) -> Result<u16, String> {
        network::get(&authority, &path)
    }

    fn wall_clock() -> u64 {
        SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
    }

    fn monotonic_clock() -> u64 {
        wasip2::clocks::monotonic_clock::now()
    }

    fn random() -> u64 {
        wasip2::random::random::get_random_u64()
    }
}

export!(Peek);

fn finding(what: &str, outcome: Result<String, String>) -> Finding {
    let allowed = outcome.is_ok();
    let detail = outcome.unwrap_or_else(|error| error);
    Finding { what: what.to_owned(), allowed, detail }
}

/// What there is, or that there is nothing.
fn seen(nothing: &str, things: Vec<String>) -> Result<String, String> {
    if things.is_empty() { Err(nothing.to_owned()) } else { Ok(things.join(" ")) }
}

/// Names only: values may be secrets, and this is a report.
fn variable_names() -> Vec<String> {
    Peek::env_vars().into_iter().map(|(name, _)| name).collect()
}

fn written(path: &str) -> Result<String, String> {
    let start = Instant::now();
    fs::write(path, "peek was here\n").map_err(|error| error.to_string())?;
    Ok(format!("written in {} us", start.elapsed().as_micros()))
}
