//! A TOML document, with positions for error messages.

use std::ops::Range;

use hostel::excerpt_within;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::load::nearest;
use crate::problem::Problem;

/// The number of characters shown of a wrong value.
const SHOWN_CHARS: usize = 60;

/// The size of a block: at most this many bytes are scanned to count the characters before a position.
const BLOCK_BYTES: usize = 256;

/// A text, and the file that contains it.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) name: &'a str,
    text: &'a str,
    /// The start of each line except the first.
    lines: Vec<usize>,
    /// The number of characters that begin before each block.
    characters: Vec<usize>,
}

/// One line of a table: `name = value`.
pub(super) type Entry<'t, 'a> = (&'t Spanned<DeString<'a>>, &'t Spanned<DeValue<'a>>);

impl<'a> Document<'a> {
    /// Counts lines and characters once, because each entry needs a position.
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        let lines = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let blocks = text.as_bytes().chunks(BLOCK_BYTES).scan(0, |before, block| {
            let at_its_start = *before;
            *before += begun(block);
            Some(at_its_start)
        });
        Self { name, text, lines, characters: blocks.collect() }
    }

    /// The table of the whole document.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'a>>, Problem> {
        DeTable::parse(self.text).map_err(|error| {
            let message = error.message().trim_end().replace('\n', ", ");
            self.problem(error.span().unwrap_or_default(), message)
        })
    }

    /// `value` as a table, or an error.
    pub(super) fn table<'t>(
        &self,
        name: &str,
        value: &'t Spanned<DeValue<'a>>,
    ) -> Result<&'t DeTable<'a>, Problem> {
        value.get_ref().as_table().ok_or_else(|| {
            let found = value.get_ref().type_str();
            self.problem(value.span(), format!("{name}: expected a table, found {found}"))
        })
    }

    /// An error at a position.
    pub(super) fn problem(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::invalid(message).within(self.place(span))
    }

    /// An unknown `name`, with the known ones.
    pub(super) fn unknown(&self, span: Range<usize>, what: &str, name: &str, known: &[&str]) -> Problem {
        let names: Vec<_> = known.iter().map(|&name| name.to_owned()).collect();
        let near = nearest(name, &names).map(|near| format!(", did you mean {near:?}?"));
        let message = format!("unknown {what} {name:?}{}", near.unwrap_or_default());
        self.problem(span, message).hint(format!("known here: {}", known.join(", ")))
    }

    /// An invalid value of an option.
    pub(super) fn wrong(&self, name: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> Problem {
        let shown = excerpt_within(self.text.get(value.span()).unwrap_or_default(), SHOWN_CHARS);
        self.problem(value.span(), format!("{name} cannot be {shown}: {expected}"))
    }

    /// File, line and column; both are counted from 1, columns in characters.
    pub(super) fn place(&self, span: Range<usize>) -> String {
        let at = span.start.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line)).copied().unwrap_or_default();
        let column = self.characters_before(at) - self.characters_before(start);
        format!("{}:{}:{}", self.name, line + 1, column + 1)
    }

    fn characters_before(&self, at: usize) -> usize {
        let block = at / BLOCK_BYTES;
        // There may be no block at the end.
        let Some(before) = self.characters.get(block) else { return begun(self.text.as_bytes()) };
        before + begun(self.text.as_bytes().get(block * BLOCK_BYTES..at).unwrap_or_default())
    }
}

/// The number of characters that begin in a piece of UTF-8.
fn begun(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count()
}

/// The entries of a table, in the order of the file.
pub(super) fn entries<'t, 'a>(table: &'t DeTable<'a>) -> Vec<Entry<'t, 'a>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let document = Document::new("a.toml", "ä = 1\nüö = \"x\"\n");
        let check = |found: &str, expected: &str| {
            let start = document.text.find(found).unwrap();
            assert_eq!(document.place(start..start), expected, "{found}");
        };
        check("ä", "a.toml:1:1");
        check("1", "a.toml:1:5");
        check("üö", "a.toml:2:1");
        check("\"x\"", "a.toml:2:6");
        assert_eq!(document.place(99..99), "a.toml:3:1");

        let long = format!("# {}\n# {}x", "ä".repeat(1_000), "ö€".repeat(1_000));
        let document = Document::new("a.toml", &long);
        let check = |at: usize, expected: &str| assert_eq!(document.place(at..at), expected);
        check(0, "a.toml:1:1");
        check(2 + 2 * 255, "a.toml:1:258");
        check(2_002, "a.toml:1:1003");
        check(2_003, "a.toml:2:1");
        check(long.len() - 1, "a.toml:2:2003");
        check(long.len(), "a.toml:2:2004");
        assert_eq!(Document::new("a.toml", "").place(0..0), "a.toml:1:1");
    }

    #[test]
    fn entries_keep_their_order() {
        let document = Document::new("a.toml", "z = 1\na = 2\nm = 3");
        let table = document.parse().unwrap();
        let names: Vec<_> =
            entries(table.get_ref()).iter().map(|(name, _)| name.get_ref().to_string()).collect();
        assert_eq!(names, ["z", "a", "m"]);
    }
}
