//! The place of a run in a distributed trace.

use std::fmt;
use std::str::FromStr;

use crate::ErrorKind;

/// Which trace a run belongs to, and which span of it has submitted the run: the header `traceparent` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context/). Its text is `00-TRACE-SPAN-FLAGS`, in lower-case hexadecimal digits.
///
/// ```
/// # use hostel_core::TraceParent;
/// let parent: TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse()?;
/// assert!(parent.is_sampled());
/// assert_eq!(parent.to_string(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
/// # Ok::<(), hostel_core::ParseTraceParentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// A text that is no [`TraceParent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid traceparent: expected 00-TRACE-SPAN-FLAGS with 32, 16 and 2 lower-case hexadecimal digits, and neither trace nor span zero"
)]
pub struct ParseTraceParentError;

impl ParseTraceParentError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl TraceParent {
    /// The flag of a trace that is recorded.
    const SAMPLED: u8 = 1;
    /// The flags that have a meaning; others are dropped, as the specification asks for. The second says that the trace's id is random.
    const KNOWN: u8 = 3;

    /// A place in a trace; `None` if one of the ids is zero.
    pub fn new(trace: [u8; 16], span: [u8; 8], flags: u8) -> Option<Self> {
        let is_valid = trace != [0; 16] && span != [0; 8];
        is_valid.then_some(Self { trace, span, flags: flags & Self::KNOWN })
    }

    /// The id of the trace.
    pub const fn trace(&self) -> [u8; 16] {
        self.trace
    }

    /// The id of the span.
    pub const fn span(&self) -> [u8; 8] {
        self.span
    }

    /// The flags, of which only the lowest two may be set.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the trace is recorded.
    pub const fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// The id of the trace as 32 hexadecimal digits.
    pub fn trace_text(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.trace))
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace), u64::from_be_bytes(self.span));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = ParseTraceParentError;

    fn from_str(text: &str) -> Result<Self, ParseTraceParentError> {
        let mut parts = text.split('-');
        let mut next =
            |digits| parts.next().and_then(|part| number(part, digits)).ok_or(ParseTraceParentError);
        let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        // Later versions may have more behind the flags, and 255 is none.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return Err(ParseTraceParentError);
        }
        // Neither has more digits than there is room for.
        let span = u64::try_from(span).map_err(|_| ParseTraceParentError)?;
        let flags = u8::try_from(flags).map_err(|_| ParseTraceParentError)?;
        Self::new(trace.to_be_bytes(), span.to_be_bytes(), flags).ok_or(ParseTraceParentError)
    }
}

/// A number of so many lower-case hexadecimal digits.
fn number(text: &str, digits: usize) -> Option<u128> {
    let are_digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && are_digits).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_specification_allows_is_read() {
        let check = |text: &str, expected: Option<&str>| {
            let read = text.parse::<TraceParent>();
            assert_eq!(read.map(|read| read.to_string()).ok().as_deref(), expected, "{text}");
        };
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        check(valid, Some(valid));
        check(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
            Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"),
        );
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", Some(valid));
        for wrong in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            check(wrong, None);
        }
    }
}
