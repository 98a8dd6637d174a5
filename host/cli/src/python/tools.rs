//! pip and componentize-py, in a virtual environment of their own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hostel::ErrorKind;
use hostel_wire::{printable, without_number};

use super::{COMPONENTIZE_PY, sources};
use crate::problem::Problem;
use crate::project::tools::on_path;
use crate::ui::Ui;

/// The lines of a tool's output that an error shows.
const LAST_LINES: usize = 15;

/// Starts componentize-py. Its own script names the path of the environment, which may have moved.
const START: &str = "import sys; from componentize_py import script; sys.exit(script())";

/// A virtual environment with componentize-py.
#[derive(Debug)]
pub(crate) struct Tools {
    python: PathBuf,
}

impl Tools {
    /// The tools in a directory, which are installed if they are not there.
    pub(crate) fn ready(ui: &Ui, dir: &Path) -> Result<Self, Problem> {
        let tools = Self { python: python_in(dir) };
        if tools.python.exists() && tools.has_componentize_py()? {
            return Ok(tools);
        }
        let problem = "missing: python3, which makes the runtime";
        let python = on_path("python3").ok_or_else(|| {
            Problem::new(ErrorKind::NotFound, problem)
                .hint("on Debian: sudo apt-get install python3 python3-venv")
        })?;
        let _busy = ui.busy(&format!("installing componentize-py {COMPONENTIZE_PY} …"));
        let failed = |error: io::Error| not_made(dir, &error);
        let parent = dir.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(failed)?;
        // Renamed when it is complete, so that no other process uses half of it.
        let unfinished =
            tempfile::Builder::new().prefix(".unfinished-").tempdir_in(parent).map_err(failed)?;
        let made = unfinished.path().join("tools");
        let mut command = Command::new(python);
        command.args(["-m", "venv"]).arg(&made);
        let hint = "on Debian: sudo apt-get install python3-venv";
        succeeded(&tools.output(command)?, "python3 cannot make a virtual environment", hint)?;
        let new = Self { python: python_in(&made) };
        let mut command = new.pip();
        command.args(["install", &format!("componentize-py=={COMPONENTIZE_PY}")]);
        succeeded(
            &tools.output(command)?,
            "pip cannot install componentize-py",
            "check the network, and pip's settings",
        )?;
        if let Err(error) = fs::rename(&made, dir)
            && !tools.has_componentize_py()?
        {
            return Err(not_made(dir, &error));
        }
        Ok(tools)
    }

    fn has_componentize_py(&self) -> Result<bool, Problem> {
        let mut command = Command::new(&self.python);
        let version = "import importlib.metadata as m; print(m.version('componentize-py'))";
        command.args(["-c", version]);
        let output = self.output(command)?;
        Ok(output.status.success() && output.stdout.trim_ascii() == COMPONENTIZE_PY.as_bytes())
    }

    /// pip, without questions.
    pub(super) fn pip(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-m", "pip", "--no-input", "--disable-pip-version-check"]);
        command
    }

    /// What a tool has printed, at its end.
    pub(super) fn output(&self, mut command: Command) -> Result<Output, Problem> {
        command.stdin(Stdio::null()).output().map_err(|error| {
            let error = without_number(&error.to_string());
            let tool = Path::new(command.get_program()).display();
            Problem::new(ErrorKind::Internal, format!("cannot start {tool}: {error}"))
        })
    }
}

/// Makes a runtime with these packages.
pub(crate) fn build(tools: &Tools, site: &Path, scratch: &Path, output: &Path) -> Result<(), Problem> {
    let unwritable = |error| Problem::unreadable(scratch.display(), &error);
    sources::write(scratch).map_err(unwritable)?;
    // The first step writes a file for the second one beside the sources: see library.py.
    componentize(tools, scratch, "library", &[], output)?;
    componentize(tools, scratch, "app", &[site], output)
}

/// Makes a component from a module of the sources.
fn componentize(
    tools: &Tools,
    scratch: &Path,
    module: &str,
    sites: &[&Path],
    output: &Path,
) -> Result<(), Problem> {
    let mut command = Command::new(&tools.python);
    command.current_dir(scratch).args([
        "-c",
        START,
        "-d",
        "wit",
        "-w",
        "python",
        "componentize",
        "-p",
        "python",
    ]);
    for site in sites {
        command.arg("-p").arg(site);
    }
    command.args([module, "-o"]).arg(output);
    let output = tools.output(command)?;
    if output.status.success() {
        return Ok(());
    }
    let text = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
    let problem = format!("componentize-py cannot make the runtime\n{}", last_lines(&text));
    Err(Problem::invalid(problem).hint("a package that fails when it is imported may be the reason"))
}

/// The last lines of a tool's output, safe for a terminal.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(LAST_LINES);
    let last = lines.iter().skip(first).map(|line| printable(line));
    last.collect::<Vec<_>>().join("\n")
}

fn succeeded(output: &Output, problem: &str, hint: &str) -> Result<(), Problem> {
    if output.status.success() {
        return Ok(());
    }
    let reason = last_lines(&String::from_utf8_lossy(&output.stderr));
    Err(Problem::new(ErrorKind::Unavailable, format!("{problem}\n{reason}")).hint(hint))
}

fn python_in(dir: &Path) -> PathBuf {
    dir.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

fn not_made(dir: &Path, error: &io::Error) -> Problem {
    let error = without_number(&error.to_string());
    Problem::new(ErrorKind::Internal, format!("cannot make the directory {}: {error}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_the_last_lines_of_a_tool() {
        let text: String = (0..30).map(|line| format!("line {line}\n\n")).collect();
        let shown = last_lines(&text);
        assert!(shown.starts_with("line 15\n") && shown.ends_with("\nline 29"), "{shown}");
        assert_eq!(last_lines(""), "");
    }
}
