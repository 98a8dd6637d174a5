//! The language of scripts.

use crate::changes::{Change, TreeChange};
use crate::files::Question;
use crate::network;

/// One command.
pub(crate) enum Command<'a> {
    /// `now`: nanoseconds since 1970.
    Now,
    /// `ticks`: the monotonic clock.
    Ticks,
    /// `random`: a number.
    Random,
    /// `seed`: the seed of hash maps.
    Seed,
    /// `order WORDS`: the words in the order of a hash map.
    Order(&'a str),
    /// `sleep MS`.
    Sleep(u64),
    /// `environment`: all variables.
    Environment,
    /// `input`: what stdin has.
    Input,
    /// `look-up NAME`: whether a host has an address.
    LookUp(&'a str),
    /// `grow PAGES`: whether there is so much more memory.
    Grow(usize),
    /// `run`: the run's id.
    Run,
    /// `attempt`: its number.
    Attempt,
    /// `task`: the task's name.
    Task,
    /// `print TEXT`.
    Print(&'a str),
    /// What is asked of files, and done to them.
    Files(Question<'a>),
    /// `repeat TIMES COMMAND`: the different answers to one command.
    Repeat(u64, &'a str),
    /// What is asked of the network.
    Network(network::Question<'a>),
}

/// Reads a line; `None` if what it says depends on the last answer, and that is another.
///
/// `if TEXT : COMMAND` carries the command out if the last answer contains the text, `unless TEXT : COMMAND` if not.
pub(crate) fn command<'a>(line: &'a str, last: &str) -> Result<Option<Command<'a>>, String> {
    for (word, wanted) in [("if ", true), ("unless ", false)] {
        if let Some((text, line)) = line.strip_prefix(word).and_then(|rest| rest.split_once(" : ")) {
            return if last.contains(text) == wanted { command(line, last) } else { Ok(None) };
        }
    }
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let two = |what: &str| rest.split_once(' ').ok_or_else(|| format!("{what}: {line}"));
    let number = |text: &str| text.parse().map_err(|_| format!("no number: {line}"));
    Ok(Some(match word {
        "now" => Command::Now,
        "ticks" => Command::Ticks,
        "random" => Command::Random,
        "seed" => Command::Seed,
        "order" => Command::Order(rest),
        "sleep" => Command::Sleep(number(rest)?),
        "environment" => Command::Environment,
        "input" => Command::Input,
        "look-up" => Command::LookUp(rest),
        "grow" => Command::Grow(number(rest)? as usize),
        "run" => Command::Run,
        "attempt" => Command::Attempt,
        "task" => Command::Task,
        "print" => Command::Print(rest),
        "read" => Command::Files(Question::Read(rest)),
        "exclusive" => Command::Files(Question::Exclusive(rest)),
        "length" => Command::Files(Question::Length(rest)),
        "part" => {
            let words: Vec<_> = rest.splitn(3, ' ').collect();
            let [offset, length, path] = words[..] else {
                return Err(format!("part OFFSET LENGTH PATH: {line}"));
            };
            Command::Files(Question::Part { path, offset: number(offset)?, length: number(length)? })
        }
        "stat" => Command::Files(Question::Stat(rest)),
        "lstat" => Command::Files(Question::StatLink(rest)),
        "list" => Command::Files(Question::List(rest)),
        "lists" => Command::Files(lists(rest)?),
        "link" => Command::Files(Question::Link(rest)),
        "hash" => Command::Files(Question::Hash(rest)),
        "type" => Command::Files(Question::Type(rest)),
        "same" => {
            let (one, other) = two("same ONE OTHER")?;
            Command::Files(Question::Same(one, other))
        }
        "into" => {
            let (dir, path) = two("into DIR PATH")?;
            Command::Files(Question::Into(dir, path))
        }
        "again" => Command::Files(Question::Again),
        "write" => Command::Files(Question::Write(rest)),
        "repeat" => {
            let (times, command) =
                rest.split_once(' ').ok_or_else(|| format!("repeat TIMES COMMAND: {line}"))?;
            Command::Repeat(number(times)?, command)
        }
        _ => match change(word, rest)? {
            Some(change) => Command::Files(Question::Change(change)),
            None => Command::Network(of_network(word, rest, line)?),
        },
    }))
}

/// Reads `lists NUMBER PATH`.
fn lists(rest: &str) -> Result<Question<'_>, String> {
    let read =
        rest.split_once(' ').and_then(|(number, path)| Some(Question::Lists(number.parse().ok()?, path)));
    read.ok_or_else(|| format!("lists NUMBER PATH: {rest}"))
}

/// Reads a command that changes something; `None` if it is another.
fn change<'a>(word: &str, rest: &'a str) -> Result<Option<Change<'a>>, String> {
    let two = || rest.split_once(' ').ok_or_else(|| format!("one word is missing: {word} {rest}"));
    let counted = || {
        let (count, rest) = two()?;
        let count: u64 = count.parse().map_err(|_| format!("no number: {word} {rest}"))?;
        Ok::<_, String>((count, rest))
    };
    let three = || {
        let (offset, rest) = counted()?;
        let (path, text) = rest.split_once(' ').ok_or_else(|| format!("OFFSET PATH TEXT: {word} {rest}"))?;
        Ok::<_, String>((offset, path, text))
    };
    Ok(Some(match word {
        "put" => two().map(|(path, text)| Change::Put(path, text))?,
        "make" => Change::Make(rest),
        "at" => three().map(|(offset, path, text)| Change::At { path, offset, text })?,
        "stream" => three().map(|(offset, path, text)| Change::Stream { path, offset, text })?,
        "append" => two().map(|(path, text)| Change::Append(path, text))?,
        "resize" => counted().map(|(size, path)| Change::Resize { path, size })?,
        "stamp" => counted().map(|(seconds, path)| Change::Stamp { path, seconds })?,
        "sync" => Change::Sync(rest),
        "unasked" => two().map(|(path, text)| Change::WriteUnasked(path, text))?,
        "hold" => counted().map(|(count, path)| Change::Hold { path, count })?,
        "stamp-at" => counted().map(|(seconds, path)| Change::Tree(TreeChange::StampAt { path, seconds }))?,
        "make-dir" => Change::Tree(TreeChange::MakeDir(rest)),
        "remove-dir" => Change::Tree(TreeChange::RemoveDir(rest)),
        "remove" => Change::Tree(TreeChange::Remove(rest)),
        "rename" => two().map(|(old, new)| Change::Tree(TreeChange::Rename(old, new)))?,
        "hard-link" => two().map(|(old, new)| Change::Tree(TreeChange::HardLink(old, new)))?,
        "soft-link" => two().map(|(target, new)| Change::Tree(TreeChange::SoftLink(target, new)))?,
        _ => return Ok(None),
    }))
}

fn of_network<'a>(word: &str, rest: &'a str, line: &str) -> Result<network::Question<'a>, String> {
    let two = |what: &str| rest.split_once(' ').ok_or_else(|| format!("{what}: {line}"));
    Ok(match word {
        "addresses" => network::Question::Addresses(rest),
        "tcp" => {
            let (address, text) = two("tcp ADDRESS:PORT TEXT")?;
            network::Question::Tcp(address, text)
        }
        "udp" => {
            let (address, text) = two("udp ADDRESS:PORT TEXT")?;
            network::Question::Udp(address, text)
        }
        "listen" => network::Question::Listen(rest),
        "bind-udp" => network::Question::BindUdp(rest),
        "sockets" => network::Question::Sockets(rest.parse().map_err(|_| format!("no number: {line}"))?),
        "http" => {
            let (method, rest) = two("http METHOD URL HEADERS")?;
            let (url, headers) = rest.split_once(' ').unwrap_or((rest, ""));
            network::Question::Http { method, url, headers }
        }
        _ => return Err(format!("not understood: {line}")),
    })
}
