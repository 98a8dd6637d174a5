//! JSON as a form.

use base64::{DecodeError, Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Number, Value as Json};

use super::may_be_null;
use super::rounded::{AsFloats, rounded};
use crate::value::{
    Type, ValueError, excerpt,
    form::{Form, Miss, Outcome},
    whole::whole_float,
};

/// A piece of JSON.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    Value(&'a Json),
    /// A key of an object, which is a string in JSON, whatever its type.
    Key(&'a str),
    /// The text of a number that a float only has rounded.
    Rounded(&'a str),
}

impl<'a> Node<'a> {
    pub(super) fn of(json: &'a Json) -> Self {
        rounded(json).map_or(Node::Value(json), Node::Rounded)
    }

    fn text(self) -> Option<&'a str> {
        match self {
            Node::Value(json) => json.as_str(),
            Node::Key(key) => Some(key),
            Node::Rounded(_) => None,
        }
    }

    fn number(self) -> Option<&'a Number> {
        self.value().and_then(Json::as_number)
    }

    fn value(self) -> Option<&'a Json> {
        if let Node::Value(json) = self { Some(json) } else { None }
    }

    fn object(self) -> Option<&'a Map<String, Json>> {
        self.value().and_then(Json::as_object)
    }

    fn array(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError> {
        let items = self.value().and_then(Json::as_array).ok_or_else(|| self.mismatch(ty))?;
        Ok(items.iter().map(Node::of))
    }

    /// Returns key and value of an object with exactly one member.
    fn single(self) -> Option<(&'a str, Self)> {
        let object = self.object().filter(|object| object.len() == 1)?;
        object.iter().next().map(|(key, value)| (key.as_str(), Node::of(value)))
    }

    fn kind(self) -> &'static str {
        match self {
            Node::Key(_) | Node::Value(Json::String(_)) => "string ",
            Node::Value(Json::Null) => "",
            Node::Value(Json::Bool(_)) => "bool ",
            Node::Value(Json::Number(_)) | Node::Rounded(_) => "number ",
            Node::Value(Json::Array(_)) => "array ",
            Node::Value(Json::Object(_)) => "object ",
        }
    }
}

impl<'a> Form for Node<'a> {
    type Label = &'a str;

