//! Scripts for a puppet, made up from a seed.

use fastrand::Rng;

use super::world::{LETTERS, NAMES};

/// A script.
pub(crate) struct Script {
    pub(crate) text: String,
    /// What it asks that is no function of any key.
    impure: Option<&'static str>,
}

/// What is no function of any key; the puppet does it whatever the world is like.
const IMPURE: [&str; 6] = ["now", "ticks", "random", "run", "attempt", "look-up localhost"];

/// What of it follows from the key where clocks are virtual and randomness is the key's.
const OF_CLOCKS_AND_RANDOMNESS: [&str; 3] = ["now", "ticks", "random"];

/// What sounds as if it were not.
const PURE: [&str; 9] = [
    "seed",
    "order one two three four five",
    "sleep 0",
    "environment",
    "input",
    "task",
    "print something",
    "write a",
    "grow 1",
];

/// More than any limit gives.
const REFUSED: &str = "grow 65000";

impl Script {
    pub(crate) fn made_up(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut lines: Vec<_> = (0..rng.usize(1..7)).map(|_| line(&mut rng)).collect();
        let mut impure = None;
        if rng.u8(0..5) == 0 {
            let line = if rng.u8(0..8) == 0 { REFUSED } else { IMPURE[rng.usize(..IMPURE.len())] };
            lines.insert(rng.usize(..=lines.len()), line.to_owned());
            impure = Some(line);
        }
        Self { text: lines.join("\n"), impure }
    }

    /// Whether what it asks, whatever the answers are, follows from inputs, grants and files.
    pub(crate) fn is_pure(&self, deterministic: bool) -> bool {
        self.impure.is_none_or(|line| deterministic && OF_CLOCKS_AND_RANDOMNESS.contains(&line))
    }
}

fn line(rng: &mut Rng) -> String {
    let command = if rng.u8(0..6) == 0 { PURE[rng.usize(..PURE.len())].to_owned() } else { question(rng) };
    match rng.u8(0..6) {
        0 => format!("if {} : {command}", word(rng)),
        1 => format!("unless {} : {command}", word(rng)),
        _ => command,
    }
}

/// What an answer may contain.
fn word(rng: &mut Rng) -> String {
    let words = ["NoEntry", "Directory", "RegularFile", "a", "Access"];
    match rng.usize(..words.len() * 2) {
        index if index < words.len() => words[index].to_owned(),
        _ => rng.choice(LETTERS).into_iter().collect(),
    }
}

fn question(rng: &mut Rng) -> String {
    let mut name = || NAMES[rng.usize(..NAMES.len())];
    let (one, other) = (name(), name());
    match rng.u8(0..16) {
        0..4 => format!("read {one}"),
        14 => format!("length {one}"),
        15 => format!("exclusive {one}"),
        4 => format!("part {} {} {one}", rng.u8(0..6), rng.u8(0..12)),
        5 => format!("stat {one}"),
        6 => format!("lstat {one}"),
        7 | 8 => format!("list {one}"),
        9 => format!("link {one}"),
        10 => format!("hash {one}"),
        11 => format!("type {one}"),
        12 => format!("same {one} {other}"),
        _ => match rng.bool() {
            true => format!("into {one} {}", ["a", "b", "../a", "."][rng.usize(..4)]),
            false => "again".to_owned(),
        },
    }
}
