//! New projects: each is made, and then built, run and tested by the commands that `hostel new` prints. Where a language's tools are
//! missing, its test says so and checks nothing.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::hostel::{Place, Ran, check};
use crate::scripts::{INSTALLED, runtimes};
use crate::server::Watchdog;

/// So long a command may take: some compile a toolchain's libraries. Then it is killed, and the test fails.
const PATIENCE: Duration = Duration::from_secs(600);

/// The variables by which tools find themselves.
const KEPT: [&str; 6] = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "WASI_SDK_PATH", "RUSTC"];

/// A project in a directory of its own.
struct Project {
    place: Place,
    data_dir: PathBuf,
    path: OsString,
    /// The commands that `hostel new` has printed, after the `cd`.
    commands: Vec<String>,
}

impl Project {
    /// A project whose tools are there; otherwise `None`, and says so. `tools` are directories of further tools.
    fn new(test: &str, lang: &str, data_dir: Option<&Path>, tools: &[PathBuf]) -> Option<Self> {
        let place = Place::with_data_dir();
        let data_dir = data_dir.unwrap_or(place.data_dir()).to_owned();
        let hostel = Path::new(env!("CARGO_BIN_EXE_hostel")).parent().unwrap().to_owned();
        let usual = std::env::var_os("PATH").unwrap_or_default();
        let path = [hostel].into_iter().chain(tools.iter().cloned()).chain(std::env::split_paths(&usual));
        let path = std::env::join_paths(path).unwrap();
        let mut project = Self { place, data_dir, path, commands: Vec::new() };

        let made = project.does(project.place.path(), &format!("hostel new my-tasks --lang {lang}"));
        assert_eq!(made.code, 0, "{made}");
        if !made.stderr.is_empty() {
            eprintln!("{test} is SKIPPED: there is no {}", made.stderr.trim_start_matches("missing: "));
            return None;
        }
        let mut commands = made.stdout.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned);
        assert_eq!(commands.next().as_deref(), Some("cd my-tasks"), "{made}");
        project.commands = commands.collect();
        Some(project)
    }

    fn dir(&self) -> PathBuf {
        self.place.path().join("my-tasks")
    }

    /// What a command does in a directory, as a shell reads it. With all that it starts, it is killed if it takes too long.
    #[track_caller]
    fn does(&self, dir: &Path, line: &str) -> Ran {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]).current_dir(dir).env_clear();
        command.env("PATH", &self.path).env("HOSTEL_DATA_DIR", &self.data_dir);
        command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // The crates are those of the guests, which are there already.
        command.env("CARGO_NET_OFFLINE", "true");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child = command.spawn().unwrap();
        let watchdog = Watchdog::of_group(&child, PATIENCE);
        let output = child.wait_with_output().unwrap();
        drop(watchdog);
        assert!(output.status.code().is_some(), "{line} took longer than {PATIENCE:?}: {output:?}");
        Ran::of(output)
    }

    #[track_caller]
    fn succeeds(&self, line: &str) -> Ran {
        let ran = self.does(&self.dir(), line);
        assert_eq!(ran.code, 0, "{line}: {ran}");
        ran
    }

    /// Executes all commands, except one that is left out.
    #[track_caller]
    fn works(&self, left_out: Option<&str>) {
        for line in self.commands.iter().filter(|line| left_out != Some(line.as_str())) {
            let ran = self.succeeds(line);
            if line.starts_with("hostel run ") {
                assert_eq!(ran.stdout, "\"Hello, World!\"\n", "{ran}");
                let states = self.succeeds(&format!("{line} --states --quiet"));
                let run: Value = serde_json::from_str(&states.stdout).unwrap();
                assert_eq!(run["name"], "hello World", "the hostel.toml is used: {run}");
            }
        }
        assert!(self.commands.iter().any(|line| line.starts_with("hostel run ")), "{:?}", self.commands);
    }
}

/// Leaves out a command whose program is not there, and says so.
fn left_out<'a>(test: &str, program: &str, line: &'a str) -> Option<&'a str> {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if version.is_ok_and(|status| status.success()) {
        return None;
    }
    eprintln!("a part of {test} is SKIPPED: there is no {program} for `{line}`");
    Some(line)
}

