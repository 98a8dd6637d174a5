//! `hostel compile`

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::{Component, Digest, ErrorKind, code_bytes, create_data_dir, open_data_file};
use hostel_wire::without_number;

use crate::exit::Exit;
use crate::load;
use crate::options::data_dir::HostOptions;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::runtime;
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
A component is compiled on its first run, and the code is stored in the data directory. A large
component is first compiled quickly, to slower code, and again for speed in the background. This
command does both before it ends, for example for an image that runs on machines of the same kind.

Examples:
  hostel compile app.wasm
  hostel compile app.wasm --data-dir /image/hostel")]
pub(crate) struct Compile {
    /// The component: a .wasm or .wat file, or the name or digest of a registered one
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Do nothing if another process already compiles it in the background
    #[arg(long, hide = true)]
    background: bool,

    #[command(flatten)]
    host: HostOptions,
}

impl Compile {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let Some(dir) = self.host.dir() else {
            return Err(Problem::invalid("there is no data directory to store the code in").into());
        };
        if let Err(error) = create_data_dir(&dir) {
            let error = without_number(&error.to_string());
            let problem = format!("the data directory {} cannot be used: {error}", dir.display());
            return Err(Problem::new(ErrorKind::Internal, problem).into());
        }
        let located = registered::locate(ui, &self.file, &self.host, self.background)?;
        // In the background this process has limits of its own.
        let host = if self.background { self.host.host_that_compiles(ui) } else { self.host.host(ui) };
        let host = host?.max_workers(1).max_instances(1);
        // Only the limits of the process that compiles end it.
        let host = host.compile_timeout(Duration::MAX).build()?;
        let _mark = match self.background {
            true => match begun_in_background(&dir, &located.file) {
                Some(mark) => Some(mark),
                None => return Ok(Exit::Completed),
            },
            false => None,
        };
        let runtime = runtime::on_this_thread()?;
        let component = runtime.block_on(load::component(ui, &host, &located, self.background))?;
        if !component.wait_until_optimised() {
            let problem = "it could not be compiled for speed; the quickly compiled code is stored";
            return Err(Problem::new(ErrorKind::Internal, problem).into());
        }
        Ok(Exit::Completed)
    }
}

/// Marks a component as being compiled in the background, and limits this process. `None` if there is nothing to do.
fn begun_in_background(data_dir: &Path, component: &Path) -> Option<Mark> {
    // It was one when the other process read it. Opening anything else, such as a pipe, might wait for ever.
    let bytes = fs::metadata(component).ok()?.is_file().then(|| fs::read(component))?.ok()?;
    let mark = Mark::set(data_dir, &Digest::of(&bytes))?;
    limit_this_process(code_bytes(&bytes));
    Some(mark)
}

/// The processor time, in seconds, that compiling for speed may take in the background, and how much more for each MiB of the
/// component's code.
#[cfg(target_os = "linux")]
const BACKGROUND_SECONDS: (u64, u64) = (30, 2);

/// The memory, in bytes, that compiling for speed may take in the background, and how much more for each MiB of the component's
/// code.
#[cfg(target_os = "linux")]
const BACKGROUND_BYTES: (u64, u64) = (2 << 30, 8 << 20);

/// Has the system end this process when it has used as much processor time or memory as compiling a component with this much code
/// may take: one can be made so that it takes minutes, and the compiler cannot be interrupted.
#[cfg(target_os = "linux")]
fn limit_this_process(code_bytes: u64) {
    use nix::sys::resource::{Resource, setrlimit};

    let mebibytes = code_bytes >> 20;
    let (seconds, seconds_per_mebibyte) = BACKGROUND_SECONDS;
    let seconds = seconds + mebibytes * seconds_per_mebibyte;
    let (bytes, bytes_per_mebibyte) = BACKGROUND_BYTES;
    let bytes = bytes + mebibytes * bytes_per_mebibyte;
    for (resource, most) in [(Resource::RLIMIT_CPU, seconds), (Resource::RLIMIT_DATA, bytes)] {
        if let Err(error) = setrlimit(resource, most, most) {
            tracing::debug!("compiling for speed is not limited: {error}");
        }
    }
}

/// Elsewhere it takes as long as it takes.
#[cfg(not(target_os = "linux"))]
fn limit_this_process(_code_bytes: u64) {}

/// Marks a component as being compiled by this process, until the mark is dropped or the process ends.
struct Mark {
    path: PathBuf,
    /// Locked.
    _file: File,
}

impl Mark {
    /// `None` if another process compiles the component, if one was ended before it was done, or if that cannot be determined.
    fn set(data_dir: &Path, component: &Digest) -> Option<Self> {
        // `cache gc` removes files with such names that killed processes have left.
        let path = data_dir.join(format!("compiled/.new-optimising-{}", component.hex()));
        let mut file =
            open_data_file(&path, File::options().create(true).truncate(false).write(true)).ok()?;
        file.try_lock().ok()?;
        // Only a process that was ended leaves its mark: most likely it took too long, and so would this one. Leftovers are
        // removed once a day, and then it is tried again.
        if file.metadata().ok()?.len() > 0 {
            return None;
        }
        file.write_all(b"begun").ok()?;
        Some(Self { path, _file: file })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Starts another process that compiles a component for speed, if this one has only compiled it quickly and will not wait.
/// That process continues after this one has ended. If it cannot be started, the component stays as it is.
pub(crate) fn later(component: &Component, path: &Path, host: &HostOptions) {
    let Some(dir) = host.dir().filter(|_| !component.is_optimised()) else { return };
    let Ok(program) = std::env::current_exe() else { return };
    let args = [OsStr::new("compile"), "--background".as_ref(), "--data-dir".as_ref(), dir.as_ref()];
    let mut command = Command::new(program);
    command.args(args).arg("--").arg(path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // Ctrl-C must not reach it.
        command.process_group(0);
    }
    if let Err(error) = command.spawn() {
        tracing::debug!("nothing compiles it for speed: {error}");
    }
}
