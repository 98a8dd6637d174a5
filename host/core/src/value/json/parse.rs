//! A strict JSON parser, which refuses duplicate keys.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::rounded::replace_rounded;
use crate::value::data::is_reserved;
use crate::value::{Problem, ValueError, excerpt, whole::whole_float};

/// Parses a text as JSON, to be read with [`Value::from_json`](crate::Value::from_json). Skips a byte order mark at its start.
///
/// A number such as `1e-400` is rounded when it is read as a float, and is no integer. `{"$hostel::rounded": "1e-400"}` replaces it.
///
/// # Errors
///
/// Returns line and column of the first error. An object with duplicate keys is refused, and so is text that nests deeper
/// than 128 levels, or has a key that begins with `$serde_json::private::` or `$hostel::`.
pub fn parse_json(text: &str) -> Result<Json, ValueError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_str(text);
    let has_whole_floats = Cell::new(false);
    let parsed = Node { has_whole_floats: &has_whole_floats }.deserialize(&mut reader);
    let parsed = parsed.and_then(|json| reader.end().map(|()| json));
    let mut json = parsed.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string().replace("EOF", "end of text");
        let position = format!(" at line {line} column {column}");
        let message = message.trim_end_matches(&position).to_owned();
        ValueError::from(Problem::Syntax { line, column, message })
    })?;
    if has_whole_floats.get() {
        replace_rounded(text, &mut json);
    }
    Ok(json)
}

/// Any JSON value.
#[derive(Clone, Copy)]
struct Node<'f> {
    /// Set if a number is a float that is an integer.
    has_whole_floats: &'f Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        if whole_float(number).is_some() {
            self.has_whole_floats.set(true);
        }
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!(
                    "duplicate key {}",
                    excerpt(format_args!("{key:?}"))
                )));
            }
            if is_reserved(&key) {
                return Err(de::Error::custom(format_args!(
                    "reserved key {}",
                    excerpt(format_args!("{key:?}"))
                )));
            }
            object.insert(key, members.next_value_seed(self)?);
        }
        Ok(object.into())
    }
}
