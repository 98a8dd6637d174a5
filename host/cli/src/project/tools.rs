//! The tools that a new project needs, and which of them are missing.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use super::{Name, Template};
use crate::loaded;
use crate::options::data_dir::HostOptions;
use crate::problem::Problem;
use crate::ui::Ui;

/// A tool that takes longer than this counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The interval between checks whether a tool has ended.
const POLL: Duration = Duration::from_millis(5);

/// The most bytes read of a tool's output.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// The target of components in Rust.
const RUST_TARGET: &str = "wasm32-wasip2";

/// The names of clang that the Makefile of a C project tries.
const CLANGS: [&str; 5] = ["clang", "clang-22", "clang-21", "clang-20", "clang-19"];

const INSTALL_RUST: &str = "https://rustup.rs installs Rust";
const INSTALL_MAKE: &str = "on Debian: sudo apt-get install make";
const INSTALL_CLANG: &str = "on Debian: sudo apt-get install --no-install-recommends clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32";

/// Something that a project needs, and that is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What is missing, in words.
    pub(crate) what: String,
    /// How to install it.
    pub(crate) hints: Vec<String>,
}

impl Missing {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: format!("missing: {}", what.into()), hints: vec![hint.into()] }
    }
}

/// What a project needs and this machine lacks.
pub(crate) fn missing(ui: &Ui, template: Template, name: &Name, host: &HostOptions) -> Vec<Missing> {
    match template {
        Template::Python => runtime(ui, "tasks.py", host),
        Template::Js => runtime(ui, "tasks.js", host),
        Template::Rust => rust(),
        Template::PythonComponent => [python(name), program("make", INSTALL_MAKE)].concat(),
        Template::JsComponent => node(),
        Template::C => c(),
    }
}

/// The runtime of a script, as `hostel run` looks for it.
fn runtime(ui: &Ui, file: &str, host: &HostOptions) -> Vec<Missing> {
    let located = loaded::locate(ui, Path::new(file), host, true);
    let missing = |problem: Problem| Missing { what: problem.to_string(), hints: problem.hints().to_vec() };
    located.err().map(missing).into_iter().collect()
}

fn rust() -> Vec<Missing> {
    if on_path("cargo").is_none() {
        return vec![Missing::new("cargo, which builds Rust", INSTALL_RUST)];
    }
    let has_target = rustc(&["--print", "target-libdir", "--target", RUST_TARGET])
        .is_some_and(|dir| contains(Path::new(&dir), "libstd-"));
    let target =
        || Missing::new(format!("the target {RUST_TARGET}"), format!("rustup target add {RUST_TARGET}"));
    if has_target { Vec::new() } else { vec![target()] }
}

fn python(name: &Name) -> Vec<Missing> {
    let install = format!("cd {name} && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt");
    let python = program("python3", "on Debian: sudo apt-get install python3 python3-venv");
    if python.is_empty() { program("componentize-py", &install) } else { python }
}

fn node() -> Vec<Missing> {
    let install = "on Debian: sudo apt-get install nodejs npm";
    ["node", "npm"].into_iter().flat_map(|tool| program(tool, install)).collect()
}

fn c() -> Vec<Missing> {
    let bindgen = program("wit-bindgen", "cargo install wit-bindgen-cli@0.62.0");
    [compiler(), bindgen, program("make", INSTALL_MAKE)].concat()
}

/// The WASI SDK, or else clang, wasi-libc, and a linker for components.
fn compiler() -> Vec<Missing> {
    if let Some(sdk) = env::var_os("WASI_SDK_PATH").filter(|sdk| !sdk.is_empty()) {
        let clang = Path::new(&sdk).join("bin/wasm32-wasip2-clang");
        let what = format!("{}, which WASI_SDK_PATH names", clang.display());
        let is_there = clang.is_file();
        return if is_there {
            Vec::new()
        } else {
            vec![Missing::new(what, "https://github.com/WebAssembly/wasi-sdk")]
        };
    }
    let Some(clang) = CLANGS.into_iter().find_map(on_path) else {
        return vec![Missing::new("clang, with wasi-libc", INSTALL_CLANG)];
    };
    // Where it finds no such file, it prints the name alone.
    let libc = answer(&clang, &["--target=wasm32-wasi", "-print-file-name=libc.a"]);
    let mut missing = Vec::new();
    if !libc.is_some_and(|libc| Path::new(&libc).is_file()) {
        missing.push(Missing::new(format!("wasi-libc for {}", clang.display()), INSTALL_CLANG));
    }
    if on_path("wasm-component-ld").is_none() && !rust_has_linker() {
        missing.push(Missing::new(
            "wasm-component-ld, which comes with Rust",
            "cargo install wasm-component-ld",
        ));
    }
    missing
}

