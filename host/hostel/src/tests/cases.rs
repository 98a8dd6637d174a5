//! Runs the cases in `cases/`, and compares their results.
//!
//! A file has cases with titles (`# …`). Each has a script, a line `---`, and the expected result. With
//! `HOSTEL_UPDATE_CASES=1` the files are rewritten: read the diff before committing it.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::script::play;

/// Longer than any case takes, even on a slow machine.
const WATCHDOG: Duration = Duration::from_secs(120);

struct Case {
    title: String,
    script: String,
    expected: String,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in text.split("\n# ").map(|case| case.trim_start_matches("# ")) {
        let (title, body) = case.split_once('\n').expect("a title");
        let (script, expected) = body.split_once("---").unwrap_or((body, ""));
        let [title, script, expected] = [title, script, expected].map(|part| part.trim().to_owned());
        cases.push(Case { title, script, expected });
    }
    cases
}

/// Runs a case. A hanging case is named.
fn watched(case: &Case) -> String {
    let (send, receive) = mpsc::channel();
    let script = case.script.clone();
    let player = thread::spawn(move || {
        let _ = send.send(play(&script).trim().to_owned());
    });
    match receive.recv_timeout(WATCHDOG) {
        Ok(played) => played,
        Err(RecvTimeoutError::Timeout) => panic!("the case hangs: {}", case.title),
        Err(RecvTimeoutError::Disconnected) => {
            let cause = player.join().err().map(|panic| crate::calls::panic_text(panic.as_ref()));
            panic!("case {:?}: {}", case.title, cause.unwrap_or_default());
        }
    }
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/cases").join(name);
    let text = fs::read_to_string(&path).expect("the cases");
    let (mut written, mut wrong) = (String::new(), String::new());
    for case in cases(&text) {
        let played = watched(&case);
        let Case { title, script, expected } = case;
        if played != expected {
            writeln!(wrong, "{title}\n  expected\n{expected}\n  found\n{played}\n").expect("text");
        }
        write!(written, "# {title}\n{script}\n---\n{played}\n\n").expect("text");
    }
    if std::env::var_os("HOSTEL_UPDATE_CASES").is_some() {
        fs::write(&path, format!("{}\n", written.trim_end())).expect("the cases");
    } else {
        assert!(wrong.is_empty(), "{wrong}");
    }
}

macro_rules! areas {
    ($($area:ident),+) => {
        $(#[test]
        fn $area() {
            check(concat!(stringify!($area), ".txt"));
        })+

        #[test]
        fn there_are_as_many_cases_as_there_should_be() {
            let all = [$(include_str!(concat!("cases/", stringify!($area), ".txt"))),+];
            let count: usize = all.iter().map(|text| cases(text).len()).sum();
            assert!(count >= 150, "{count} cases");
        }
    };
}

areas!(queue, limits, retries, cancelling, depending, cache, transactions, shutdown, hooks);