#[test]
fn a_project_in_plain_python_works() {
    let test = "a_project_in_plain_python_works";
    let Some(installed) = INSTALLED.as_ref() else { return };
    let project =
        Project::new(test, "python", Some(installed.path()), &[]).expect("the runtime is installed");
    project.works(left_out(test, "python3", "python3 -m unittest"));
}

#[test]
fn a_project_in_plain_javascript_works() {
    let test = "a_project_in_plain_javascript_works";
    let Some(installed) = INSTALLED.as_ref() else { return };
    let project = Project::new(test, "js", Some(installed.path()), &[]).expect("the runtime is installed");
    project.works(left_out(test, "node", "node --test"));
}

#[test]
fn a_project_in_rust_works() {
    // Without cargo or the target, this test could not have been built.
    let project = Project::new("a_project_in_rust_works", "rust", None, &[]).expect("the tools are there");
    // The dependencies are built once for all runs of this test.
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-rust");
    fs::create_dir_all(&shared).unwrap();
    symlink(shared, project.dir().join("target")).unwrap();
    project.works(None);
}

#[test]
fn a_component_in_python_works() {
    let test = "a_component_in_python_works";
    // The version that a project asks for is the one that builds the runtime.
    let required = include_str!("../../templates/python-component/requirements.txt");
    let version = required.trim().strip_prefix("componentize-py==").unwrap();
    let script = include_str!("../../../../runtimes/build.sh");
    assert!(script.contains(&format!("\nCOMPONENTIZE_PY={version}\n")), "{version}");
    let bin = runtimes().join(format!("python-tools-{version}/bin"));
    if !bin.is_dir() {
        eprintln!("{test} is SKIPPED: there is no {}, which runtimes/build.sh makes", bin.display());
        return;
    }
    let Some(project) = Project::new(test, "python-component", None, &[bin]) else { return };
    project.works(None);
}

#[test]
fn a_component_in_javascript_works() {
    let test = "a_component_in_javascript_works";
    let modules = runtimes().join("js-tools/node_modules");
    if !modules.is_dir() {
        eprintln!("{test} is SKIPPED: there is no {}, which runtimes/build.sh makes", modules.display());
        return;
    }
    let Some(project) = Project::new(test, "js-component", None, &[]) else { return };
    let package = fs::read_to_string(project.dir().join("package.json")).unwrap();
    let jco = fs::read_to_string(modules.join("@bytecodealliance/jco/package.json")).unwrap();
    let [package, jco] = [package, jco].map(|text| serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(package["devDependencies"]["@bytecodealliance/jco"], jco["version"]);
    // They are what `npm install` would fetch.
    symlink(modules, project.dir().join("node_modules")).unwrap();
    project.works(Some("npm install"));
}

#[test]
fn a_component_in_c_works() {
    let Some(project) = Project::new("a_component_in_c_works", "c", None, &[]) else { return };
    project.works(None);
}

#[test]
fn what_is_missing_and_what_comes_next_is_printed() {
    let place = Place::with_data_dir();
    // Without a PATH there are no tools.
    check!(
        "new",
        place.session(&[
            "new a-script --lang python",
            "new b-script --lang js",
            "new my-math --lang rust",
            "new py --lang python-component",
            "new js --lang js-component",
            "new c --lang c",
        ])
    );
    for name in [
        "a-script/tasks.py",
        "b-script/tasks.js",
        "my-math/src/lib.rs",
        "py/app.py",
        "js/app.js",
        "c/Makefile",
    ] {
        assert!(place.path().join(name).is_file(), "{name}");
    }
}

#[test]
fn names_that_cannot_be_used_are_refused() {
    let place = Place::with_data_dir();
    place.write("file", "");
    fs::create_dir(place.path().join("full")).unwrap();
    place.write("full/notes.txt", "mine");
    let before = names_in(place.path());
    check!(
        "new_refused",
        place.session(&[
            "new My_Math --lang rust",
            "new ../math --lang rust",
            "new 2 --lang python",
            "new list --lang c",
            "new math --lang perl",
            "new math",
            "new full --lang python",
            "new file --lang python",
        ])
    );
    assert_eq!(names_in(place.path()), before, "nothing is made");
    assert_eq!(names_in(&place.path().join("full")), ["notes.txt"]);
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
