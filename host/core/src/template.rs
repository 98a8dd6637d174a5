//! Templates for names of runs, with their inputs: `train on {dataset.name} with {model-config.name}`.

use std::fmt::{self, Display, Write as _};
use std::sync::Arc;

use crate::value::{Name, Type, UnknownName, Value, excerpt, excerpt_within};
use crate::{ErrorKind, Signature};

/// A text with placeholders for inputs, checked against the signature of a task. Cheap to clone.
///
/// A placeholder is the path to an input or a part of one: a parameter, then fields of records and indices of tuples, each
/// after a `.`; options on the way are transparent. `{{` and `}}` are literal braces.
///
/// ```
/// # use hostel_core::{NameTemplate, Signature, Type, Value};
/// let dataset = Type::record([("name", Type::String)]);
/// let signature = Signature::new([("dataset", dataset), ("size", Type::tuple([Type::U32, Type::U32]))], None);
/// let template = NameTemplate::parse("train on {dataset.name}, {size.0} rows", &signature)?;
///
/// let dataset = Value::Record(vec![("name".into(), Value::String("orders".into()))]);
/// let size = Value::Tuple(vec![Value::U32(100), Value::U32(7)]);
/// assert_eq!(template.render(&[dataset, size]), "train on orders, 100 rows");
///
/// let error = NameTemplate::parse("train on {datset.name}", &signature).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"column 11: unknown parameter "datset", did you mean "dataset"? (parameters: dataset, size)"#
/// );
/// # Ok::<(), hostel_core::TemplateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    text: Arc<str>,
    pieces: Arc<[Piece]>,
}

/// The error for a text that is not a template, or names an input that the task does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// It consists of white space.
    #[error("a template cannot be empty")]
    Empty,
    /// It is longer than [`NameTemplate::MAX_BYTES`].
    #[error("the template has {bytes} bytes: expected at most {}", NameTemplate::MAX_BYTES)]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It has more than [`NameTemplate::MAX_PLACES`] placeholders.
    #[error("column {column}: one placeholder too many: expected at most {}", NameTemplate::MAX_PLACES)]
    TooManyPlaces {
        /// The position of the first one too many in characters, counted from 1.
        column: usize,
    },
    /// A placeholder has no end.
    #[error("column {column}: `{{` is never closed: expected a path and `}}`, or `{{{{` for a brace")]
    Unclosed {
        /// The position of the brace in characters, counted from 1.
        column: usize,
    },
    /// A closing brace has no opening one.
    #[error("column {column}: `}}` closes nothing: expected `}}}}` for a brace")]
    Unopened {
        /// The position of the brace in characters, counted from 1.
        column: usize,
    },
    /// There is no such parameter, field or element.
    #[error("column {column}: {name}")]
    Unknown {
        /// The position of the name in characters, counted from 1.
        column: usize,
        /// The name, and the possible ones.
        name: UnknownName,
    },
    /// A path continues into a type without parts.
    #[error("column {column}: unknown field {field:?}: a value of type {ty} has no fields")]
    NoFields {
        /// The position of the field in characters, counted from 1.
        column: usize,
        /// The field, shortened.
        field: String,
        /// The type in WIT notation, shortened.
        ty: String,
    },
}

/// A template with inputs, to be written out with [`Display`]: uncut, and with control characters. Cheap to copy.
///
/// The text may be [`NameTemplate::MAX_PLACES`] times as long as the inputs: hash or cut it as it is written, and do not store it.
#[derive(Clone, Copy, Debug)]
pub struct Filled<'a> {
    template: &'a NameTemplate,
    inputs: &'a [Value],
}

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

/// An input, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// The parameter's index.
    param: usize,
    /// The indices of fields and elements, from the outside in.
    parts: Vec<usize>,
}

impl NameTemplate {
    /// The maximum number of characters of a name; the rest is replaced by `…`.
    pub const MAX_CHARS: usize = 200;

    /// The maximum length of a template, in bytes.
    pub const MAX_BYTES: usize = 4 << 10;

    /// The maximum number of placeholders. Each may insert a whole input.
    pub const MAX_PLACES: usize = 32;

    /// The maximum length of the text of a cache key, in bytes: a run with a longer one is refused.
    pub const MAX_KEY_BYTES: u64 = 1 << 20;

