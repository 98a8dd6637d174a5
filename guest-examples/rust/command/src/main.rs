//! An ordinary program: no WIT, no bindings, only `main`. As a component it exports `wasi:cli/run`.
//!
//! ```text
//! command WORD...          prints the words in capitals
//! command                  prints standard input in capitals
//! command --argv ...       prints its argv, one per line, numbered from 0
//! command --fail [WORD...] prints the words to standard error and exits with 1
//! ```

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let argv: Vec<String> = std::env::args().collect();
    let arguments = argv.get(1..).unwrap_or_default();
    let done = match arguments {
        [] => shout_stdin(),
        [flag, ..] if flag == "--argv" => show(&argv),
        [flag, words @ ..] if flag == "--fail" => Err(io::Error::other(failure(words))),
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

fn show(argv: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (n, argument) in argv.iter().enumerate() {
        writeln!(out, "{n}: {argument}")?;
    }
    Ok(())
}

fn failure(words: &[String]) -> String {
    if words.is_empty() { "told to fail".to_owned() } else { words.join(" ") }
}
