//! Writes values as WAVE text, exactly as wasmtime does.

use std::fmt::{self, Display, Write};

use wasm_wave::lex::Keyword;

use crate::value::{Name, Value};

/// Writes the value as WAVE text: maps as lists of pairs, `list<u8>` as numbers, fields that are `none` left out.
impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(truth) => truth.fmt(f),
            Self::S8(number) => number.fmt(f),
            Self::U8(number) => number.fmt(f),
            Self::S16(number) => number.fmt(f),
            Self::U16(number) => number.fmt(f),
            Self::S32(number) => number.fmt(f),
            Self::U32(number) => number.fmt(f),
            Self::S64(number) => number.fmt(f),
            Self::U64(number) => number.fmt(f),
            Self::F32(number) if number.is_nan() => f.write_str("nan"),
            Self::F32(number) => number.fmt(f),
            Self::F64(number) if number.is_nan() => f.write_str("nan"),
            Self::F64(number) => number.fmt(f),
            Self::Char(character) => {
                f.write_char('\'')?;
                write_char(f, *character)?;
                f.write_char('\'')
            }
            Self::String(text) => {
                f.write_char('"')?;
                write_text(f, text)?;
                f.write_char('"')
            }
            Self::Bytes(bytes) => write_bytes(f, bytes),
            Self::List(items) => write_between(f, '[', items.iter(), ']'),
            Self::Map(entries) => write_between(f, '[', entries.iter().map(Entry), ']'),
            Self::Record(fields) => write_record(f, fields),
            Self::Tuple(items) => write_between(f, '(', items.iter(), ')'),
            Self::Variant(name, payload) => match self.as_data() {
                Some(json) => f.write_str(json),
                None => {
                    write_case(f, name)?;
                    write_payload(f, payload.as_deref())
                }
            },
            Self::Enum(name) => write_case(f, name),
            Self::Option(None) => f.write_str("none"),
            Self::Option(payload) => {
                f.write_str("some")?;
                write_payload(f, payload.as_deref())
            }
            Self::Result(Ok(payload)) => {
                f.write_str("ok")?;
                write_payload(f, payload.as_deref())
            }
            Self::Result(Err(payload)) => {
                f.write_str("err")?;
                write_payload(f, payload.as_deref())
            }
            Self::Flags(names) => write_between(f, '{', names.iter(), '}'),
        }
    }
}

struct Entry<'a>(&'a (Value, Value));

impl Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = self.0;
        write!(f, "({key}, {value})")
    }
}

fn write_between(
    f: &mut fmt::Formatter<'_>,
    open: char,
    items: impl Iterator<Item = impl Display>,
    close: char,
) -> fmt::Result {
    f.write_char(open)?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    f.write_char(close)
}

/// Writes a record without its `none` fields; without fields it is `{:}`, because `{}` is empty flags.
fn write_record(f: &mut fmt::Formatter<'_>, fields: &[(Name, Value)]) -> fmt::Result {
    let is_shown = |(_, value): &&(Name, Value)| !matches!(value, Value::Option(None));
    let mut shown = fields.iter().filter(is_shown).peekable();
    if shown.peek().is_none() {
        return f.write_str("{:}");
    }
    let fields = shown.map(|(name, value)| fmt::from_fn(move |f| write!(f, "{name}: {value}")));
    write_between(f, '{', fields, '}')
}

fn write_case(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if Keyword::decode(name).is_some() {
        f.write_char('%')?;
    }
    f.write_str(name)
}

fn write_payload(f: &mut fmt::Formatter<'_>, payload: Option<&Value>) -> fmt::Result {
    payload.map_or(Ok(()), |payload| write!(f, "({payload})"))
}

/// Writes text without escapes in long pieces: there may be hundreds of megabytes.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(plain) = rest.find(|character| !is_plain(character)) {
        let (piece, next) = rest.split_at(plain);
        f.write_str(piece)?;
        let mut characters = next.chars();
        characters.next().map_or(Ok(()), |character| write_char(f, character))?;
        rest = characters.as_str();
    }
    f.write_str(rest)
}

/// Whether a character is certainly written without an escape. Others may be, too.
const fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~') && !matches!(character, '"' | '\'' | '\\')
}

/// The minimum size in bytes of pieces of numbers.
const PIECE_BYTES: usize = 4096;

/// Writes bytes as numbers, in long pieces.
fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let mut piece = String::with_capacity(PIECE_BYTES.min(bytes.len().saturating_mul(5)) + 8);
    piece.push('[');
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            piece.push_str(", ");
        }
        push_decimal(&mut piece, *byte);
        if piece.len() >= PIECE_BYTES {
            f.write_str(&piece)?;
            piece.clear();
        }
    }
    piece.push(']');
    f.write_str(&piece)
}

fn push_decimal(text: &mut String, number: u8) {
    if number >= 100 {
        text.push(char::from(b'0' + number / 100));
    }
    if number >= 10 {
        text.push(char::from(b'0' + number / 10 % 10));
    }
    text.push(char::from(b'0' + number % 10));
}

fn write_char(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    // WAVE has the short escapes \t \r \n and the quotes, but no \0.
    if character.is_control() && !matches!(character, '\t' | '\r' | '\n') {
        character.escape_unicode().fmt(f)
    } else {
        character.escape_debug().fmt(f)
    }
}
