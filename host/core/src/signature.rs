//! Signatures of tasks, and binding of arguments to parameters.

use std::{
    fmt::{self, Display},
    sync::Arc,
};

use serde_json::Value as Json;

use crate::value::{
    Name, Type, UnknownName, Value, ValueError, ValueReader, excerpt, list_names, parse_json, write_list,
};

/// The parameters and the result type of a task. Cheap to clone.
///
/// ```
/// # use hostel_core::{Arguments, Signature, Type, Value};
/// let signature = Signature::new([("a", Type::S64), ("b", Type::option(Type::S64))], Some(Type::S64));
/// assert_eq!(signature.to_string(), "(a: s64, b: option<s64>) -> s64");
///
/// let values = signature.bind(Arguments::new().named("a", Value::S32(41)))?;
/// assert_eq!(values, [Value::S64(41), Value::Option(None)]);
/// # Ok::<(), hostel_core::ArgumentError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The parameters, in order.
    pub params: Arc<[Param]>,
    /// The type of the result, if there is one.
    pub result: Option<Type>,
    /// Whether the function is an `async func`, which needs an engine with concurrency support.
    pub is_async: bool,
}

/// A parameter of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    /// Its name, by which an argument can be given.
    pub name: Name,
    /// Its type.
    pub ty: Type,
}

/// Arguments of a caller: first those by position, then those by name.
///
/// They are values, or anything that [`Signature::bind_with`] can convert to values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments<V = Value> {
    /// For the first parameters, in order.
    pub positional: Vec<V>,
    /// For the parameters of these names, in any order.
    pub named: Vec<(String, V)>,
}

/// The error for arguments that do not fit a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// There are more arguments by position than parameters.
    #[error("expected at most {expected} arguments, found {found}")]
    TooMany {
        /// The number of parameters.
        expected: usize,
        /// The number of arguments by position.
        found: usize,
    },
    /// Parameters that are not options have no argument.
    #[error("missing arguments: {}", list_names(names))]
    Missing {
        /// The parameters, in order.
        names: Vec<Name>,
    },
    /// An argument has the name of no parameter.
    #[error("{0}")]
    Unknown(UnknownName),
    /// A parameter has two arguments.
    #[error("argument {name:?} is given twice")]
    Twice {
        /// The parameter.
        name: Name,
    },
    /// An argument does not fit its parameter.
    #[error("argument {name:?}: {error}")]
    Wrong {
        /// The parameter.
        name: Name,
        /// The mismatch, and its path in the argument.
        error: ValueError,
    },
    /// JSON arguments are neither an object nor an array.
    #[error("expected an object or array of arguments, found {found}")]
    NoArguments {
        /// The JSON found instead, shortened.
        found: String,
    },
}

impl Signature {
    /// Returns the signature of a function that is not async.
    pub fn new<N: Into<Name>>(params: impl IntoIterator<Item = (N, Type)>, result: Option<Type>) -> Self {
        let params = params.into_iter().map(|(name, ty)| Param { name: name.into(), ty });
        Self { params: params.collect(), result, is_async: false }
    }

    /// Checks arguments and returns one value per parameter, in order and in normal form.
    ///
    /// A parameter of option type that has no argument gets `none`.
    ///
    /// # Errors
    ///
    /// Returns the first argument that does not fit, or all parameters without one.
    pub fn bind(&self, arguments: Arguments) -> Result<Vec<Value>, ArgumentError> {
        self.bind_with(arguments, |param, value| param.ty.conform(value))
    }

    /// Binds arguments given as text, each parsed with [`Param::parse`].
    ///
    /// # Errors
    ///
    /// As [`Signature::bind`].
    pub fn bind_text(&self, arguments: Arguments<&str>) -> Result<Vec<Value>, ArgumentError> {
        let mut reader = ValueReader::default();
        self.bind_with(arguments, |param, text| param.parse_with(&mut reader, text))
    }

    /// Binds the arguments in a JSON object (by name) or array (by position).
    ///
    /// # Errors
    ///
    /// As [`Signature::bind`], and [`ArgumentError::NoArguments`] if it is neither.
    pub fn bind_json(&self, json: &Json) -> Result<Vec<Value>, ArgumentError> {
        self.bind_json_with(&mut ValueReader::default(), json)
    }

    /// As [`Signature::bind_json`], with this reader.
    ///
    /// # Errors
    ///
    /// As [`Signature::bind_json`].
    pub fn bind_json_with(&self, reader: &mut ValueReader, json: &Json) -> Result<Vec<Value>, ArgumentError> {
        let mut arguments = Arguments::new();
        if let Some(members) = json.as_object() {
            arguments.named = members.iter().map(|(name, value)| (name.clone(), value)).collect();
        } else if let Some(items) = json.as_array() {
            arguments.positional = items.iter().collect();
        } else {
            return Err(ArgumentError::NoArguments { found: excerpt(json) });
        }
        self.bind_with(arguments, |param, json| reader.json(json, &param.ty))
    }

