//! The lists of a map: ranges, lists, and JSON Lines in files or on stdin.

use std::fmt;
use std::io::{BufRead, Read};
use std::iter;
use std::ops::RangeInclusive;

use hostel::{Param, Problem as ValueProblem, Type, Value, ValueError, excerpt_within, parse_json};

use crate::arguments::quotes_hint;
use crate::files::{Files, Named};
use crate::problem::Problem;

/// The number of characters shown of a line that is not JSON.
const SHOWN_CHARS: usize = 60;

/// The maximum length of a line of JSON.
const MAX_LINE_BYTES: u64 = 1 << 30;

/// The values for one parameter, one after the other.
pub(crate) struct Over {
    pub(crate) param: Param,
    /// The number of values; `None` if it is known only at the end.
    pub(crate) length: Option<u64>,
    /// Whether reading the next value may block.
    pub(crate) waits: bool,
    values: Values,
}

type Values = Box<dyn Iterator<Item = Result<Value, Problem>> + Send>;

impl Over {
    /// Opens a LIST. Lists and plain files are checked to their end; inputs that cannot be read twice are not.
    pub(crate) fn open(param: Param, text: &str, files: &Files) -> Result<Self, Problem> {
        if let Some(range) = range(text) {
            return Self::range(param, &range);
        }
        if let Some(name) = if text == "-" { Some(text) } else { text.strip_prefix('@') } {
            return Self::lines(param, &Named::new(name), files);
        }
        Self::list(param, text)
    }

    fn range(param: Param, range: &Option<RangeInclusive<i128>>) -> Result<Self, Problem> {
        let Some(range) = range.clone() else {
            return Ok(Self::known(param, 0, iter::empty()));
        };
        let number = {
            let ty = param.ty.clone();
            let name = param.name.clone();
            move |number: i128| {
                let value = i64::try_from(number).map(Value::S64);
                let value = value.or_else(|_| u64::try_from(number).map(Value::U64));
                let value = value.map_err(|_| ValueError::mismatch(&ty, number));
                value
                    .and_then(|value| ty.conform(value))
                    .map_err(|error| Problem::invalid(format!("--over {name}: {error}")))
            }
        };
        number(*range.start())?;
        number(*range.end())?;
        let length = range.end().abs_diff(*range.start()).saturating_add(1);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        Ok(Self::known(param, length, range.map(number)))
    }

    fn list(param: Param, text: &str) -> Result<Self, Problem> {
        let values = read_list(text, &param.ty).map_err(|error| {
            let is_syntax = matches!(error.problem(), ValueProblem::Syntax { .. });
            let is_no_list = is_syntax || error.path().next().is_none();
            let forms = "LIST is a list such as [1, 2, 3] in WAVE or JSON, a range such as 0..1000, or JSON Lines as @FILE or - (stdin)";
            Problem::invalid(format!("--over {}: {error}", param.name))
                .hints_of(quotes_hint(&error))
                .hints_of(is_no_list.then(|| forms.to_owned()))
        })?;
        let length = values.len() as u64;
        Ok(Self::known(param, length, values.into_iter().map(Ok)))
    }

    fn lines(param: Param, file: &Named, files: &Files) -> Result<Self, Problem> {
        let open = || -> Result<_, Problem> { Ok(Lines::new(files.open(file)?, file, &param)) };
        let length = if file.is_plain() {
            let checked = open()?.try_fold(0_u64, |count, value| value.map(|_| count + 1))?;
            Some(checked)
        } else {
            None
        };
        let values = Box::new(open()?);
        Ok(Self { waits: length.is_none(), param, length, values })
    }

    fn known(
        param: Param,
        length: u64,
        values: impl Iterator<Item = Result<Value, Problem>> + Send + 'static,
    ) -> Self {
        Self { param, length: Some(length), waits: false, values: Box::new(values) }
    }
}

impl Iterator for Over {
    type Item = Result<Value, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.values.next()
    }
}

impl fmt::Debug for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Over")
            .field("param", &self.param)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Parses `0..10` or `1..=10`; the inner `None` is an empty range, the outer `None` is not a range.
fn range(text: &str) -> Option<Option<RangeInclusive<i128>>> {
    let (start, end) = text.split_once("..")?;
    let start: i128 = start.trim().parse().ok()?;
    let (end, is_inclusive) = match end.strip_prefix('=') {
        Some(end) => (end, true),
        None => (end, false),
    };
    let end: i128 = end.trim().parse().ok()?;
    let last = if is_inclusive { end } else { end.checked_sub(1)? };
    Some((start <= last).then_some(start..=last))
}

/// Parses a list in WAVE, or in JSON if it is not WAVE.
fn read_list(text: &str, ty: &Type) -> Result<Vec<Value>, ValueError> {
    let list = Type::list(ty.clone());
    let value = Value::from_wave(text, &list).or_else(|error| {
        let is_wave = !matches!(error.problem(), ValueProblem::Syntax { .. });
        match parse_json(text) {
            Ok(json) => Value::from_json(&json, &list).map_err(|other| if is_wave { error } else { other }),
            Err(_) => Err(error),
        }
    })?;
    if let Value::Bytes(bytes) = value {
        return Ok(bytes.into_iter().map(Value::U8).collect());
    }
    Ok(if let Value::List(values) = value { values } else { Vec::new() })
}

