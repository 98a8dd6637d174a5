//! Builds the guests for the crate around it and writes down where they are.
//!
//! It picks the compiler itself: `GUEST_RUSTC`, else cargo's own if that has the target, else whatever
//! `toolchain.sh` provides.
#![allow(clippy::print_stdout, reason = "standard output is how a build script talks to cargo")]

use std::env::{self, VarError};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";
/// What every component starts with: the magic number, version 13, layer 1.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// How much of a failed command's output to repeat.
const TAIL_LINES: usize = 40;

type Result<T> = std::result::Result<T, String>;

/// Cargo fails the build for the first error, and shows them better than it shows a script that fails.
fn main() {
    if let Err(problem) = run() {
        problem.lines().for_each(|line| println!("cargo::error={line}"));
        println!("cargo::error=(GUESTS=skip builds without the guest examples)");
    }
}

fn run() -> Result<()> {
    let places = Places::find()?;
    let guests = entries(&places.workspace, |path| path.join("Cargo.toml").is_file())?;
    let texts = entries(&places.texts, |path| path.extension().is_some_and(|suffix| suffix == "wat"))?;
    tell_cargo_what_to_watch(&places, &guests);

    let compiler = if setting("GUESTS")?.as_deref() == Some("skip") {
        None
    } else {
        let compiler = Compiler::pick(&places)?;
        let built = compiler.build(&places.workspace)?;
        guests.iter().try_for_each(|guest| collect(guest, &built, &places.out))?;
        Some(compiler.version)
    };
    write(&places.out.join("paths.rs"), paths(&guests, &texts, compiler.as_deref()).as_bytes())
}

/// The directories this script works with.
struct Places {
    /// The cargo workspace of the guests.
    workspace: PathBuf,
    texts: PathBuf,
    /// What the host offers to guests, as WIT.
    interfaces: PathBuf,
    script: PathBuf,
    /// Where the guest files for this build of the crate go.
    out: PathBuf,
    /// Shared by all profiles of the outer build, so that tests, release builds and clippy do not each
    /// compile the guests anew.
    shared: PathBuf,
}

impl Places {
    fn find() -> Result<Self> {
        let here = PathBuf::from(given("CARGO_MANIFEST_DIR")?);
        let examples = here.parent().ok_or("this crate has no directory around it")?;
        let out = PathBuf::from(given("OUT_DIR")?);
        // Cargo marks the top of its target directory with this file.
        let target = out.ancestors().find(|path| path.join("CACHEDIR.TAG").is_file());
        let shared = target.unwrap_or(&out).join("guests");
        Ok(Self {
            workspace: examples.join("rust"),
            texts: examples.join("wat"),
            interfaces: examples.join("../wit"),
            script: examples.join("toolchain.sh"),
            out,
            shared,
        })
    }
}

/// Not the workspace as a whole: a `cargo build` by hand writes into it. A new guest changes Cargo.lock.
fn tell_cargo_what_to_watch(places: &Places, guests: &[String]) {
    let in_workspace = ["Cargo.toml", "Cargo.lock"].into_iter().chain(guests.iter().map(String::as_str));
    in_workspace
        .map(|name| places.workspace.join(name))
        .chain([places.texts.clone(), places.interfaces.clone(), places.script.clone(), "build.rs".into()])
        .for_each(|path| println!("cargo::rerun-if-changed={}", path.display()));
    ["GUEST_RUSTC", "GUESTS"].iter().for_each(|name| println!("cargo::rerun-if-env-changed={name}"));
}

/// A compiler that has the target.
struct Compiler {
    rustc: PathBuf,
    cargo: PathBuf,
    version: String,
    /// One for each compiler: cargo does not notice when the standard library under it is another one.
    target_dir: PathBuf,
}

impl Compiler {
    fn pick(places: &Places) -> Result<Self> {
        if let Some(rustc) = env::var_os("GUEST_RUSTC") {
            return Self::new(rustc.into(), &places.shared);
        }
        let active = PathBuf::from(given("RUSTC")?);
        if has_target(&active) {
            return Self::new(active, &places.shared);
        }
        let assembled = places.shared.join("debian");
        let mut script = Command::new("sh");
        script.arg(&places.script).arg(&assembled).env("RUSTC", &active);
        output(clean(&mut script, &["RUSTC"]))
            .map_err(|problem| format!("{} cannot build for {TARGET}\n{problem}", active.display()))?;
        if has_target(&active) {
            return Self::new(active, &places.shared);
        }
        // Inside the assembled directory, so that both are thrown away together.
        Self::new(assembled.join("bin/rustc"), &assembled)
    }

    fn new(rustc: PathBuf, base: &Path) -> Result<Self> {
        let version = output(Command::new(&rustc).arg("--version"))?;
        let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"]))?;
        // The cargo that came with the compiler: another one would rebuild everything.
        let cargo = Some(Path::new(&sysroot).join("bin/cargo")).filter(|cargo| cargo.is_file());
        let cargo = cargo.map_or_else(|| given("CARGO").map(PathBuf::from), Ok)?;
        let words = version.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        Ok(Self { rustc, cargo, target_dir: base.join(words.join("-")), version })
    }