    /// Parses a template and checks every path in it against the signature.
    ///
    /// # Errors
    ///
    /// Returns the first unpaired brace, unknown name or placeholder too many, with its column; or that the text is empty or too long.
    pub fn parse(text: &str, signature: &Signature) -> Result<Self, TemplateError> {
        if text.trim().is_empty() {
            return Err(TemplateError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(TemplateError::TooLong { bytes: text.len() });
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut places = 0;
        let (mut rest, mut column) = (text, 1);
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(brace);
            literal += before;
            column += before.chars().count();
            if let Some((character, after)) = escape(from_brace) {
                literal.push(character);
                (rest, column) = (after, column + "{{".len());
                continue;
            }
            let (path, after) = enclosed(from_brace, column)?;
            places += 1;
            if places > Self::MAX_PLACES {
                return Err(TemplateError::TooManyPlaces { column });
            }
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
            pieces.push(Piece::Place(Place::find(path, column + 1, signature)?));
            (rest, column) = (after, column + path.chars().count() + "{}".len());
        }
        pieces.push(Piece::Text(literal + rest));
        Ok(Self { text: text.into(), pieces: pieces.into() })
    }

    /// Returns the name of a run with these inputs.
    ///
    /// The inputs are in normal form, one for each parameter in order, as [`Signature::bind`] returns them. A string is
    /// inserted unchanged, any other value in WAVE, and an option as its payload or `none`. Control characters become
    /// spaces. A name ends after [`NameTemplate::MAX_CHARS`], and the cost does not grow with larger inputs.
    pub fn render(&self, inputs: &[Value]) -> String {
        excerpt_within(self.filled(inputs), Self::MAX_CHARS)
    }

    /// Returns the template with these inputs, as for [`NameTemplate::render`], to be written out in full.
    pub const fn filled<'a>(&'a self, inputs: &'a [Value]) -> Filled<'a> {
        Filled { template: self, inputs }
    }

    /// Returns the text of the template.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Filled<'_> {
    /// Whether its text is too long for a cache key. Writes no more of it than that to find out.
    pub fn is_too_long(&self) -> bool {
        write!(Room(NameTemplate::MAX_KEY_BYTES), "{self}").is_err()
    }
}

/// Refuses what is longer than this, in bytes.
struct Room(u64);

impl fmt::Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len() as u64).ok_or(fmt::Error)?;
        Ok(())
    }
}

impl Display for Filled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.template.pieces.iter().try_for_each(|piece| piece.write(f, self.inputs))
    }
}

impl TemplateError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Piece {
    fn write(&self, f: &mut fmt::Formatter<'_>, inputs: &[Value]) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Place(place) => match place.value(inputs) {
                Some(Value::String(text)) => f.write_str(text),
                Some(value) => value.fmt(f),
                None => f.write_str("none"),
            },
        }
    }
}

impl Place {
    /// Resolves a path at `column`.
    fn find(path: &str, mut column: usize, signature: &Signature) -> Result<Self, TemplateError> {
        let mut names = path.split('.');
        let name = names.next().unwrap_or_default();
        let mut params = signature.params.iter().enumerate();
        let Some((param, declared)) = params.find(|(_, param)| *param.name == *name) else {
            return Err(unknown(column, "parameter", name, signature.params.iter().map(|param| &param.name)));
        };
        column += name.chars().count() + 1;
        let mut ty = &declared.ty;
        let mut parts = Vec::new();
        for name in names {
            let (index, part) = part(ty, name, column)?;
            column += name.chars().count() + 1;
            parts.push(index);
            ty = part;
        }
        Ok(Self { param, parts })
    }

    /// Returns the value for this placeholder, or `None` if it is an absent option or inside one.
    fn value<'v>(&self, inputs: &'v [Value]) -> Option<&'v Value> {
        let input = present(inputs.get(self.param)?)?;
        self.parts.iter().try_fold(input, |value, &index| {
            if let Value::Record(fields) = value {
                return present(fields.get(index).map(|(_, field)| field)?);
            }
            if let Value::Tuple(elements) = value { present(elements.get(index)?) } else { None }
        })
    }
}

/// Returns the brace for a doubled one, and the rest.
fn escape(text: &str) -> Option<(char, &str)> {
    let brace = |doubled, brace| text.strip_prefix(doubled).map(|after| (brace, after));
    brace("{{", '{').or_else(|| brace("}}", '}'))
}

