//! Compiling in a process of its own, with limits of the system: this command, started again by itself.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use hostel::{COMPILE_APART, compile_apart};

use crate::exit::Exit;

/// The running program on Linux, even if its file was replaced since.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Whether this process was started to compile for another one.
pub(crate) fn is_meant(args: &[OsString]) -> bool {
    matches!(args, [_, only] if only == COMPILE_APART)
}

/// Compiles for the process that started this one.
pub(crate) fn serve() -> ExitCode {
    // Its status is for nobody.
    let gone = || process::exit(Exit::HostFailed.code().into());
    let exit = match compile_apart(BufReader::new(io::stdin()), &mut io::stdout().lock(), gone) {
        Ok(()) => Exit::Completed,
        Err(error) => {
            // If nobody reads it, the exit code must suffice.
            let _ = writeln!(io::stderr(), "{error}");
            Exit::HostFailed
        }
    };
    exit.code().into()
}

/// The program to start for compiling: this one, if it is the `hostel` command. Another program that calls [`run`](crate::run) may
/// do something else when it is started again, so it compiles in its own process.
pub(crate) fn program() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    program.file_stem()?.to_str().filter(|name| name.starts_with("hostel"))?;
    let this = Path::new(THIS_PROGRAM);
    Some(if cfg!(target_os = "linux") && this.exists() { this.to_owned() } else { program })
}