    fn found(&self) -> String {
        match self {
            Node::Value(json) => excerpt(format_args!("{}{}", self.kind(), AsFloats(json))),
            Node::Key(key) => excerpt(format_args!("key {key:?}")),
            Node::Rounded(number) => excerpt(format_args!("{}{number}", self.kind())),
        }
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Node::Value(Json::Null))
    }

    fn boolean(&self) -> Option<bool> {
        self.value().and_then(Json::as_bool)
    }

    fn integer(&self, ty: &Type) -> Result<i128, Miss> {
        match self {
            Node::Value(Json::Number(number)) => whole(number).ok_or(Miss::Range),
            Node::Value(Json::String(text)) if matches!(ty, Type::S64 | Type::U64) => parsed(text),
            Node::Value(_) => Err(Miss::Kind),
            Node::Key(key) => parsed(key),
            Node::Rounded(_) => Err(Miss::Range),
        }
    }

    fn float32(&self) -> Result<f32, Miss> {
        let wide = self.float64()?;
        let number = wide as f32;
        if number.is_infinite() && wide.is_finite() { Err(Miss::Range) } else { Ok(number) }
    }

    fn float64(&self) -> Result<f64, Miss> {
        if let Node::Rounded(number) = self {
            return number.parse().map_err(|_| Miss::Kind);
        }
        match self.text() {
            Some("NaN") => Ok(f64::NAN),
            Some("Infinity") => Ok(f64::INFINITY),
            Some("-Infinity") => Ok(f64::NEG_INFINITY),
            _ => self.number().and_then(Number::as_f64).ok_or(Miss::Kind),
        }
    }

    fn character(&self) -> Option<char> {
        let mut characters = self.text()?.chars();
        characters.next().filter(|_| characters.next().is_none())
    }

    fn string(self, ty: &Type) -> Result<String, ValueError> {
        self.text().map(str::to_owned).ok_or_else(|| self.mismatch(ty))
    }

    fn data(self, ty: &Type) -> Result<String, ValueError> {
        match self {
            Node::Value(json) => Ok(AsFloats(json).to_string()),
            Node::Key(key) => Ok(Json::from(key).to_string()),
            Node::Rounded(_) => match self.float64() {
                Ok(number) => Ok(Json::from(number).to_string()),
                Err(_) => Err(self.mismatch(ty)),
            },
        }
    }

    fn bytes(self) -> Result<Result<Vec<u8>, ValueError>, Self> {
        let (_, text) = self.single().filter(|(key, _)| *key == "base64").ok_or(self)?;
        let mismatch = |expected: &str| ValueError::mismatch(expected, text.found());
        let encoded = text.text().ok_or_else(|| mismatch("a string in base64"));
        Ok(encoded.and_then(|encoded| BASE64.decode(encoded).map_err(|error| mismatch(wanted(&error)))))
    }

    fn list(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError> {
        self.array(ty)
    }

    fn tuple(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError> {
        self.array(ty)
    }

    fn entries(self) -> Result<Vec<(Self, Self)>, Self> {
        let object = self.object().ok_or(self)?;
        Ok(object.iter().map(|(key, value)| (Node::Key(key), Node::of(value))).collect())
    }

    fn fields(self, ty: &Type) -> Result<impl Iterator<Item = (&'a str, Self)>, ValueError> {
        let object = self.object().ok_or_else(|| self.mismatch(ty))?;
        Ok(object.iter().map(|(name, value)| (name.as_str(), Node::of(value))))
    }

    fn case(self, ty: &Type) -> Result<(&'a str, Option<Self>), ValueError> {
        let bare = self.text().map(|name| (name, None));
        let carrying = || self.single().map(|(name, payload)| (name, Some(payload)));
        bare.or_else(carrying).ok_or_else(|| self.mismatch(ty))
    }

    fn option(self, ty: &Type, some: &Type) -> Result<Option<Self>, ValueError> {
        if self.is_nothing() {
            return Ok(None);
        }
        if !may_be_null(some) {
            return Ok(Some(self));
        }
        let payload = self.single().filter(|(key, _)| *key == "some").map(|(_, payload)| payload);
        payload.map(Some).ok_or_else(|| self.mismatch(ty))
    }

    fn result(self, ty: &Type, _: Option<&Type>) -> Result<Outcome<Self>, ValueError> {
        match self.single() {
            Some(("ok", payload)) => Ok(Ok(Some(payload))),
            Some(("err", payload)) => Ok(Err(Some(payload))),
            _ => Err(self.mismatch(ty)),
        }
    }

    fn flags(self, ty: &Type) -> Result<impl Iterator<Item = &'a str>, ValueError> {
        let names = self.array(ty)?.map(|item| item.text().ok_or_else(|| self.mismatch(ty)));
        Ok(names.collect::<Result<Vec<_>, _>>()?.into_iter())
    }
}

/// Returns the number if it is an integer, without rounding.
fn whole(number: &Number) -> Option<i128> {
    number.as_i128().or_else(|| number.as_f64().and_then(whole_float))
}

fn parsed(text: &str) -> Result<i128, Miss> {
    text.parse().map_err(|_| Miss::Kind)
}

/// The expectation for a text that is not base64.
const fn wanted(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::InvalidPadding | DecodeError::InvalidLength(_) => {
            "base64 that is padded with = to a multiple of 4 characters"
        }
        DecodeError::InvalidByte(..) | DecodeError::InvalidLastSymbol { .. } => {
            "base64 in the letters A-Z, a-z, 0-9, + and /"
        }
    }
}
