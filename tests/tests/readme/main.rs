//! The README and the pages in `docs/` tell the truth: their sessions at the command line go as they say, and their
//! numbers are the code's. The README's program is a doctest of this package.

#![cfg(test)]

mod facts;
mod pattern;
mod session;

/// The text of the README.
const README: &str = include_str!("../../../README.md");

/// The long session.
const TUTORIAL: &str = include_str!("../../../docs/tutorial.md");

/// The options, and an example of `hostel.toml`.
const COMMAND_LINE: &str = include_str!("../../../docs/command-line.md");

/// The table of limits.
const LIMITS: &str = include_str!("../../../docs/limits.md");
