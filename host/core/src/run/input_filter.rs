//! Conditions of a filter on the inputs of runs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::InputSpec;
use crate::value::excerpt;
use crate::{ErrorKind, Name, Type, Value};

/// A condition on one input of a run: that it, or a part of it, has a value. As text `NAME=VALUE`, such as `city=Berlin`,
/// `config.rate=3` or `0=40`.
///
/// - The first step is the name of a parameter, or its place counted from 0.
/// - Further steps after points go into a record (the name of a field), a tuple or a list (a place), a variant (the case) or a result
///   (`ok`, `err`). They pass through options.
/// - The value is text for a string, and otherwise in WAVE: `3`, `true`, `[1, 2]`, `none`.
///
/// ```
/// # use hostel_core::{InputFilter, Type, Value};
/// let filter: InputFilter = "config.rate=3".parse()?;
/// let ty = Type::record([("rate", Type::F64)]);
/// assert_eq!(filter.place(&["id".into(), "config".into()]), Some(1));
/// assert!(filter.matches(&ty, &Value::from_wave("{rate: 3.0}", &ty)?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFilter {
    path: Arc<str>,
    value: Arc<str>,
}

/// A text that is no condition on inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?}: expected NAME=VALUE such as city=Berlin or config.rate=3, with at most {} names and {} bytes",
    InputFilter::MAX_STEPS,
    InputFilter::MAX_BYTES
)]
pub struct InputFilterError {
    text: String,
}

impl InputFilterError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl InputFilter {
    /// The most steps to a value.
    pub const MAX_STEPS: usize = 16;

    /// The most bytes of its text.
    pub const MAX_BYTES: usize = 4 << 10;

    /// The place of the input that it is about, counted from 0, in a task whose parameters have these names. Without names only a
    /// place is found.
    pub fn place(&self, names: &[Name]) -> Option<usize> {
        let first = self.path.split('.').next()?;
        let named = names.iter().position(|name| **name == *first);
        named.or_else(|| first.parse().ok())
    }

    /// Whether the input has the value. It is read by its type, and in normal form.
    pub fn matches(&self, ty: &Type, input: &Value) -> bool {
        let steps = self.path.split('.').skip(1);
        let mut found = Some((ty, input));
        for step in steps {
            found = found.and_then(|(ty, value)| part(ty, value, step));
        }
        found.is_some_and(|(ty, value)| is(ty, value, &self.value))
    }

    /// Whether the inputs of a run with parameters of these names have the value. What is made of the results of other runs, or is
    /// stored apart from the run, does not.
    pub fn matches_stored(&self, names: &[Name], inputs: &[InputSpec]) -> bool {
        let input = self.place(names).and_then(|place| inputs.get(place)?.as_value());
        let read = input.and_then(|stored| stored.read().ok().flatten());
        read.is_some_and(|(ty, value)| self.matches(&ty, &value))
    }
}

impl FromStr for InputFilter {
    type Err = InputFilterError;

    fn from_str(text: &str) -> Result<Self, InputFilterError> {
        let wrong = || InputFilterError { text: excerpt(text) };
        let (path, value) =
            text.split_once('=').filter(|_| text.len() <= Self::MAX_BYTES).ok_or_else(wrong)?;
        let is_path = path.split('.').count() <= Self::MAX_STEPS && !path.split('.').any(str::is_empty);
        if is_path { Ok(Self { path: path.into(), value: value.into() }) } else { Err(wrong()) }
    }
}

impl fmt::Display for InputFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.value)
    }
}

/// A part of a value.
fn part<'v>(mut ty: &'v Type, mut value: &'v Value, step: &str) -> Option<(&'v Type, &'v Value)> {
    while let (Type::Option(inner), Value::Option(Some(present))) = (ty, value) {
        (ty, value) = (inner, present);
    }
    match (ty, value) {
        (Type::Record(fields), Value::Record(values)) => {
            let field = fields.iter().find(|field| *field.name == *step)?;
            Some((&field.ty, values.iter().find(|(name, _)| **name == *step).map(|(_, value)| value)?))
        }
        (Type::Tuple(types), Value::Tuple(values)) => {
            let place: usize = step.parse().ok()?;
            Some((types.get(place)?, values.get(place)?))
        }
        (Type::List(ty) | Type::FixedList(ty, _), Value::List(values)) => {
            Some((ty, values.get(step.parse::<usize>().ok()?)?))
        }
        (Type::Variant(cases), Value::Variant(name, Some(payload))) if **name == *step => {
            let case = cases.iter().find(|case| *case.name == *step)?;
            Some((case.ty.as_ref()?, payload))
        }
        (Type::Result { ok: Some(ty), .. }, Value::Result(Ok(Some(value)))) if step == "ok" => {
            Some((ty, value))
        }
        (Type::Result { err: Some(ty), .. }, Value::Result(Err(Some(value)))) if step == "err" => {
            Some((ty, value))
        }
        _ => None,
    }
}