/// The values on the lines of a file, each in JSON; empty lines are skipped.
struct Lines {
    reader: Box<dyn BufRead + Send>,
    file: Named,
    param: Param,
    line: u64,
    text: Vec<u8>,
}

impl Lines {
    fn new(reader: Box<dyn BufRead + Send>, file: &Named, param: &Param) -> Self {
        Self { reader, file: file.clone(), param: param.clone(), line: 0, text: Vec::new() }
    }

    /// Reads the next line; `false` at the end.
    fn read(&mut self) -> Result<bool, Problem> {
        self.text.clear();
        self.line += 1;
        let mut line = (&mut self.reader).take(MAX_LINE_BYTES);
        let read = line.read_until(b'\n', &mut self.text);
        let read = read.map_err(|error| Problem::unreadable(&self.file, &error))?;
        if read as u64 == MAX_LINE_BYTES {
            return Err(self.problem("is longer than 1 GiB"));
        }
        Ok(read > 0)
    }

    fn value(&self) -> Result<Value, Problem> {
        let text = str::from_utf8(&self.text).map_err(|_| self.problem("is not text: expected UTF-8"))?;
        let text = text.trim();
        let json = parse_json(text).map_err(|error| {
            let shown = excerpt_within(text, SHOWN_CHARS);
            self.problem(format_args!("is not JSON ({}): {shown}", Syntax(&error)))
                .hint("each line must be one JSON value; `jq -R .` converts lines of plain text")
        })?;
        Value::from_json(&json, &self.param.ty)
            .map_err(|error| self.problem(format_args!("does not fit {:?}: {error}", self.param.name)))
    }

    fn problem(&self, what: impl fmt::Display) -> Problem {
        Problem::invalid(format!("{}: line {} {what}", self.file, self.line))
    }
}

impl Iterator for Lines {
    type Item = Result<Value, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read() {
                Ok(true) if self.text.trim_ascii().is_empty() => {}
                Ok(true) => return Some(self.value()),
                Ok(false) => return None,
                Err(problem) => return Some(Err(problem)),
            }
        }
    }
}

/// A syntax error in a text of one line, whose number is already in the message.
struct Syntax<'a>(&'a ValueError);

impl fmt::Display for Syntax<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ValueProblem::Syntax { column, message, .. } = self.0.problem() {
            write!(f, "column {column}: {message}")
        } else {
            self.0.fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(ty: Type, text: &str) -> Result<Vec<Value>, String> {
        let param = Param { name: "x".into(), ty };
        let over = Over::open(param, text, &Files::new(1 << 20)).map_err(|problem| problem.to_string())?;
        let length = over.length;
        let values: Vec<_> =
            over.map(|value| value.map_err(|problem| problem.to_string())).collect::<Result<_, _>>()?;
        assert_eq!(length, Some(values.len() as u64), "{text}");
        Ok(values)
    }

    fn wave(ty: Type, text: &str) -> String {
        let values = open(ty, text).unwrap();
        values.iter().map(Value::to_wave).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(wave(Type::S64, "0..3"), "0 1 2");
        assert_eq!(wave(Type::S8, "-2..=2"), "-2 -1 0 1 2");
        assert_eq!(wave(Type::F64, "1..3"), "1 2");
        assert_eq!(wave(Type::U64, "5..5"), "");
        assert_eq!(wave(Type::U8, "254..=255"), "254 255");
        let to_the_end = "18446744073709551614..18446744073709551616";
        assert_eq!(wave(Type::U64, to_the_end), "18446744073709551614 18446744073709551615");
        assert!(open(Type::U64, "0..=18446744073709551616").is_err());
        assert_eq!(
            open(Type::U8, "250..300").unwrap_err(),
            "--over x: expected u8 (0 to 255), found s64 299"
        );
        assert_eq!(open(Type::String, "0..3").unwrap_err(), "--over x: expected string, found s64 0");
    }

    #[test]
    fn lists_are_read_in_wave_and_in_json() {
        assert_eq!(wave(Type::S64, "[3, 1, 2]"), "3 1 2");
        assert_eq!(wave(Type::String, r#"["a", "b..c"]"#), r#""a" "b..c""#);
        assert_eq!(wave(Type::U8, "[1, 2]"), "1 2");
        let record = Type::record([("a", Type::S64)]);
        assert_eq!(wave(record.clone(), "[{a: 1}]"), "{a: 1}");
        assert_eq!(wave(record, r#"[{"a": 1}]"#), "{a: 1}");
        assert_eq!(wave(Type::list(Type::U8), "[[1], []]"), "[1] []");
        assert_eq!(wave(Type::S64, "[]"), "");
    }

    #[test]
    fn a_wrong_element_is_named() {
        let error = open(Type::S64, r#"[1, "two"]"#).unwrap_err();
        assert_eq!(error, r#"--over x: element 1: expected s64, found string "two""#);
        let record = Type::record([("a", Type::S64)]);
        let error = open(record, r#"[{"a": 1}, {"a": "x"}]"#).unwrap_err();
        assert_eq!(error, r#"--over x: element 1: field "a": expected s64, found string "x""#);
    }
}
