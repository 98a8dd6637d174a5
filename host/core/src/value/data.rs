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
//! mistaken for a text. As WAVE it is the JSON. Data nests at most 127 levels, as all JSON that is read.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::{Name, Value, ValueError};

/// The most levels of arrays and objects in data.
const MAX_DATA_DEPTH: usize = 127;

/// The name of the case, which no component can have.
const CASE: &str = "$data";

impl Value {
    /// Data in normal form, from JSON text; `None` if the text is no JSON, nests deeper than 127, or has a key that begins with
    /// `$serde_json::private::` or `$hostel::`.
    ///
    /// Numbers keep their digits. Costs two passes over the text, or three if it has escapes by number.
    ///
    /// ```
    /// # use hostel_core::Value;
    /// assert_eq!(Value::data("[1, 2]").and_then(|data| data.as_data().map(str::to_owned)), Some("[1, 2]".to_owned()));
    /// assert_eq!(Value::data("[1, 2"), None);
    /// ```
    pub fn data(json: &str) -> Option<Self> {
        raw(json).filter(|raw| check(raw.get()).is_ok()).map(|raw| Self::of_data(raw.get().to_owned()))
    }

    /// The JSON text, if this is data in normal form.
    pub fn as_data(&self) -> Option<&str> {
        let Self::Variant(case, Some(payload)) = self else { return None };
        let Self::String(text) = &**payload else { return None };
        (**case == *CASE).then_some(text)
    }

    /// The JSON text of the value as data, as far as its type is known without a signature.
    pub fn data_json(&self) -> String {
        // Cannot fail: all keys are texts, and data is JSON.
        self.as_data().map_or_else(|| serde_json::to_string(&AsData(self)).unwrap_or_default(), str::to_owned)
    }

    /// Data from JSON text, or else from a text that is no JSON.
    pub(crate) fn data_or_text(text: &str) -> Result<Self, ValueError> {
        match raw(text) {
            Some(json) => check(json.get()).map(|()| Self::of_data(json.get().to_owned())),
            None => Ok(Self::of_data(Json::from(text).to_string())),
        }
    }

    pub(super) fn of_data(json: String) -> Self {
        Self::Variant(Name::from(CASE), Some(Box::new(Self::String(json))))
    }
}

/// JSON text of data, checked, which may nest too deep.
pub(super) fn raw(json: &str) -> Option<&RawValue> {
    serde_json::from_str(json).ok()
}

/// Checks that JSON can be data: it nests at most 127 levels, and no key has a meaning for those who parse it that it must not have.
///
/// # Errors
///
/// What was expected instead.
pub(super) fn check(json: &str) -> Result<(), ValueError> {
    if !is_shallow(json) {
        return Err(ValueError::mismatch(format!("JSON of at most {MAX_DATA_DEPTH} levels"), "more"));
    }
    // Most data has neither such a key nor one that is written with escapes.
    let may_have_key = [OF_SERDE, OF_HOSTEL, "\\u"].iter().any(|part| json.contains(part));
    if may_have_key && Keys.deserialize(&mut serde_json::Deserializer::from_str(json)).is_err() {
        let expected = format!("JSON without keys that begin with `{OF_SERDE}` or `{OF_HOSTEL}`");
        return Err(ValueError::mismatch(expected, "such a key"));
    }
    Ok(())
}

/// How the keys begin to which serde gives a meaning: the value of one is parsed as JSON of its own, as deep as it likes.
const OF_SERDE: &str = "$serde_json::private::";

/// How the keys begin to which this crate gives one.
const OF_HOSTEL: &str = "$hostel::";

/// Returns whether a key has a meaning in parsed JSON that it must not have in a text.
pub(super) fn is_reserved(key: &str) -> bool {
    key.starts_with(OF_HOSTEL) || key.starts_with(OF_SERDE)
}

/// Any JSON without a reserved key.
struct Keys;

impl<'de> DeserializeSeed<'de> for Keys {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without reserved keys")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            if is_reserved(&key) {
                return Err(A::Error::custom("a reserved key"));
            }
            members.next_value_seed(Self)?;
        }
        Ok(())
    }
}

/// Whether JSON nests at most 127 levels.
fn is_shallow(json: &str) -> bool {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => depth += 1,
            b']' | b'}' if !is_text => depth -= 1,
            _ => {}
        }
        if depth > MAX_DATA_DEPTH {
            return false;
        }
    }
    true
}

/// A value as data.
struct AsData<'a>(&'a Value);

impl Serialize for AsData<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Some(json) = self.0.as_data().and_then(raw) {
            return json.serialize(to);
        }
        match self.0 {
            Value::Bool(truth) => to.serialize_bool(*truth),
            Value::Char(character) => to.serialize_char(*character),
            Value::String(text) => to.serialize_str(text),
            Value::F32(number) => float(to, (*number).into()),
            Value::F64(number) => float(to, *number),
            Value::Bytes(bytes) => member(to, "$bytes", &BASE64.encode(bytes)),
            Value::List(items) | Value::Tuple(items) => to.collect_seq(items.iter().map(AsData)),
            Value::Map(entries) => object(to, entries),
            Value::Record(fields) => {
                to.collect_map(fields.iter().map(|(name, value)| (&**name, AsData(value))))
            }
            Value::Variant(case, None) | Value::Enum(case) => to.serialize_str(case),
            Value::Variant(case, Some(payload)) => member(to, case, &AsData(payload)),
            Value::Option(None) => to.serialize_unit(),
            Value::Option(Some(payload)) => AsData(payload).serialize(to),
            Value::Result(Ok(payload)) => member(to, "ok", &payload.as_deref().map(AsData)),
            Value::Result(Err(payload)) => member(to, "err", &payload.as_deref().map(AsData)),
            Value::Flags(names) => to.collect_seq(names.iter().map(|name| &**name)),
            Value::U64(number) => to.serialize_u64(*number),
            Value::S8(_)
            | Value::U8(_)
            | Value::S16(_)
            | Value::U16(_)
            | Value::S32(_)
            | Value::U32(_)
            | Value::S64(_) => {
                to.serialize_some(&self.0.as_integer().and_then(|number| i64::try_from(number).ok()))
            }
        }
    }
}