/// Whether a value is what a text says.
fn is(mut ty: &Type, mut value: &Value, text: &str) -> bool {
    loop {
        let is_text = matches!(value, Value::String(string) if string == text);
        if is_text || Value::from_wave(text, ty).is_ok_and(|wanted| wanted == *value) {
            return true;
        }
        // A present option is as good as its content.
        let (Type::Option(inner), Value::Option(Some(present))) = (ty, value) else { return false };
        (ty, value) = (inner, present);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoredValue;

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| Name::from(*name)).collect()
    }

    #[test]
    fn inputs_are_compared_by_their_types() {
        let check = |ty: Type, value: &str, filter: &str, expected: bool| {
            let input = Value::from_wave(value, &ty).unwrap();
            let filter: InputFilter = filter.parse().unwrap();
            assert_eq!(filter.matches(&ty, &input), expected, "{filter} of {value}");
        };
        check(Type::U8, "41", "a=41", true);
        check(Type::U8, "41", "a=40", false);
        check(Type::U8, "41", "a=forty", false);
        check(Type::F64, "3.0", "a=3", true);
        check(Type::String, "\"two words\"", "a=two words", true);
        check(Type::String, "\"two words\"", "a=\"two words\"", true);
        check(Type::String, "\"a=b\"", "x=a=b", true);
        check(Type::option(Type::U8), "some(3)", "a=3", true);
        check(Type::option(Type::U8), "some(3)", "a=some(3)", true);
        check(Type::option(Type::U8), "none", "a=none", true);
        check(Type::option(Type::U8), "none", "a=3", false);
        let config = Type::record([("rate", Type::F64), ("to", Type::option(Type::list(Type::String)))]);
        let value = "{rate: 3.5, to: some([\"a\", \"b\"])}";
        check(config.clone(), value, "c.rate=3.5", true);
        check(config.clone(), value, "c.rate=3", false);
        check(config.clone(), value, "c.to.1=b", true);
        check(config.clone(), value, "c.to.2=b", false);
        check(config.clone(), value, "c.speed=3.5", false);
        check(config, "{rate: 1.0}", "c.to.0=a", false);
        let shape = Type::variant([("circle", Some(Type::U8)), ("dot", None)]);
        check(shape.clone(), "circle(3)", "s.circle=3", true);
        check(shape.clone(), "dot", "s=dot", true);
        check(shape, "dot", "s.circle=3", false);
        check(Type::result(Some(Type::U8), Some(Type::String)), "err(\"no\")", "r.err=no", true);
        check(Type::tuple([Type::U8, Type::Bool]), "(1, true)", "t.1=true", true);
    }

    #[test]
    fn an_input_is_found_by_name_and_by_place() {
        let stored = |number: u8| InputSpec::Value(StoredValue::new(&Value::U8(number), &Type::U8).unwrap());
        let inputs = [stored(1), stored(2), InputSpec::Result(crate::RunId::from_bytes([1; 16]))];
        let check = |names: &[Name], filter: &str| {
            filter.parse::<InputFilter>().unwrap().matches_stored(names, &inputs)
        };
        let known = names(&["a", "b", "c"]);
        assert!(check(&known, "a=1") && check(&known, "b=2") && check(&known, "1=2") && check(&[], "1=2"));
        assert!(
            !check(&known, "a=2") && !check(&[], "a=1") && !check(&known, "c=1") && !check(&known, "9=1")
        );
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let deep = vec!["a"; 17].join(".");
        for wrong in
            ["", "a", "=1", "a..b=1", ".a=1", &format!("{deep}=1"), &format!("a={}", "x".repeat(4096))]
        {
            let error = wrong.parse::<InputFilter>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("expected NAME=VALUE such as city=Berlin"), "{error}");
        }
        assert_eq!("a.b=c=d".parse::<InputFilter>().unwrap().to_string(), "a.b=c=d");
    }
}