/// Returns the text between the brace at the beginning of `text` and its closing brace, and the rest.
fn enclosed(text: &str, column: usize) -> Result<(&str, &str), TemplateError> {
    let inside = text.strip_prefix('{').ok_or(TemplateError::Unopened { column })?;
    let closed = inside.split_once('}').filter(|(path, _)| !path.contains('{'));
    closed.ok_or(TemplateError::Unclosed { column })
}

/// Returns index and type of the part `name` of a value of the type.
fn part<'t>(ty: &'t Type, name: &str, column: usize) -> Result<(usize, &'t Type), TemplateError> {
    match ty {
        Type::Option(some) => part(some, name, column),
        Type::Record(fields) => {
            let found = fields.iter().enumerate().find(|(_, field)| *field.name == *name);
            let found = found.map(|(index, field)| (index, &field.ty));
            found.ok_or_else(|| unknown(column, "field", name, fields.iter().map(|field| &field.name)))
        }
        Type::Tuple(elements) => {
            let found = elements.iter().enumerate().find(|(index, _)| index.to_string() == name);
            let indices = || (0..elements.len()).map(|index| index.to_string().into()).collect::<Vec<Name>>();
            found.ok_or_else(|| unknown(column, "element", name, &indices()))
        }
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::F32
        | Type::F64
        | Type::Char
        | Type::String
        | Type::List(_)
        | Type::FixedList(..)
        | Type::Map(..)
        | Type::Variant(_)
        | Type::Enum(_)
        | Type::Result { .. }
        | Type::Flags(_)
        | Type::Data => Err(TemplateError::NoFields { column, field: excerpt(name), ty: excerpt(ty) }),
    }
}

/// Returns the payload through all nested options.
fn present(mut value: &Value) -> Option<&Value> {
    while let Value::Option(payload) = value {
        value = payload.as_deref()?;
    }
    Some(value)
}

