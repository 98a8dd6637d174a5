//! Runs the binary in a directory of its own, and writes down what happened as one would see it in a terminal.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;

use tempfile::TempDir;

/// Compiled once for all tests of a process.
static COMPILED: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// A directory with all guests in it, for the commands of one test.
pub(crate) struct Place {
    dir: TempDir,
    data_dir: Option<TempDir>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// Shares its data directory with the other tests, for compiled code only: every run executes.
    pub(crate) fn new() -> Self {
        let place = Self::bare();
        place.write("hostel.toml", "[defaults]\ncache = \"none\"\n");
        place
    }

    fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let guests = hostel_guests::all().iter().map(|(name, path)| (format!("{name}.wasm"), path));
        let texts = hostel_guests::wat::all().iter().map(|(name, path)| (format!("{name}.wat"), path));
        for (name, path) in guests.chain(texts) {
            link(Path::new(path), &dir.path().join(name));
        }
        Self { dir, data_dir: None }
    }

    /// Has a data directory of its own.
    pub(crate) fn with_data_dir() -> Self {
        Self { data_dir: Some(tempfile::tempdir().unwrap()), ..Self::bare() }
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.data_dir.as_ref().map_or(COMPILED.path(), TempDir::path)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.dir.path().join(name), content).unwrap();
    }

    /// The command that `line` means to a shell, after `hostel`.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostel"));
        command
            .args(words(line))
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOSTEL_DATA_DIR", self.data_dir())
            .stdin(Stdio::null());
        command
    }

    /// Starts a command with pipes all around.
    pub(crate) fn start(&self, line: &str) -> Child {
        let mut command = self.command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line).output().unwrap())
    }

    pub(crate) fn run_with_stdin(&self, line: &str, stdin: impl Into<Vec<u8>>) -> Ran {
        let mut child = self.start(line);
        let mut pipe = child.stdin.take().unwrap();
        let stdin = stdin.into();
        // The command may end before it has read everything.
        let writer = thread::spawn(move || pipe.write_all(&stdin));
        let ran = Ran::of(child.wait_with_output().unwrap());
        let _ = writer.join().unwrap();
        ran
    }

    /// What a terminal shows of these commands.
    pub(crate) fn session(&self, lines: &[&str]) -> String {
        let mut session = String::new();
        for line in lines {
            let ran = self.run(line);
            write!(session, "$ hostel {line}\n{ran}\n").unwrap();
        }
        session.trim_end().to_owned()
    }
}

impl Ran {
    pub(crate) fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code, not a signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The last line on stderr.
    pub(crate) fn last(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.stdout)?;
        self.stderr.lines().try_for_each(|line| writeln!(f, "! {line}"))?;
        match self.code {
            0 => Ok(()),
            code => writeln!(f, "[exit code {code}]"),
        }
    }
}

/// Does to a command what Ctrl-C does.
#[cfg(unix)]
pub(crate) fn interrupt(child: &Child) {
    send("INT", child);
}

/// Sends a signal, such as `TERM`.
#[cfg(unix)]
pub(crate) fn send(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Compares with a file in `snapshots/`, but for times, rates, digests, sizes and ids. Lines of stderr begin with `!`.
macro_rules! check {
    ($name:expr, $text:expr) => {
        insta::with_settings!({
            filters => crate::hostel::FILTERS.to_vec(),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}
pub(crate) use check;

pub(crate) const FILTERS: [(&str, &str); 11] = [
    (r"\b\d+(\.\d+)? m?s\b", "[TIME]"),
    (r"\([\d,.]+/s\)", "([RATE])"),
    // The name of a run that nobody named ends with the end of its id.
    (r#""name":"([a-z-]+)-[0-9a-f]{3}""#, r#""name":"$1-[ID]""#),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[AT]"),
    (r#""(duration|cpu)_ms":[\d.]+"#, r#""$1_ms":[MS]"#),
    (r"(?m)^! +\d+\.\d{3}s", "! [AT]"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[RUN]"),
    (r"sha256:[0-9a-f]{64}", "[DIGEST]"),
    (r"[0-9a-f]{64}(-[0-9a-f]{16})?", "[HEX]"),
    (r"(size    )\d.*", "$1[SIZE]"),
    // Where the sections of a guest end depends on the compiler that made it.
    (r"section range \d+\.\.\d+ is", "section range [RANGE] is"),
];

/// A copy, where there can be no link.
fn link(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}

/// Splits a line as a shell does, as far as these tests need it: at blanks, but not between single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for character in line.chars() {
        match character {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.into_iter().chain(word).collect()
}
