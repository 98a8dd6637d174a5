//! An ordinary program: no WIT, no bindings, only `main`. As a component it exports `wasi:cli/run`.
//!
//! ```text
//! command WORD...          prints the words in capitals
//! command                  prints standard input in capitals
//! command --argv ...       prints its argv, one per line, numbered from 0
//! command --fail [WORD...] prints the words to standard error and exits with 1
//! command --bytes          prints the first bytes of a PNG file, which are no text
//! command --cat            prints standard input as it is
//! command --head N         prints the first N lines of standard input as they come, and reads no more
//! command --cat-and-fail   prints standard input as it is, and exits with 1
//! command --break WORD...  prints the words without a line break, and exits with 1
//! command --flood          prints more than a pipe holds, and waits for ever
//! command --hang WORD...   prints the words without a line break, and waits for ever
//! ```

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let argv: Vec<String> = std::env::args().collect();
    let arguments = argv.get(1..).unwrap_or_default();
    let done = match arguments {
        [] => shout_stdin(),
        [flag, ..] if flag == "--argv" => show(&argv),
        [flag, words @ ..] if flag == "--fail" => Err(io::Error::other(failure(words))),
        [flag] if flag == "--bytes" => io::stdout().write_all(b"\x89PNG\r\n\x1a\n\xff\0"),
        [flag] if flag == "--cat" => cat(),
        [flag, count] if flag == "--head" => head(count),
        [flag] if flag == "--cat-and-fail" => cat().and(Err(io::Error::other("told to fail"))),
        [flag, words @ ..] if flag == "--break" => print_now(words).and(Err(io::Error::other("broken"))),
        [flag] if flag == "--flood" => flood().map(|()| wait_for_ever()),
        [flag, words @ ..] if flag == "--hang" => print_now(words).map(|()| wait_for_ever()),
        words => writeln!(io::stdout(), "{}", words.join(" ").to_uppercase()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("command: {error}");
            ExitCode::FAILURE
        }
    }
}

fn shout_stdin() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", line?.to_uppercase())?;
    }
    Ok(())
}

fn cat() -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::stdout()).map(drop)
}

fn head(count: &str) -> io::Result<()> {
    let count = count.parse().map_err(io::Error::other)?;
    for line in io::stdin().lock().lines().take(count) {
        writeln!(io::stdout(), "{}", line?)?;
    }
    io::stdout().flush()
}

fn show(argv: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (n, argument) in argv.iter().enumerate() {
        writeln!(out, "{n}: {argument}")?;
    }
    Ok(())
}

fn print_now(words: &[String]) -> io::Result<()> {
    write!(io::stdout(), "{}", words.join(" "))?;
    io::stdout().flush()
}

fn flood() -> io::Result<()> {
    let line = [b'.'; 1_000];
    for _ in 0..300 {
        io::stdout().write_all(&line)?;
    }
    io::stdout().flush()
}

fn wait_for_ever() {
    loop {
        thread::sleep(Duration::MAX);
    }
}

fn failure(words: &[String]) -> String {
    if words.is_empty() { "told to fail".to_owned() } else { words.join(" ") }
}
