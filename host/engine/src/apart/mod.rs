//! Compiling in a process of its own, whose memory and processor time the system limits: the bounds of the survey cannot know
//! every way to make the compiler slow.
//!
//! The parent starts a program, writes a [`Request`] with the component to its stdin, and reads the [`Answer`] from its stdout:
//! compiled code in the form of an entry of the compile cache, with its checksum, or the reason for a refusal. Long text is
//! assembled in the same way, because that can take quadratic time. The child limits
//! itself before it reads the component, and ends when its stdin does: the parent closes it only after the answer, or by ending. It
//! stores nothing: the parent does, so a full disk costs no more than the next compile.

mod answer;
mod limits;
mod orphan;
mod request;

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

pub(crate) use self::answer::{Answer, Refusal};
pub use self::limits::CompileLimit;
pub(crate) use self::limits::{Limits, is_lack_of_memory};
pub(crate) use self::orphan::when_it_ends;
pub(crate) use self::request::{Purpose, Request};

/// The argument with which the program is started.
pub const COMPILE_APART: &str = "compile-apart";

/// The maximum size of an answer: several times the compiled code of the largest interpreters, with 256 MiB of data.
const MAX_ANSWER_BYTES: u64 = 1 << 30;

/// The number of bytes of the child's messages that are kept.
const KEPT_MESSAGE_BYTES: u64 = 4 << 10;

/// The reason why there is no answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The child reached a limit.
    Limit(CompileLimit),
    /// It could not be started, or ended otherwise.
    Child(String),
}

/// Has `program` compile a component. Blocks the calling thread until the child has ended.
pub(crate) fn ask(program: &Path, request: &Request, component: &[u8]) -> Result<Answer, Failed> {
    let mut command = Command::new(program);
    // If its allocator is mimalloc, it would commit a gigabyte in advance, and all of that would count as used.
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    command.arg(COMPILE_APART).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| Failed::Child(format!("cannot start {}: {error}", program.display())))?;
    let answered = exchange(&mut child, request, component);
    if answered.is_err() {
        // It may be waiting for something to read, or have too much to say. If it has ended, there is nothing to kill.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| Failed::Child(error.to_string()))?;
    let (answer, message) = answered.map_err(|error| Failed::Child(error.to_string()))?;
    if !status.success() {
        return Err(failed(status, &message, &request.limits));
    }
    Answer::read(answer).ok_or_else(|| Failed::Child("its answer is malformed".to_owned()))
}

/// Writes the request, and reads the answer and the child's messages.
fn exchange(child: &mut Child, request: &Request, component: &[u8]) -> io::Result<(Vec<u8>, String)> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("it has no pipes"));
    };
    thread::scope(|scope| {
        let messages = scope.spawn(move || message(stderr));
        // It reads everything before it answers. If it ends early, its status tells why.
        let _ = stdin.write_all(request.header().as_bytes()).and_then(|()| stdin.write_all(component));
        let mut answer = Vec::new();
        let read = stdout.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut answer);
        // Not before: its end tells the child that nobody waits for the answer any more.
        drop(stdin);
        read?;
        if answer.len() as u64 > MAX_ANSWER_BYTES {
            // Its messages end when it does.
            child.kill()?;
            return Err(io::Error::other("its answer is too long"));
        }
        Ok((answer, messages.join().unwrap_or_default()))
    })
}

/// The beginning of what the child writes to stderr, all of which is read.
fn message(mut stderr: impl Read) -> String {
    let mut kept = Vec::new();
    let _ = stderr.by_ref().take(KEPT_MESSAGE_BYTES).read_to_end(&mut kept);
    let _ = io::copy(&mut stderr, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}

/// Why a child ended without success.
fn failed(status: ExitStatus, message: &str, limits: &Limits) -> Failed {
    if limits::is_out_of_time(status) {
        return Failed::Limit(CompileLimit::Processor { seconds: limits.seconds });
    }
    if is_lack_of_memory(message) {
        return Failed::Limit(CompileLimit::Memory { bytes: limits.memory_bytes });
    }
    let last = message.lines().map(str::trim).find(|line| !line.is_empty());
    Failed::Child(last.map_or_else(|| status.to_string(), |line| format!("{status}: {line}")))
}
