//! What a parent asks for.

use std::io::{self, BufRead, Read};

use super::limits::Limits;

/// The maximum length of the line before a component.
const MAX_HEADER_BYTES: u64 = 200;

/// What to do with the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be run soon: quickly compiled if it is large.
    Run,
    /// To be run for long: compiled for speed.
    Speed,
    /// To be inspected: without the code, if possible.
    Inspect,
    /// To be written in WIT.
    Wit,
    /// To be assembled: it is text, and the answer is its binary form.
    Assemble,
}

/// A request to compile a component, which follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) purpose: Purpose,
    /// As in the options of the engine.
    pub(crate) count_fuel: bool,
    /// As in the options of the engine.
    pub(crate) quick_code_bytes: Option<u64>,
    pub(crate) limits: Limits,
    /// The length of the component.
    pub(crate) component_bytes: u64,
}

impl Purpose {
    const ALL: [(Self, &str); 5] = [
        (Self::Run, "run"),
        (Self::Speed, "speed"),
        (Self::Inspect, "inspect"),
        (Self::Wit, "wit"),
        (Self::Assemble, "assemble"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(purpose, _)| *purpose == self).map_or("run", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(purpose, _)| *purpose)
    }
}

impl Request {
    /// The line before the component.
    pub(crate) fn header(&self) -> String {
        let Self { purpose, count_fuel, quick_code_bytes, limits, component_bytes } = self;
        let quick = quick_code_bytes.map_or_else(|| "never".to_owned(), |least| least.to_string());
        let Limits { seconds, memory_bytes } = limits;
        let purpose = purpose.name();
        format!("{purpose} {count_fuel} {quick} {seconds} {memory_bytes} {component_bytes}\n")
    }

    /// Reads the line. The component is what follows.
    ///
    /// # Errors
    ///
    /// The error of the system; `InvalidData` if the line is malformed.
    pub(crate) fn read(input: &mut impl BufRead) -> io::Result<Self> {
        let mut line = String::new();
        input.take(MAX_HEADER_BYTES).read_line(&mut line)?;
        Self::parse(&line).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "expected a request of a hostel process of this version",
            )
        })
    }

    fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.strip_suffix('\n')?.split(' ').collect();
        let [purpose, count_fuel, quick, seconds, memory_bytes, component_bytes] = words[..] else {
            return None;
        };
        Some(Self {
            purpose: Purpose::named(purpose)?,
            count_fuel: count_fuel.parse().ok()?,
            quick_code_bytes: if quick == "never" { None } else { Some(quick.parse().ok()?) },
            limits: Limits { seconds: seconds.parse().ok()?, memory_bytes: memory_bytes.parse().ok()? },
            component_bytes: component_bytes.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        for quick_code_bytes in [None, Some(1 << 20)] {
            let request = Request {
                purpose: Purpose::Inspect,
                count_fuel: true,
                quick_code_bytes,
                limits: Limits { seconds: 1, memory_bytes: 2 },
                component_bytes: 3,
            };
            let text = request.header() + "rest";
            let mut input = text.as_bytes();
            assert_eq!(Request::read(&mut input).unwrap(), request);
            assert_eq!(input, b"rest");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "\n",
            "run true never 1 2\n",
            "walk true never 1 2 3\n",
            "run true never 1 2 3",
            "run true never -1 2 3\n",
        ] {
            let error = Request::read(&mut text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text:?}");
        }
    }
}