/// An object with one member.
pub(super) fn member<S: Serializer>(
    to: S,
    name: &str,
    value: &(impl Serialize + ?Sized),
) -> Result<S::Ok, S::Error> {
    let mut object = to.serialize_map(Some(1))?;
    object.serialize_entry(name, value)?;
    object.end()
}

/// A map as an object, if its keys can be those of one.
fn object<S: Serializer>(to: S, entries: &[(Value, Value)]) -> Result<S::Ok, S::Error> {
    let name = |key: &'_ Value| {
        let Value::String(text) = key else { return None };
        (!text.starts_with('$')).then(|| text.clone())
    };
    match entries.iter().map(|(key, _)| name(key)).collect::<Option<Vec<_>>>() {
        Some(names) => to.collect_map(names.into_iter().zip(entries.iter().map(|(_, value)| AsData(value)))),
        None => {
            let pairs: Vec<_> = entries.iter().map(|(key, value)| (AsData(key), AsData(value))).collect();
            member(to, "$object", &pairs)
        }
    }
}

fn float<S: Serializer>(to: S, number: f64) -> Result<S::Ok, S::Error> {
    match number {
        number if number.is_finite() => to.serialize_f64(number),
        number if number.is_nan() => member(to, "$float", "NaN"),
        number if number > 0.0 => member(to, "$float", "Infinity"),
        _ => member(to, "$float", "-Infinity"),
    }
}

#[cfg(test)]
mod tests {
    use super::MAX_DATA_DEPTH;
    use crate::{Param, Type, Value};

    fn parsed(ty: Type, text: &str) -> String {
        Param { name: "x".into(), ty }.parse(text).unwrap().to_string()
    }

    #[test]
    fn data_that_was_made_without_a_parser_is_checked() {
        let conform = |text: &str| Type::Data.conform(Value::of_data(text.to_owned()));
        assert_eq!(conform(" [1] ").unwrap(), Value::data("[1]").unwrap());
        for text in ["]", "[1", "undefined", ""] {
            let error = conform(text).unwrap_err().to_string();
            assert!(error.contains("expected JSON"), "{text}: {error}");
        }
    }

    #[test]
    fn data_has_no_key_with_a_meaning_for_those_who_parse_it() {
        let inner = "[".repeat(100) + &"]".repeat(100);
        let deeper = serde_json::to_string(&inner).unwrap();
        for key in
            ["$serde_json::private::RawValue", "\\u0024serde_json::private::RawValue", "$hostel::rounded"]
        {
            let json = format!(r#"[{{"a": 1, "b": {{"{key}": {deeper}}}}}]"#);
            assert_eq!(Value::data(&json), None, "{json}");
            let error = Type::Data.conform(Value::of_data(json.clone())).unwrap_err().to_string();
            assert!(error.contains("expected JSON without keys that begin with"), "{error}");
            let argument = Param { name: "x".into(), ty: Type::Data }.parse(&json);
            assert!(argument.is_err(), "{argument:?}");
        }
        // As texts, and with other names.
        for json in [r#"["$serde_json::private::RawValue", "\u00e4"]"#, r#"{"$bytes": "\u0041A=="}"#] {
            assert_eq!(Value::data(json).unwrap().as_data(), Some(json));
        }
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
            (Value::Map(vec![(Value::String("a".into()), Value::S8(1))]), r#"{"a":1}"#),
            (Value::Map(vec![(Value::S8(2), Value::S8(1))]), r#"{"$object":[[2,1]]}"#),
            (Value::List(vec![Value::data("12345678901234567890123").unwrap()]), "[12345678901234567890123]"),
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
    fn data_nests_as_deep_as_json_that_is_read() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let deepest = nested(MAX_DATA_DEPTH);
        let data = Value::data(&deepest).unwrap();
        assert_eq!(data.to_json(&Type::Data), crate::parse_json(&deepest).unwrap());
        let deeper = nested(MAX_DATA_DEPTH + 1);
        assert_eq!(Value::data(&deeper), None);
        assert!(crate::parse_json(&deeper).is_err());
        let param = Param { name: "x".into(), ty: Type::Data };
        let error = param.parse(&deeper).unwrap_err().to_string();
        assert_eq!(error, "expected JSON of at most 127 levels, found more");
        // Brackets in texts do not nest.
        assert!(Value::data(&format!(r#""{}\"[""#, "[".repeat(200))).is_some());
        // What a runtime should not have returned is a text, and not lost.
        let returned = Value::String(deeper.clone());
        assert_eq!(returned.to_json(&Type::Data), serde_json::Value::String(deeper));
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
