//! The sessions in the README and the tutorial, typed line by line.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::pattern::fits;
use crate::{COMMAND_LINE, README, TUTORIAL};

/// A line that someone types, and what then appears on the terminal.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    typed: String,
    shown: String,
}

/// The steps in the ```` ```console ```` blocks of a text. Empty lines between steps are for the eye.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut in_session = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), line.strip_prefix("$ ")) {
            (Some(fence), _) => in_session = fence == "console",
            (None, Some(typed)) if in_session => {
                steps.push(Step { typed: typed.to_owned(), shown: String::new() });
            }
            (None, _) if in_session => {
                if let Some(step) = steps.last_mut() {
                    step.shown += line;
                    step.shown.push('\n');
                }
            }
            (None, _) => {}
        }
    }
    steps
}

/// A directory like the one that the README goes to: the built guests, and `hostel` on the search path.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: TempDir::new().unwrap() };
        let bin = desk.dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        link(Path::new(env!("CARGO_BIN_EXE_hostel-under-test")), &bin.join("hostel"));
        // Without guests there are only names.
        for (name, path) in hostel_guests::all().iter().filter(|_| hostel_guests::BUILT) {
            link(Path::new(path), &desk.dir.path().join(name).with_extension("wasm"));
        }
        desk
    }

    /// Everything that appears when someone types this.
    fn type_in(&self, line: &str) -> String {
        let bin = self.dir.path().join("bin");
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([bin].into_iter().chain(env::split_paths(&path))).unwrap();
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {line}")])
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env("HOSTEL_DATA_DIR", self.dir.path().join("data"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A copy, where there can be no link.
fn link(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}

/// Types the session of a page, at a desk of its own.
fn type_session(page: &str, text: &str, min_steps: usize) {
    if !hostel_guests::BUILT {
        return;
    }
    let steps = steps(text);
    assert!(steps.len() >= min_steps, "{page} has a session of {} steps", steps.len());
    let desk = Desk::new();
    for Step { typed, shown } in steps {
        let found = desk.type_in(&typed);
        assert!(
            fits(&shown, &found),
            "`{typed}` shows\n\n{found}\nand {page} says\n\n{shown}\nChange whichever is wrong; `...` replaces text \
             that differs each time."
        );
    }
}

#[test]
fn the_session_goes_as_the_readme_says() {
    type_session("README.md", README, 5);
}

#[test]
fn the_session_goes_as_the_tutorial_says() {
    type_session("docs/tutorial.md", TUTORIAL, 25);
}

#[test]
fn the_options_in_the_example_of_hostel_toml_are_accepted() {
    if !hostel_guests::BUILT {
        return;
    }
    let (_, file) = COMMAND_LINE.split_once("```toml\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    let desk = Desk::new();
    fs::write(desk.dir.path().join("hostel.toml"), file).unwrap();
    let shown = desk.type_in("hostel trust");
    assert!(shown.ends_with("hostel.toml is trusted until it changes\n"), "{shown}");
    let found = desk.type_in("hostel run flaky.wasm#fail-until 3 error | tail -1");
    assert!(
        found.contains("\nuntil attempt 3: Completed in ") && found.contains(" (3 attempts)\n"),
        "{found}"
    );
}

#[test]
fn steps_are_read_from_their_blocks() {
    let text = "$ not a step\n```console\n$ one\nshown\n\n$ two\n```\n$ nor this\n```sh\n$ nor that\n```\n";
    let step = |typed: &str, shown: &str| Step { typed: typed.to_owned(), shown: shown.to_owned() };
    assert_eq!(steps(text), [step("one", "shown\n\n"), step("two", "")]);
}

#[test]
fn a_wrong_session_is_noticed() {
    let desk = Desk::new();
    let found = desk.type_in("hostel run zzz.wasm; echo $?");
    assert!(fits("error: cannot read zzz.wasm: ...\n3", &found), "{found}");
    assert!(!fits("42", &found), "{found}");
}
