//! A tour of the `hostel` command: `cargo run --release -p hostel-cli --example tour`.
//!
//! Each step is a real command on the guest examples of this repository, in a process of its own and in a temporary
//! directory that is gone afterwards. This program is its own `hostel`, so that none need be installed.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// The first argument that makes this program a `hostel`.
const HOSTEL: &str = "hostel";

/// How many pages of text there are to be counted.
const PAGES: usize = 5_000;

/// How many words a page has at the most.
const PAGE_WORDS: usize = 400;

struct Step {
    says: &'static str,
    /// What one would type after `hostel`.
    command: &'static str,
    /// How many of its last lines are shown, as by `| tail -n 3`; all without.
    tail: Option<usize>,
    /// How it is meant to end.
    exit_code: i32,
}

const STEPS: [Step; 9] = [
    Step {
        says: "A component is a file. Every function it exports is a task, and its imports are all it may ask for.",
        command: "inspect arith.wasm",
        tail: None,
        exit_code: 0,
    },
    Step {
        says: "One run, in a sandbox that is made for it and gone after it.",
        command: "run arith.wasm#add 40 2",
        tail: None,
        exit_code: 0,
    },
    Step {
        says: "Many runs at once. Ten elevators sleep together: all of it takes as long as the way to the top.",
        command: "map elevator.wasm#stop-at-floor --over floor=[10,9,8,7,6,5,4,3,2,1] --with ms-per-floor=200 --as-completed --output wave",
        tail: None,
        exit_code: 0,
    },
    Step {
        says: "Real input: 5,000 pages of text in a file, whose words are counted. The results are kept.",
        command: "map text.wasm#word-count --over text=@pages.jsonl",
        tail: Some(3),
        exit_code: 0,
    },
    Step {
        says: "The same again, in another process. Nothing runs: every result is known, and known to be right.",
        command: "map text.wasm#word-count --over text=@pages.jsonl",
        tail: Some(3),
        exit_code: 0,
    },
    Step {
        says: "Two of five fail. The others do not mind, and each line stays in its place.",
        command: "map batch.wasm#process-data --over item=[1,-2,3,-4,5]",
        tail: None,
        exit_code: 1,
    },
    Step {
        says: "A crash harms nobody else, and tells where it happened.",
        command: "run arith.wasm#add 9223372036854775807 1",
        tail: None,
        exit_code: 1,
    },
    Step {
        says: "A loop without end is stopped all the same.",
        command: "run spin-forever.wasm#spin --timeout 300ms",
        tail: None,
        exit_code: 1,
    },
    Step {
        says: "A guest that looks around finds nothing: no files, no variables, no network.",
        command: "run peek.wasm#everything --output table",
        tail: None,
        exit_code: 0,
    },
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if env::args_os().nth(1).is_some_and(|first| first == HOSTEL) {
        return Ok(hostel_cli::run(env::args_os().skip(1)));
    }
    let began = Instant::now();
    let desk = tempfile::tempdir()?;
    for (name, path) in hostel_guests::all() {
        fs::copy(path, desk.path().join(name).with_extension("wasm"))?;
    }
    write_pages(&desk.path().join("pages.jsonl"))?;
    for step in &STEPS {
        step.take(desk.path())?;
    }
    say(&format!(
        "\nThat was the tour, in {:.1} s. `hostel --help` tells more.\n",
        began.elapsed().as_secs_f64()
    ))?;
    Ok(ExitCode::SUCCESS)
}

impl Step {
    /// Shows the step.
    fn take(&self, desk: &Path) -> Result<(), Box<dyn Error>> {
        let (bold, dim, plain) = match io::stdout().is_terminal() {
            true => ("\x1b[1m", "\x1b[2m", "\x1b[0m"),
            false => ("", "", ""),
        };
        let Self { says, command, .. } = self;
        let pipe = self.tail.map(|lines| format!(" | tail -n {lines}")).unwrap_or_default();
        say(&format!("\n{dim}{says}{plain}\n{bold}$ hostel {command}{pipe}{plain}\n"))?;

        let mut hostel = Command::new(env::current_exe()?);
        hostel
            .arg(HOSTEL)
            .args(command.split(' '))
            .current_dir(desk)
            .env("HOSTEL_DATA_DIR", desk.join("data"));
        if self.tail.is_some() {
            hostel.stdout(Stdio::piped());
        }
        let mut hostel = hostel.spawn()?;
        let tail = match (self.tail, hostel.stdout.take()) {
            (Some(lines), Some(stdout)) => last(BufReader::new(stdout), lines)?,
            _ => Vec::new(),
        };
        let ended = hostel.wait()?;
        say(&tail.concat())?;
        if ended.code() == Some(self.exit_code) {
            Ok(())
        } else {
            Err(format!("it ended with {ended}, and was meant to end with exit code {}", self.exit_code)
                .into())
        }
    }
}

/// The last lines of a text.
fn last(text: impl BufRead, number: usize) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(line? + "\n");
        if lines.len() > number {
            lines.remove(0);
        }
    }
    Ok(lines)
}

/// Writes pages as JSON Lines, each a text of its own.
fn write_pages(path: &Path) -> io::Result<()> {
    const WORDS: [&str; 12] =
        ["a", "guest", "who", "comes", "by", "night", "gets", "bed", "and", "bread", "no", "questions"];
    let mut file = BufWriter::new(File::create(path)?);
    let mut random: usize = 1;
    for page in 1..=PAGES {
        // A linear congruential generator: the same pages every time.
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let length = next(PAGE_WORDS) + 1;
        let words: Vec<&str> = (0..length).filter_map(|_| WORDS.get(next(WORDS.len())).copied()).collect();
        writeln!(file, "\"Page {page}: {}.\"", words.join(" "))?;
    }
    file.flush()
}

fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
