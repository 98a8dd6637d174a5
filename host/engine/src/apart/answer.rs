//! What a child answers: a line that says what follows, and the rest.

use std::io::{self, Write};

use crate::survey::{Bound, Excess};

/// The answer of a child.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An entry of the compile cache.
    Code {
        /// The name of the engine that it is for.
        engine: String,
        /// Whether it can only be inspected, and not run.
        is_surface: bool,
        /// The entry: its checksum and the code.
        entry: Vec<u8>,
    },
    /// The binary form of a text.
    Binary(Vec<u8>),
    /// The component in WIT.
    Wit(String),
    /// The component is refused.
    Refused(Refusal),
}

/// Why a component is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooComplex(Excess),
    Malformed(String),
    /// It is text with a mistake.
    Text(String),
    TooDemanding(String),
    /// The names of the features, in lines.
    Unsupported(String),
    Panicked(String),
    /// It cannot be written in WIT.
    NoWit(String),
    /// There was not enough memory, and the child could still say so.
    OutOfMemory,
    /// The child could not do its part.
    Failed(String),
}

impl Answer {
    /// Writes the answer.
    ///
    /// # Errors
    ///
    /// The error of the system.
    pub(crate) fn write(&self, output: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Code { engine, is_surface, entry } => {
                let kind = if *is_surface { "surface" } else { "code" };
                output.write_all(format!("{kind} {engine}\n").as_bytes())?;
                output.write_all(entry)
            }
            Self::Binary(binary) => {
                output.write_all(b"binary\n")?;
                output.write_all(binary)
            }
            Self::Wit(text) => {
                output.write_all(b"wit\n")?;
                output.write_all(text.as_bytes())
            }
            Self::Refused(refusal) => {
                let (kind, text) = refusal.parts();
                output.write_all(format!("{kind}\n{text}").as_bytes())
            }
        }
    }

    /// Reads an answer; `None` if it is malformed.
    pub(crate) fn read(mut answer: Vec<u8>) -> Option<Self> {
        let end = answer.iter().position(|byte| *byte == b'\n')?;
        let rest = answer.split_off(end + 1);
        answer.truncate(end);
        let line = String::from_utf8(answer).ok()?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["code", engine] => {
                Some(Self::Code { engine: engine.to_owned(), is_surface: false, entry: rest })
            }
            ["surface", engine] => {
                Some(Self::Code { engine: engine.to_owned(), is_surface: true, entry: rest })
            }
            ["binary"] => Some(Self::Binary(rest)),
            ["wit"] => Some(Self::Wit(String::from_utf8(rest).ok()?)),
            ref words => Some(Self::Refused(Refusal::read(words, String::from_utf8(rest).ok()?)?)),
        }
    }
}

impl Refusal {
    fn parts(&self) -> (String, &str) {
        match self {
            Self::TooComplex(Excess { bound, found, place }) => {
                (format!("too-complex {} {found}", *bound as usize), place)
            }
            Self::Malformed(text) => ("malformed".to_owned(), text),
            Self::Text(text) => ("text".to_owned(), text),
            Self::TooDemanding(text) => ("too-demanding".to_owned(), text),
            Self::Unsupported(text) => ("unsupported".to_owned(), text),
            Self::Panicked(text) => ("panicked".to_owned(), text),
            Self::NoWit(text) => ("no-wit".to_owned(), text),
            Self::OutOfMemory => ("out-of-memory".to_owned(), ""),
            Self::Failed(text) => ("failed".to_owned(), text),
        }
    }

    fn read(words: &[&str], text: String) -> Option<Self> {
        Some(match words {
            ["too-complex", bound, found] => {
                let bound = *Bound::ALL.get(bound.parse::<usize>().ok()?)?;
                Self::TooComplex(Excess { bound, found: found.parse().ok()?, place: text })
            }
            ["malformed"] => Self::Malformed(text),
            ["text"] => Self::Text(text),
            ["too-demanding"] => Self::TooDemanding(text),
            ["unsupported"] => Self::Unsupported(text),
            ["panicked"] => Self::Panicked(text),
            ["no-wit"] => Self::NoWit(text),
            ["out-of-memory"] => Self::OutOfMemory,
            ["failed"] => Self::Failed(text),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let text = || "a\nb".to_owned();
        let refusals = [
            Refusal::TooComplex(Excess { bound: Bound::Fields, found: 7, place: text() }),
            Refusal::Malformed(text()),
            Refusal::Text(text()),
            Refusal::TooDemanding(text()),
            Refusal::Unsupported(text()),
            Refusal::Panicked(text()),
            Refusal::NoWit(text()),
            Refusal::OutOfMemory,
            Refusal::Failed(text()),
        ];
        let code =
            |is_surface| Answer::Code { engine: "lean".to_owned(), is_surface, entry: b"a\nb\xff".to_vec() };
        let binary = Answer::Binary(b"\0asm\n\xff".to_vec());
        let others = [code(true), code(false), binary, Answer::Wit(text())];
        for answer in refusals.into_iter().map(Answer::Refused).chain(others) {
            let mut written = Vec::new();
            answer.write(&mut written).unwrap();
            assert_eq!(Answer::read(written), Some(answer));
        }
    }

    #[test]
    fn every_bound_has_its_number() {
        for (number, bound) in Bound::ALL.into_iter().enumerate() {
            assert_eq!(bound as usize, number);
        }
    }

    #[test]
    fn anything_else_is_no_answer() {
        for text in [
            "",
            "code lean",
            "\n",
            "code\n",
            "too-complex 99 1\n",
            "too-complex 1\n",
            "oops\n",
            "failed\n\u{0}",
        ] {
            let is_known = text.starts_with("failed");
            assert_eq!(Answer::read(text.into()).is_some(), is_known, "{text:?}");
        }
        assert_eq!(Answer::read(b"failed\n\xff".to_vec()), None);
    }
}
