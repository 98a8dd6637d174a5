//! Parses the words of a command line.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser};

use crate::arguments::MARK;
use crate::command::{Command, CommandLine};
use crate::commands::run::Run;
use crate::ui::text::one_line;

/// Parses the words, the first of which is the program's name. The error is safe to show.
pub(crate) fn parse(words: &[OsString]) -> Result<CommandLine, clap::Error> {
    let parsed = matches(words).and_then(|matches| {
        let mut line = CommandLine::from_arg_matches(&matches)?;
        if let (Command::Run(run), Some((_, matches))) = (&mut line.command, matches.subcommand()) {
            run.late_option = late_option(matches);
        }
        Ok(line)
    });
    parsed.map_err(|error| harmless(whole_word(error, words), words))
}

/// Treats numbers such as `-1e-3` and `-inf` as arguments; clap treats them as options.
fn matches(words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let read = |words: &[OsString]| CommandLine::command().try_get_matches_from(words);
    let error = match read(words) {
        Err(error) if error.kind() == ErrorKind::UnknownArgument => error,
        read => return read,
    };
    let (marked, count) = marked(words);
    match read(&marked) {
        Ok(matches) if marks_in_arguments(&matches) == count => Ok(matches),
        _ => Err(error),
    }
}

/// The words with a mark before each negative number before `--`, and the number of marks.
fn marked(words: &[OsString]) -> (Vec<OsString>, usize) {
    let options = words.iter().take_while(|word| *word != "--").count();
    let mut count = 0;
    let marked = words.iter().enumerate().map(|(place, word)| match word.to_str() {
        Some(text) if place < options && is_negative_number(text) => {
            count += 1;
            format!("{MARK}{text}").into()
        }
        _ => word.clone(),
    });
    (marked.collect(), count)
}

fn is_negative_number(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| {
        let begins = rest.starts_with(|first: char| first.is_ascii_digit() || first == '.');
        rest == "inf" || begins && rest.parse::<f64>().is_ok()
    })
}

fn marks_in_arguments(matches: &ArgMatches) -> usize {
    let arguments = matches.subcommand().and_then(|(_, matches)| matches.try_get_raw("args").ok()?);
    let is_marked = |word: &&OsStr| word.to_str().is_some_and(|text| text.starts_with(MARK));
    arguments.into_iter().flatten().filter(is_marked).count()
}

/// The first option after an argument: with a program it is ambiguous.
fn late_option(matches: &ArgMatches) -> Option<String> {
    let first = matches.indices_of("args")?.min()?;
    let late = |id: &str| {
        let is_typed = matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
        matches.indices_of(id).filter(|_| is_typed)?.max().filter(|place| *place > first)
    };
    // To describe the options takes longer than to see that none of them is late.
    matches.ids().find(|id| *id != "args" && late(id.as_str()).is_some())?;
    let command = Run::augment_args(clap::Command::new("run"));
    let options = command.get_arguments().filter(|option| !option.is_positional());
    let late = options.filter_map(|option| {
        let place = late(option.get_id().as_str())?;
        Some((place, option.get_long().map(|long| format!("--{long}"))?))
    });
    late.min().map(|(_, option)| option)
}

/// Names an unknown option by the whole word, and not by one of its letters.
fn whole_word(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else { return error };
    let is_letter = error.kind() == ErrorKind::UnknownArgument && named.len() == 2;
    let mut typed = words.iter().filter_map(|word| word.to_str());
    let longer = typed.find(|word| word.starts_with(&**named) && !word.starts_with("--"));
    if let Some(word) = longer.filter(|_| is_letter) {
        let tip = format!("to pass '{word}' as a value, use '-- {word}'");
        error.insert(ContextKind::InvalidArg, ContextValue::String(word.to_owned()));
        if error.get(ContextKind::Suggested).is_some() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
    }
    error
}

/// The error with its quoted words escaped: a shell may have inserted the names of files that a guest created.
fn harmless(error: clap::Error, words: &[OsString]) -> clap::Error {
    if !error.use_stderr() {
        return error;
    }
    let shown: Vec<OsString> = words.iter().map(|word| one_line(&word.to_string_lossy()).into()).collect();
    if shown == words {
        return error;
    }
    // The escaped words are as wrong as the original ones, except in unlikely cases. Then only the kind of the first error is shown.
    match CommandLine::try_parse_from(&shown) {
        Err(other) => whole_word(other, &shown),
        Ok(_) => {
            CommandLine::command().error(error.kind(), "an argument contains characters that cannot be shown")
        }
    }
}