    /// Builds the workspace and returns the directory with what came out.
    fn build(&self, workspace: &Path) -> Result<PathBuf> {
        let mut cargo = Command::new(&self.cargo);
        cargo.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]);
        cargo.arg(&self.target_dir).current_dir(workspace).env("RUSTC", &self.rustc);
        output(clean(&mut cargo, &["RUSTC"]))
            .map_err(|problem| format!("the guest examples cannot be built\n{problem}"))?;
        Ok(self.target_dir.join(TARGET).join("release"))
    }
}

/// Whether there is a standard library for the target. The compiler names the directory in any case.
fn has_target(rustc: &Path) -> bool {
    let directory = output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]));
    let Ok(entries) = directory.and_then(|path| fs::read_dir(path).map_err(|error| error.to_string())) else {
        return false;
    };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

/// Takes from a command what cargo sets for build scripts, and what people set for the host's build: flags
/// and wrappers meant for another compiler. Where crates come from and how many jobs may run is kept.
fn clean<'a>(command: &'a mut Command, keep: &[&str]) -> &'a mut Command {
    const REMOVED: [&str; 4] = ["CARGO", "CLIPPY", "LD_LIBRARY_PATH", "RUST"];
    const OF_BUILD_SCRIPTS: [&str; 7] =
        ["DEBUG", "HOST", "NUM_JOBS", "OPT_LEVEL", "OUT_DIR", "PROFILE", "TARGET"];
    const KEPT: [&str; 6] =
        ["CARGO_HOME", "CARGO_HTTP_", "CARGO_MAKEFLAGS", "CARGO_NET_", "CARGO_REGISTR", "RUSTUP_"];
    for (key, _) in env::vars_os() {
        let Some(name) = key.to_str() else { continue };
        let starts_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let foreign = starts_with(&REMOVED) || OF_BUILD_SCRIPTS.contains(&name);
        if foreign && !starts_with(&KEPT) && !keep.contains(&name) {
            command.env_remove(&key);
        }
    }
    command
}

/// Runs a command: what it printed, without the newline, or the end of what it complained about.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = complaint.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default();
    Err(format!("{name}: {}\n{}", output.status, tail.join("\n")))
}

/// Copies one guest from the shared directory to the one that belongs to this build.
fn collect(guest: &str, built: &Path, out: &Path) -> Result<()> {
    // A library's file has underscores, a program's the name as it is.
    let candidates = [guest.replace('-', "_"), guest.to_owned()];
    let files = candidates.map(|name| built.join(name + ".wasm"));
    let [library, _] = &files;
    let file = files.iter().find(|file| file.is_file()).unwrap_or(library);
    let bytes = fs::read(file).map_err(|error| format!("guest {guest}: {}: {error}", file.display()))?;
    if !bytes.starts_with(COMPONENT) {
        return Err(format!("guest {guest}: {} is not a component", file.display()));
    }
    write(&out.join(format!("{guest}.wasm")), &bytes)
}

/// Writes a file unless it says the same already, so that nothing that depends on it is rebuilt.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The source of the constants.
fn paths(guests: &[String], texts: &[String], compiler: Option<&str>) -> String {
    let built = compiler.is_some();
    let compiler = compiler.unwrap_or("none");
    let texts: Vec<&str> = texts.iter().map(|text| text.trim_end_matches(".wat")).collect();
    let mut source = String::new();
    let _ = writeln!(source, "/// Whether the guests were built along with this crate.");
    let _ = writeln!(source, "pub const BUILT: bool = {built};");
    let _ = writeln!(source, "/// The compiler that built them.");
    let _ = writeln!(source, "pub const COMPILER: &str = {compiler:?};");
    source += &constants(guests, |guest| format!(r#"concat!(env!("OUT_DIR"), "/{guest}.wasm")"#));
    let _ = writeln!(source, "/// Components written by hand, as text.\npub mod wat {{");
    source +=
        &constants(&texts, |text| format!(r#"concat!(env!("CARGO_MANIFEST_DIR"), "/../wat/{text}.wat")"#));
    source + "}\n"
}

/// One constant for each name, and a function that lists them all.
fn constants(names: &[impl AsRef<str>], path: impl Fn(&str) -> String) -> String {
    let mut source = String::new();
    let mut list = String::new();
    for name in names.iter().map(AsRef::as_ref) {
        let constant = name.replace('-', "_").to_uppercase();
        let _ = writeln!(source, "/// The path of `{name}`.\npub const {constant}: &str = {};", path(name));
        let _ = writeln!(list, "    ({name:?}, {constant}),");
    }
    let _ = writeln!(source, "/// The name and path of each, by name.");
    let _ = writeln!(
        source,
        "pub fn all() -> &'static [(&'static str, &'static str)] {{\n    &[\n{list}    ]\n}}"
    );
    source
}

/// The names in a directory that a test accepts, sorted.
fn entries(directory: &Path, accept: impl Fn(&Path) -> bool) -> Result<Vec<String>> {
    let unreadable = |error| format!("cannot read {}: {error}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if accept(&entry.path()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// A variable that cargo always sets.
fn given(name: &str) -> Result<OsString> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: this program is for cargo to run"))
}

/// A variable that people may set.
fn setting(name: &str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not text")),
    }
}