fn rust_has_linker() -> bool {
    let libraries = rustc(&["--print", "sysroot"]).map(|sysroot| Path::new(&sysroot).join("lib/rustlib"));
    let version = rustc(&["-vV"]).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let linker =
        libraries.zip(host).map(|(libraries, host)| libraries.join(host).join("bin/wasm-component-ld"));
    linker.is_some_and(|linker| linker.is_file())
}

/// A program that is missing unless it is in a directory of `PATH`.
fn program(name: &str, install: &str) -> Vec<Missing> {
    if on_path(name).is_some() { Vec::new() } else { vec![Missing::new(name, install)] }
}

pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    found_in(&env::var_os("PATH")?, name)
}

fn found_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat"] } else { &[""] };
    let dirs = env::split_paths(path).filter(|dir| dir.is_absolute());
    let mut files =
        dirs.flat_map(|dir| endings.iter().map(move |ending| dir.join(format!("{name}{ending}"))));
    files.find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// Whether a directory has a file whose name begins so.
fn contains(dir: &Path, prefix: &str) -> bool {
    let mut entries = dir.read_dir().into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}

/// What the Rust compiler says, which is the one that cargo uses.
fn rustc(args: &[&str]) -> Option<String> {
    let named = env::var_os("RUSTC").filter(|rustc| !rustc.is_empty()).map(PathBuf::from);
    answer(&named.or_else(|| on_path("rustc"))?, args)
}

/// What a tool prints, if it succeeds in time.
fn answer(tool: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new(tool);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let stdout = child.stdout.take()?;
    let (sender, answers) = sync_channel(1);
    // Ends when the tool does, or has printed more than `MAX_ANSWER_BYTES`.
    thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.take(MAX_ANSWER_BYTES).read_to_string(&mut text);
        // The receiver may be gone.
        let _ = sender.send(read.ok().map(|_| text.trim_end().to_owned()));
    });
    if !succeeds(&mut child, Instant::now() + PATIENCE) {
        return None;
    }
    // Something that the tool has started may still hold the pipe.
    answers.recv_timeout(PATIENCE).ok().flatten()
}

/// Whether a process succeeds in time. If it takes longer, it is killed.
fn succeeds(child: &mut Child, deadline: Instant) -> bool {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
            Ok(None) | Err(_) => {
                // It may have ended meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn programs_are_executable_files_in_directories_of_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let (file, program) = (dir.path().join("tool"), dir.path().join("bin/tool"));
        fs::create_dir_all(dir.path().join("bin/directory")).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&program, "").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = env::join_paths([Path::new("bin"), dir.path(), &dir.path().join("bin")]).unwrap();
        assert_eq!(found_in(&path, "tool"), Some(program));
        assert_eq!(found_in(&path, "directory"), None);
        assert_eq!(found_in(&path, "missing"), None);
    }

    #[test]
    fn only_the_answer_of_a_tool_that_succeeds_counts() {
        let check = |script: &str, expected: Option<&str>| {
            assert_eq!(answer(Path::new("/bin/sh"), &["-c", script]).as_deref(), expected, "{script}");
        };
        check("echo a; echo b", Some("a\nb"));
        check("echo a; exit 1", None);
        check("printf '\\377'", None);
        check("exec head -c 1000000 /dev/zero", None);
        assert_eq!(answer(Path::new("/missing"), &[]), None);
    }

    #[test]
    fn a_tool_that_hangs_is_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(!succeeds(&mut child, Instant::now()));
        assert!(child.try_wait().unwrap().is_some_and(|status| !status.success()));
    }
}
