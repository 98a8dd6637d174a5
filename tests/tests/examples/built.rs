//! The examples of the crate `hostel`, run as programs.
//!
//! `cargo test` builds examples, but not if one test program is asked for by name, and it tells no test where they are.
//! So cargo is asked here: it builds what is missing or out of date, which is nothing where everything was built just
//! before, and says where the programs are.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use cargo_metadata::{Artifact, Message, TargetKind};

use crate::pattern::fits;

/// What cargo tells a test of its package. Build scripts ask for some of it, and would have to run again if it were
/// passed on.
const OF_THIS_PACKAGE: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "OUT_DIR"];

static PROGRAMS: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(build);

/// What an example prints; it must succeed.
#[track_caller]
pub(crate) fn printed(example: &str, args: &[&str]) -> String {
    let program = PROGRAMS.get(example).unwrap_or_else(|| panic!("there is no example {example}"));
    let output = Command::new(program).args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example} ended with {}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Checks what an example prints; `...` stands for anything within a line.
#[track_caller]
pub(crate) fn prints(example: &str, expected: &str) {
    let printed = printed(example, &[]);
    assert!(fits(expected, &printed), "{example} prints\n{printed}\nand not\n{expected}");
}

/// The names of all examples, sorted.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = PROGRAMS.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Builds the examples into the directory that this program is in, so that nothing is built twice. The whole workspace
/// is named because the features of its dependencies depend on that.
fn build() -> HashMap<String, PathBuf> {
    let this = env::current_exe().unwrap();
    let profile_dir = this.parent().and_then(Path::parent).unwrap();
    let target_dir = this.ancestors().find(|path| path.join("CACHEDIR.TAG").is_file()).unwrap();
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    env::vars_os()
        .filter(|(name, _)| OF_THIS_PACKAGE.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)))
        .for_each(|(name, _)| _ = cargo.env_remove(name));
    let mut cargo = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--workspace", "--examples", "--message-format", "json-render-diagnostics"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target_dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let messages = Message::parse_stream(BufReader::new(cargo.stdout.take().unwrap()));
    let programs = messages.filter_map(|message| program(message.unwrap())).collect();
    assert!(cargo.wait().unwrap().success(), "the examples cannot be built");
    programs
}

/// The example that a message tells of, and where it is.
fn program(message: Message) -> Option<(String, PathBuf)> {
    let Message::CompilerArtifact(Artifact { target, manifest_path, executable, .. }) = message else {
        return None;
    };
    let is_ours = manifest_path.ends_with("host/hostel/Cargo.toml");
    (is_ours && target.kind.contains(&TargetKind::Example)).then_some((target.name, executable?.into()))
}
