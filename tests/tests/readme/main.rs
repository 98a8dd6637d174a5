//! The README tells the truth: its session at the command line goes as it says, and its numbers are the code's. Its
//! program is a doctest of this package.

#![cfg(test)]

mod facts;
mod pattern;
mod session;

/// The text of the README.
const README: &str = include_str!("../../../README.md");