    /// Binds arguments of any kind. The function converts one to the value of its parameter, in normal form, or to a
    /// placeholder for a later value.
    ///
    /// # Errors
    ///
    /// As [`Signature::bind`].
    pub fn bind_with<V, T: From<Value>>(
        &self,
        arguments: Arguments<V>,
        mut read: impl FnMut(&Param, V) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, ArgumentError> {
        let slots = self.assign(arguments)?;
        let bound = slots.into_iter().zip(&*self.params).map(|(slot, param)| match slot {
            Some(argument) => read(param, argument).map_err(|error| param.wrong(error)),
            None => Ok(Value::Option(None).into()),
        });
        bound.collect()
    }

    /// Returns the parameter of this name.
    ///
    /// # Errors
    ///
    /// Returns [`ArgumentError::Unknown`] if there is none.
    pub fn param(&self, name: &str) -> Result<&Param, ArgumentError> {
        self.params.iter().find(|param| *param.name == *name).ok_or_else(|| self.unknown(name))
    }

    /// Returns the argument of each parameter, in order; only an option may have none.
    fn assign<V>(&self, arguments: Arguments<V>) -> Result<Vec<Option<V>>, ArgumentError> {
        let expected = self.params.len();
        let found = arguments.positional.len();
        if found > expected {
            return Err(ArgumentError::TooMany { expected, found });
        }
        let mut slots: Vec<Option<V>> = arguments.positional.into_iter().map(Some).collect();
        slots.resize_with(expected, || None);
        for (name, argument) in arguments.named {
            let slot = self.params.iter().zip(&mut slots).find(|(param, _)| *param.name == *name);
            let (param, slot) = slot.ok_or_else(|| self.unknown(&name))?;
            if slot.replace(argument).is_some() {
                return Err(ArgumentError::Twice { name: param.name.clone() });
            }
        }
        let without =
            self.params.iter().zip(&slots).filter(|(param, slot)| slot.is_none() && !param.is_optional());
        let names: Vec<Name> = without.map(|(param, _)| param.name.clone()).collect();
        if names.is_empty() { Ok(slots) } else { Err(ArgumentError::Missing { names }) }
    }

    fn unknown(&self, name: &str) -> ArgumentError {
        ArgumentError::Unknown(UnknownName::new(
            "argument",
            name,
            self.params.iter().map(|param| &param.name),
        ))
    }
}

impl Param {
    /// Returns whether the argument may be left out; then it is `none`.
    pub fn is_optional(&self) -> bool {
        matches!(self.ty, Type::Option(_))
    }

    /// Parses an argument: WAVE, or for a `string` (or an option of it) any unquoted text. A float may begin with its point,
    /// as in `-.5`. For `data` it is JSON, or a text if it is no JSON.
    ///
    /// # Errors
    ///
    /// As [`Value::from_wave`].
    ///
    /// ```
    /// # use hostel_core::{Param, Type, Value};
    /// let param = Param { name: "name".into(), ty: Type::String };
    /// assert_eq!(param.parse("bob")?, Value::String("bob".into()));
    /// assert_eq!(param.parse(r#""bob""#)?, Value::String("bob".into()));
    /// # Ok::<(), hostel_core::ValueError>(())
    /// ```
    pub fn parse(&self, text: &str) -> Result<Value, ValueError> {
        self.parse_with(&mut ValueReader::default(), text)
    }

    /// As [`Param::parse`], together with other arguments.
    ///
    /// # Errors
    ///
    /// As [`ValueReader::wave`].
    pub fn parse_with(&self, reader: &mut ValueReader, text: &str) -> Result<Value, ValueError> {
        if takes_unquoted(&self.ty, text.trim_start()) {
            return self.ty.conform(Value::String(text.to_owned()));
        }
        if self.ty == Type::Data {
            return Value::data_or_text(text);
        }
        if let Type::Option(some) = &self.ty
            && **some == Type::Data
        {
            return Value::data_or_text(text).map(|data| Value::Option(Some(Box::new(data))));
        }
        if self.ty.is_of_data() {
            return reader.json(&parse_json(text)?, &self.ty);
        }
        match with_leading_zero(&self.ty, text.trim()) {
            Some(text) => reader.wave(&text, &self.ty),
            None => reader.wave(text, &self.ty),
        }
    }

    fn wrong(&self, error: ValueError) -> ArgumentError {
        ArgumentError::Wrong { name: self.name.clone(), error }
    }
}

impl<V> Arguments<V> {
    /// Returns no arguments.
    pub fn new() -> Self {
        Self { positional: Vec::new(), named: Vec::new() }
    }

    /// Adds an argument for the next parameter by position.
    #[must_use]
    pub fn positional(mut self, argument: V) -> Self {
        self.positional.push(argument);
        self
    }

    /// Adds an argument for the parameter of this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, argument: V) -> Self {
        self.named.push((name.into(), argument));
        self
    }
}

impl<V> Default for Arguments<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> From<Vec<V>> for Arguments<V> {
    /// Returns arguments that are all by position.
    fn from(positional: Vec<V>) -> Self {
        Self { positional, named: Vec::new() }
    }
}

impl Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_async {
            f.write_str("async ")?;
        }
        f.write_str("(")?;
        write_list(f, &self.params)?;
        f.write_str(")")?;
        self.result.as_ref().map_or(Ok(()), |result| write!(f, " -> {result}"))
    }
}

impl Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

/// Returns the text with the zero that WAVE requires before the point of a float.
fn with_leading_zero(ty: &Type, text: &str) -> Option<String> {
    if let Type::Option(some) = ty {
        return with_leading_zero(some, text);
    }
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let is_float = matches!(ty, Type::F32 | Type::F64);
    (is_float && rest.starts_with('.')).then(|| format!("{sign}0{rest}"))
}

/// Returns whether a text is literal, without quotes around it.
fn takes_unquoted(ty: &Type, text: &str) -> bool {
    if let Type::Option(some) = ty {
        return takes_unquoted(some, text) && text.trim_end() != "none" && !text.starts_with("some(");
    }
    *ty == Type::String && !text.starts_with('"')
}
