//! JSON, the text form of component values for programs.
//!
//! | type | JSON |
//! |---|---|
//! | integers, floats | numbers; `"NaN"`, `"Infinity"`, `"-Infinity"`; 64-bit integers also as strings; `1e3` and `7.0` are integers, `1e-400` is none |
//! | `char`, `string`, `enum` | strings |
//! | `list`, `tuple` | arrays |
//! | `list<u8>` | an array, or `{"base64": "…"}` with padding, which is written if it is longer than [`ARRAY_BYTES`] |
//! | `map` | an object if the keys are strings, or else an array of pairs, in the order of normal form; both are read |
//! | `record` | an object, written in declared order; a field of option type may be left out |
//! | `variant` | `{"case": payload}`, or `"case"` without a payload |
//! | `option` | `null` or the payload; an option of an option is `null` or `{"some": payload}` |
//! | `result` | `{"ok": payload}` or `{"err": payload}`, with `null` for an absent payload |
//! | `flags` | an array of strings |
//!
//! An object with duplicate keys is refused, because parsers disagree about their meaning.

mod parse;

mod read;

mod rounded;

mod write;

use serde_json::Value as Json;

pub use self::parse::parse_json;
use self::read::Node;
pub use self::rounded::json_numbers;
pub use self::write::AsJson;
use super::{Type, Value, ValueError, form::ValueReader};

impl ValueReader {
    /// As [`Value::from_json`].
    ///
    /// # Errors
    ///
    /// As [`Value::from_json`], and [`Problem::LeftOut`](super::Problem::LeftOut) if too many fields were left out so far.
    pub fn json(&mut self, json: &Json, ty: &Type) -> Result<Value, ValueError> {
        self.read(Node::of(json), ty)
    }
}

/// The maximum length of a `list<u8>` that is written as an array of numbers.
const ARRAY_BYTES: usize = 64;

impl Value {
    /// Reads a value of the type from JSON.
    ///
    /// # Errors
    ///
    /// Returns the first part that does not fit the type, with its path.
    ///
    /// ```
    /// # use hostel_core::{Type, Value};
    /// # use serde_json::json;
    /// let ty = Type::record([("rate", Type::F64)]);
    /// let error = Value::from_json(&json!({"rate": "fast"}), &ty).unwrap_err();
    /// assert_eq!(error.to_string(), r#"field "rate": expected f64, found string "fast""#);
    /// ```
    pub fn from_json(json: &Json, ty: &Type) -> Result<Self, ValueError> {
        ValueReader::default().json(json, ty)
    }

    /// Returns the value as JSON; `ty` is its type.
    ///
    /// Never fails: a part that is not of its type is written as a string of its WAVE text, or left out.
    pub fn to_json(&self, ty: &Type) -> Json {
        serde_json::to_value(self.as_json(ty)).unwrap_or_else(|_| Json::String(self.to_string()))
    }

    /// Returns a serializer of the value with the output of [`Value::to_json`], which writes part by part without a copy of
    /// the whole: for values of hundreds of megabytes.
    ///
    /// ```
    /// # use hostel_core::{Type, Value};
    /// let value = Value::String("text".to_owned());
    /// assert_eq!(serde_json::to_string(&value.as_json(&Type::String))?, r#""text""#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub const fn as_json<'a>(&'a self, ty: &'a Type) -> AsJson<'a> {
        AsJson::new(self, ty)
    }
}

/// Returns whether a value of this type may be `null` in JSON, which then cannot also mean `none`.
fn may_be_null(ty: &Type) -> bool {
    matches!(ty, Type::Option(_))
}
