//! Data: what functions in dynamic languages take and return.
//!
//! Data is JSON, and an object with one member whose name begins with `$` stands for what JSON does not have:
//!
//! | JSON | means |
//! |---|---|
//! | `{"$bytes": "…"}` | bytes, in base64 with padding |
//! | `{"$float": "NaN"}`, `"Infinity"`, `"-Infinity"` | a float that JSON has no number for |
//! | `{"$object": [[KEY, VALUE], …]}` | an object whose keys are not texts, or begin with `$` |
//! | `{"$tuple": […]}`, `{"$decimal": "1.50"}`, … | a type of one language |
//!
//! The normal form of data is a variant's case of a name that no component can have, with the JSON as text, so that it cannot be
//! mistaken for a text. As WAVE it is the JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::{Name, Value};

/// The name of the case, which no component can have.
const CASE: &str = "$data";

impl Value {
    /// Data in normal form, from JSON text; `None` if the text is no JSON.
    ///
    /// Numbers keep their digits. Costs one pass over the text.
    ///
    /// ```
    /// # use hostel_core::Value;
    /// assert_eq!(Value::data("[1, 2]").and_then(|data| data.as_data().map(str::to_owned)), Some("[1, 2]".to_owned()));
    /// assert_eq!(Value::data("[1, 2"), None);
    /// ```
    pub fn data(json: &str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(json).ok()?;
        Some(Self::of_data(raw.get().to_owned()))
    }

    /// The JSON text, if this is data in normal form.
    pub fn as_data(&self) -> Option<&str> {
        let Self::Variant(case, Some(payload)) = self else { return None };
        let Self::String(text) = &**payload else { return None };
        (**case == *CASE).then_some(text)
    }

    /// The JSON text of the value as data, as far as its type is known without a signature.
    pub fn data_json(&self) -> String {
        self.as_data().map_or_else(|| self.to_data().to_string(), str::to_owned)
    }

    /// A text as data.
    pub(crate) fn text_data(text: &str) -> Self {
        Self::of_data(Json::from(text).to_string())
    }

    pub(super) fn of_data(json: String) -> Self {
        Self::Variant(Name::from(CASE), Some(Box::new(Self::String(json))))
    }

    /// The value as data, as far as its type is known without a signature.
    pub(super) fn to_data(&self) -> Json {
        if let Some(text) = self.as_data() {
            return serde_json::from_str(text).unwrap_or_default();
        }
        let all = |values: &[Self]| values.iter().map(Self::to_data).collect::<Json>();
        let payload = |value: &Option<Box<Self>>| value.as_ref().map_or(Json::Null, |value| value.to_data());
        match self {
            Self::Bool(truth) => json!(truth),
            Self::Char(character) => json!(character),
            Self::String(text) => json!(text),
            Self::F32(number) => float((*number).into()),
            Self::F64(number) => float(*number),
            Self::Bytes(bytes) => json!({ "$bytes": BASE64.encode(bytes) }),
            Self::List(items) | Self::Tuple(items) => all(items),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| json!([key.to_data(), value.to_data()])).collect()
            }
            Self::Record(fields) => {
                fields.iter().map(|(name, value)| (name.to_string(), value.to_data())).collect()
            }
            Self::Variant(case, None) | Self::Enum(case) => json!(**case),
            Self::Variant(case, value) => json!({ &**case: payload(value) }),
            Self::Option(value) => payload(value),
            Self::Result(Ok(value)) => json!({ "ok": payload(value) }),
            Self::Result(Err(value)) => json!({ "err": payload(value) }),
            Self::Flags(names) => names.iter().map(|name| json!(**name)).collect(),
            Self::U64(number) => json!(number),
            Self::S8(_)
            | Self::U8(_)
            | Self::S16(_)
            | Self::U16(_)
            | Self::S32(_)
            | Self::U32(_)
            | Self::S64(_) => {
                json!(self.as_integer().and_then(|number| i64::try_from(number).ok()))
            }
        }
    }
}

fn float(number: f64) -> Json {
    match number {
        number if number.is_finite() => json!(number),
        number if number.is_nan() => json!({ "$float": "NaN" }),
        number if number > 0.0 => json!({ "$float": "Infinity" }),
        _ => json!({ "$float": "-Infinity" }),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Param, Type, Value};

    fn parsed(ty: Type, text: &str) -> String {
        Param { name: "x".into(), ty }.parse(text).unwrap().to_string()
    }

    #[test]
    fn an_argument_is_json_or_a_text() {
        for json in ["1", "1.50", "12345678901234567890", "null", r#"{"a":[1,2]}"#, r#""text""#] {
            assert_eq!(parsed(Type::Data, json), json);
        }
        assert_eq!(parsed(Type::Data, "two words"), r#""two words""#);
        assert_eq!(parsed(Type::option(Type::Data), "null"), "some(null)");
        assert_eq!(
            parsed(Type::option(Type::list(Type::Data)), "[1, a]".replace('a', "\"a\"").as_str()),
            r#"some([1, "a"])"#
        );
        assert_eq!(
            parsed(Type::option(Type::map(Type::String, Type::Data)), r#"{"a": 1}"#),
            r#"some([("a", 1)])"#
        );
    }

    #[test]
    fn values_become_data_once() {
        let data = |value: Value| Type::Data.conform(value).unwrap();
        for (value, json) in [
            (Value::S64(-7), "-7"),
            (Value::U64(u64::MAX), "18446744073709551615"),
            (Value::F64(2.0), "2.0"),
            (Value::F64(f64::NAN), r#"{"$float":"NaN"}"#),
            (Value::String("5".into()), r#""5""#),
            (Value::Bytes(vec![1, 2]), r#"{"$bytes":"AQI="}"#),
            (Value::Option(None), "null"),
            (Value::List(vec![Value::Bool(true), Value::Enum("low".into())]), r#"[true,"low"]"#),
            (Value::Record(vec![("a".into(), Value::S8(1))]), r#"{"a":1}"#),
        ] {
            let once = data(value);
            assert_eq!(once.as_data(), Some(json));
            assert_eq!(data(once.clone()), once);
            let bytes = once.to_canonical(&Type::Data).unwrap();
            assert_eq!(Value::from_canonical(&bytes).unwrap(), (Type::Data, once));
        }
        // A case of a component's variant is not mistaken for it.
        assert_eq!(Value::Variant("data".into(), Some(Box::new(Value::String("1".into())))).as_data(), None);
    }

    #[test]
    fn data_is_written_as_it_is() {
        let digits = "[12345678901234567890123, 1.50]";
        let json = |value: &Value| serde_json::to_string(&value.as_json(&Type::Data)).unwrap();
        assert_eq!(json(&Value::data(digits).unwrap()), digits);
        // The result of a runtime's function is a text.
        assert_eq!(json(&Value::String(digits.into())), digits);
        assert_eq!(json(&Value::String("no JSON".into())), r#""no JSON""#);
    }
}