fn unknown<'a>(
    column: usize,
    what: &'static str,
    name: &str,
    known: impl IntoIterator<Item = &'a Name>,
) -> TemplateError {
    TemplateError::Unknown { column, name: UnknownName::new(what, name, known) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `(dataset: record { name: string, size: option<tuple<u32, u32>> }, rate: f64, tags: list<string>,
    /// owner: option<record { name: option<string> }>)`.
    fn signature() -> Signature {
        let size = Type::option(Type::tuple([Type::U32, Type::U32]));
        let owner = Type::record([("name", Type::option(Type::String))]);
        let params = [
            ("dataset", Type::record([("name", Type::String), ("size", size)])),
            ("rate", Type::F64),
            ("tags", Type::list(Type::String)),
            ("owner", Type::option(owner)),
        ];
        Signature::new(params, None)
    }

    fn render(template: &str, json: &str) -> String {
        let inputs = signature().bind_json(&crate::parse_json(json).unwrap()).unwrap();
        NameTemplate::parse(template, &signature()).unwrap().render(&inputs)
    }

    const EVERYTHING: &str = r#"[{"name": "orders", "size": [100, 7]}, 0.5, ["a", "b"], {"name": "bob"}]"#;
    const LITTLE: &str = r#"[{"name": "orders"}, 1, [], {}]"#;
    const LEAST: &str = r#"[{"name": "orders"}, 1, []]"#;

    #[test]
    fn t03_places_are_filled() {
        let check = |template: &str, json: &str, expected: &str| {
            assert_eq!(render(template, json), expected, "{template}");
        };
        check("plain", EVERYTHING, "plain");
        check("train on {dataset.name} at {rate}", EVERYTHING, "train on orders at 0.5");
        check("{dataset.name}{rate}", LEAST, "orders1");
        check("{dataset.size.1}x{dataset.size.0}", EVERYTHING, "7x100");
        check("{dataset.size}", EVERYTHING, "(100, 7)");
        check("{dataset.size.1}, {dataset.size}", LITTLE, "none, none");
        check("{dataset}", EVERYTHING, r#"{name: "orders", size: some((100, 7))}"#);
        check("{tags}", EVERYTHING, r#"["a", "b"]"#);
        check("{owner.name} {owner}", EVERYTHING, r#"bob {name: some("bob")}"#);
        check("{owner.name} {owner}", LITTLE, "none {:}");
        check("{owner.name} {owner}", LEAST, "none none");
        check("{{{rate}}} {{}} {{rate}}", LEAST, "{1} {} {rate}");
        check("größer {rate} ≠", LEAST, "größer 1 ≠");
    }

    #[test]
    fn a_name_is_one_short_line() {
        let named = |name: &str| {
            let dataset = Value::Record(vec![
                ("name".into(), Value::String(name.to_owned())),
                ("size".into(), Value::Option(None)),
            ]);
            NameTemplate::parse("on\t{dataset.name}", &signature()).unwrap().render(&[dataset])
        };
        assert_eq!(named("a\nb\u{1b}[2J\u{85}"), "on a b [2J ");
        assert_eq!(named(&"ä".repeat(197)), format!("on {}", "ä".repeat(197)));
        assert_eq!(named(&"ä".repeat(1_000_000)), format!("on {}…", "ä".repeat(197)));
    }

    #[test]
    fn inputs_that_are_not_of_the_signature_are_none() {
        let template = NameTemplate::parse("{dataset.size.1} {rate}", &signature()).unwrap();
        for inputs in [vec![], vec![Value::Bool(true)], vec![Value::Record(vec![])]] {
            assert_eq!(template.render(&inputs), "none none");
        }
        assert_eq!(template.text(), "{dataset.size.1} {rate}");
    }

    #[test]
    fn what_the_task_does_not_take_is_refused() {
        let check = |template: &str, expected: &str| {
            let error = NameTemplate::parse(template, &signature()).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        let params = "(parameters: dataset, rate, tags, owner)";
        check("", "a template cannot be empty");
        check(" \n", "a template cannot be empty");
        check("on {rat}", &format!(r#"column 5: unknown parameter "rat", did you mean "rate"? {params}"#));
        check("{}", &format!(r#"column 2: unknown parameter "" {params}"#));
        check("{ rate }", &format!(r#"column 2: unknown parameter " rate ", did you mean "rate"? {params}"#));
        check("{.rate}", &format!(r#"column 2: unknown parameter "" {params}"#));
        check(
            "ä {{}} {dataset.nam}",
            r#"column 17: unknown field "nam", did you mean "name"? (fields: name, size)"#,
        );
        check("{dataset.}", r#"column 10: unknown field "" (fields: name, size)"#);
        check("{owner.age}", r#"column 8: unknown field "age" (fields: name)"#);
        for index in ["2", "00", "+1", "-1", "", "first"] {
            check(
                &format!("{{dataset.size.{index}}}"),
                &format!(r#"column 15: unknown element "{index}" (elements: 0, 1)"#),
            );
        }
        check(
            "{dataset.name.length}",
            r#"column 15: unknown field "length": a value of type string has no fields"#,
        );
        check("{tags.0}", r#"column 7: unknown field "0": a value of type list<string> has no fields"#);
    }

    #[test]
    fn a_template_is_short_and_has_few_placeholders() {
        let parse =
            |text: &str| NameTemplate::parse(text, &signature()).map(drop).map_err(|error| error.to_string());
        let places = |number: usize| "{rate}".repeat(number);
        assert_eq!(parse(&"ä".repeat(NameTemplate::MAX_BYTES / 2)), Ok(()));
        let longest = places(NameTemplate::MAX_PLACES);
        assert_eq!(parse(&longest), Ok(()));
        let too_long = "x".repeat(NameTemplate::MAX_BYTES + 1);
        assert_eq!(parse(&too_long), Err("the template has 4097 bytes: expected at most 4096".to_owned()));
        let too_many = places(NameTemplate::MAX_PLACES + 1);
        let expected = "column 193: one placeholder too many: expected at most 32";
        assert_eq!(parse(&too_many), Err(expected.to_owned()));
        assert_eq!(parse(&format!("{{{{{longest}}}}}")), Ok(()), "a doubled brace is none");
    }

    #[test]
    fn a_brace_needs_its_partner() {
        let check = |template: &str, expected: &str| {
            let error = NameTemplate::parse(template, &signature()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{template}");
        };
        let unclosed = "`{` is never closed: expected a path and `}`, or `{{` for a brace";
        let unopened = "`}` closes nothing: expected `}}` for a brace";
        check("{", &format!("column 1: {unclosed}"));
        check("ä {rate", &format!("column 3: {unclosed}"));
        check("{rate {rate}", &format!("column 1: {unclosed}"));
        check("{{{rate", &format!("column 3: {unclosed}"));
        check("{rate}}", &format!("column 7: {unopened}"));
        check("}", &format!("column 1: {unopened}"));
        check("{{}", &format!("column 3: {unopened}"));
        check("{rate} ä {{ }", &format!("column 13: {unopened}"));
    }
}
