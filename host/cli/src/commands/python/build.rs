//! `hostel python build`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hostel::ErrorKind;
use hostel_wire::without_number;

use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::{Problem, Stop};
use crate::python::{self, COMPONENTIZE_PY, Tools};
use crate::ui::Ui;

/// The hex digits of a lock's digest in the name of a file.
const NAME_DIGITS: usize = 12;

/// What the requirements are.
const REQUIREMENTS: &str =
    "expected a requirements file as for pip: a package in each line, such as attrs==25.4.0";

/// Build a Python runtime with packages
#[derive(Args, Debug)]
#[command(after_help = "\
pip finds the packages, with its usual settings. Only wheels in pure Python are taken: a package
with compiled parts does not work, and nothing of a package is executed outside of the sandbox.

Without -o the file has the digest of the lock in its name: of the packages with their versions
and digests, and of the runtime itself. If it is there, it is not built again, because two builds
have two digests, and share no cached results.

It needs python3 with venv, and installs componentize-py once.

Examples:
  hostel python build -r requirements.txt
  hostel python build -r requirements.txt -o python.wasm && hostel runtime install python python.wasm")]
pub(crate) struct Build {
    /// The packages, as for pip
    #[arg(long, short, value_name = "FILE")]
    requirements: PathBuf,

    /// The file of the runtime [default: python-LOCK.wasm]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The virtual environment with componentize-py, which is made if it does not exist [default: in the data directory]
    #[arg(long, value_name = "DIR")]
    tools: Option<PathBuf>,

    #[command(flatten)]
    host: HostOptions,
}

impl Build {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let requirements = &self.requirements;
        let file = fs::metadata(requirements).map_err(|error| unreadable(requirements, &error))?;
        if !file.is_file() {
            let problem = format!("{}: expected a file", requirements.display());
            return Err(Problem::invalid(problem).hint(REQUIREMENTS).into());
        }
        let dir = match &self.tools {
            Some(dir) => {
                std::path::absolute(dir).map_err(|error| Problem::unreadable(dir.display(), &error))?
            }
            None => self.host.stored()?.join("tools").join(format!("componentize-py-{COMPONENTIZE_PY}")),
        };
        let tools = Tools::ready(ui, &dir)?;
        let scratch =
            tempfile::tempdir().map_err(|error| not_written(Path::new("a temporary directory"), &error))?;
        let lock = python::lock(&tools, requirements, scratch.path())?;
        let digest = lock.digest();
        let name = || format!("python-{}.wasm", digest.hex().get(..NAME_DIGITS).unwrap_or_default());
        let output = self.output.clone().unwrap_or_else(|| name().into());
        if self.output.is_none() && output.is_file() {
            ui.note(&format!("{} was built before", output.display()));
        } else {
            let _busy = ui.busy("building the runtime …");
            let site = python::fill(&tools, &lock, scratch.path())?;
            make(&tools, &site, scratch.path(), &output)?;
        }
        ui.result_line(&output.display().to_string())?;
        ui.flush()?;
        if !lock.is_empty() {
            ui.note(&format!("it has {}", lock.summary()));
        }
        ui.hint(&format!("hostel runtime install python {}", output.display()));
        Ok(Exit::Completed)
    }
}

/// The requirements cannot be read.
fn unreadable(requirements: &Path, error: &io::Error) -> Problem {
    let problem = Problem::unreadable(requirements.display(), error);
    if error.kind() == io::ErrorKind::NotFound { problem.hint(REQUIREMENTS) } else { problem }
}

/// Builds the runtime under another name, and renames it at the end.
fn make(tools: &Tools, site: &Path, scratch: &Path, output: &Path) -> Result<(), Problem> {
    let failed = |error: io::Error| not_written(output, &error);
    let dir = output.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = std::path::absolute(dir).map_err(failed)?;
    let unfinished = tempfile::Builder::new().prefix(".hostel-python-").tempdir_in(&dir).map_err(failed)?;
    let made = unfinished.path().join("python.wasm");
    python::build(tools, site, scratch, &made)?;
    fs::rename(&made, output).map_err(failed)
}

fn not_written(file: &Path, error: &io::Error) -> Problem {
    let kinds = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
    let kind = if kinds.contains(&error.kind()) { ErrorKind::Denied } else { ErrorKind::Internal };
    let error = without_number(&error.to_string());
    Problem::new(kind, format!("cannot write {}: {error}", file.display()))
}
