//! What a task is called with: values, and for a map, what to take values from.

use std::fmt;

use hostel_core::{Arguments, IntoValue, Value};

use crate::error::SubmitError;

/// The arguments of one submission or one map; made by [`args!`](crate::args).
#[derive(Debug, Default)]
pub struct Args {
    items: Vec<(Option<String>, Arg)>,
}

/// One argument: a value, or [`each`] of several.
#[derive(Debug)]
pub struct Arg(Kind);

#[derive(Debug)]
enum Kind {
    Value(Value),
    Each(Each),
}

/// Values to be mapped over, one after the other.
pub struct Each {
    values: Box<dyn Iterator<Item = Value> + Send>,
}

/// Marks an argument to be mapped: the task runs once for each element.
///
/// Takes anything that can be iterated, endless iterators too where the map is a stream. Several marked arguments go
/// in lockstep and must have the same length.
///
/// ```
/// use hostel::{args, each};
///
/// let _ = args![each(0..1000), "the same for all"];
/// ```
pub fn each<I>(values: I) -> Each
where
    I: IntoIterator<Item: IntoValue + 'static>,
    I::IntoIter: Send + 'static,
{
    Each { values: Box::new(values.into_iter().map(IntoValue::into_value)) }
}

/// What can be an argument: any [`IntoValue`], a [`Value`], or [`each`].
pub trait IntoArg {
    /// Makes the argument.
    fn into_arg(self) -> Arg;
}

impl<T: IntoValue> IntoArg for T {
    fn into_arg(self) -> Arg {
        Arg(Kind::Value(self.into_value()))
    }
}

impl IntoArg for Each {
    fn into_arg(self) -> Arg {
        Arg(Kind::Each(self))
    }
}

/// Makes [`Args`] from values by position, by name, or both: positional ones first.
///
/// ```
/// use hostel::args;
///
/// let _ = args![41, "text", vec![1, 2, 3]];
/// let _ = args![41, rate = 0.5, "model-config" = "small"];
/// ```
#[macro_export]
macro_rules! args {
    (@add $args:ident;) => {};
    (@add $args:ident; $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $args = $args.named(stringify!($name), $value);
        $crate::args!(@add $args; $($($rest)*)?);
    };
    (@add $args:ident; $name:literal = $value:expr $(, $($rest:tt)*)?) => {
        $args = $args.named($name, $value);
        $crate::args!(@add $args; $($($rest)*)?);
    };
    (@add $args:ident; $value:expr $(, $($rest:tt)*)?) => {
        $args = $args.positional($value);
        $crate::args!(@add $args; $($($rest)*)?);
    };
    () => { $crate::Args::new() };
    ($($args:tt)+) => {{
        let mut args = $crate::Args::new();
        $crate::args!(@add args; $($args)+);
        args
    }};
}

impl Args {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next positional argument.
    #[must_use]
    pub fn positional(mut self, value: impl IntoArg) -> Self {
        self.items.push((None, value.into_arg()));
        self
    }

    /// Adds an argument by name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, value: impl IntoArg) -> Self {
        self.items.push((Some(name.into()), value.into_arg()));
        self
    }

    /// The arguments of one run.
    pub(crate) fn single(self) -> Result<Arguments, SubmitError> {
        let mut arguments = Arguments::new();
        for (index, (name, Arg(kind))) in self.items.into_iter().enumerate() {
            let Kind::Value(value) = kind else {
                return Err(SubmitError::Each { position: index + 1 });
            };
            arguments = add(arguments, name, value);
        }
        Ok(arguments)
    }

    /// The arguments of the runs of a map, one after the other.
    ///
    /// Where the lengths are known, different ones are an error at once; else one that ends before the others is an
    /// error in its place, and ends the rows.
    pub(crate) fn rows(self) -> Result<Rows, SubmitError> {
        let lengths = self.each().map(Each::known_length);
        let known: Vec<usize> = lengths.collect::<Option<_>>().unwrap_or_default();
        if known.iter().any(|&length| Some(&length) != known.first()) {
            return Err(SubmitError::LengthsDiffer { lengths: known });
        }
        if self.each().next().is_none() {
            return Err(SubmitError::NothingMapped);
        }
        Ok(Rows { args: self, row: 0, ended: false })
    }

    fn each(&self) -> impl Iterator<Item = &Each> {
        self.items.iter().filter_map(|(_, Arg(kind))| match kind {
            Kind::Each(each) => Some(each),
            Kind::Value(_) => None,
        })
    }
}

impl From<Vec<Value>> for Args {
    /// Positional arguments.
    fn from(values: Vec<Value>) -> Self {
        values.into_iter().fold(Self::new(), Self::positional)
    }
}

impl Each {
    fn known_length(&self) -> Option<usize> {
        let (least, most) = self.values.size_hint();
        most.filter(|&most| most == least)
    }
}

impl fmt::Debug for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Each").field("length", &self.known_length()).finish()
    }
}

/// The arguments of one run after the other.
#[derive(Debug)]
pub(crate) struct Rows {
    args: Args,
    row: usize,
    ended: bool,
}

impl Rows {
    /// The next value of each mapped argument; `None` for those that have ended.
    fn next_values(&mut self) -> Vec<Option<Value>> {
        let each = self.args.items.iter_mut().filter_map(|(_, Arg(kind))| match kind {
            Kind::Each(each) => Some(each),
            Kind::Value(_) => None,
        });
        each.map(|each| each.values.next()).collect()
    }

    fn arguments(&self, mapped: Vec<Value>) -> Arguments {
        let mut mapped = mapped.into_iter();
        let mut arguments = Arguments::new();
        for (name, Arg(kind)) in &self.args.items {
            let value = match kind {
                Kind::Value(value) => Some(value.clone()),
                Kind::Each(_) => mapped.next(),
            };
            arguments =
                value.into_iter().fold(arguments, |arguments, value| add(arguments, name.clone(), value));
        }
        arguments
    }
}

impl Iterator for Rows {
    type Item = Result<Arguments, SubmitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let values = self.next_values();
        if values.iter().all(Option::is_some) {
            self.row += 1;
            return Some(Ok(self.arguments(values.into_iter().flatten().collect())));
        }
        self.ended = true;
        let lengths = values.iter().map(|value| self.row + usize::from(value.is_some())).collect();
        values.iter().any(Option::is_some).then_some(Err(SubmitError::LengthsDiffer { lengths }))
    }
}

fn add(arguments: Arguments, name: Option<String>, value: Value) -> Arguments {
    match name {
        Some(name) => arguments.named(name, value),
        None => arguments.positional(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_positional_or_named() {
        let arguments = args![1, "two", rate = 0.5, "model-config" = true,].single().unwrap();
        assert_eq!(arguments.positional, [Value::S32(1), Value::String("two".into())]);
        let names: Vec<_> = arguments.named.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["rate", "model-config"]);
        assert!(args![].single().unwrap().positional.is_empty());
    }

    #[test]
    fn each_is_for_maps() {
        let error = args![1, each(0..3)].single().unwrap_err();
        assert_eq!(
            error.to_string(),
            "argument 2 is marked `each`: use `map` to run the task for each element"
        );
        let error = args![1, 2].rows().unwrap_err();
        assert!(matches!(error, SubmitError::NothingMapped));
    }

    #[test]
    fn rows_go_in_lockstep() {
        let rows: Vec<_> =
            args![each(0..3), 7, y = each(["a", "b", "c"])].rows().unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[2].positional, [Value::S32(2), Value::S32(7)]);
        assert_eq!(rows[2].named, [("y".into(), Value::String("c".into()))]);
        assert_eq!(args![each(0..0)].rows().unwrap().count(), 0);
    }

    #[test]
    fn lengths_that_differ_are_an_error() {
        let error = args![each(0..3), each(0..5)].rows().unwrap_err();
        assert_eq!(error.to_string(), "the mapped arguments have different lengths: 3, 5");
        // Lengths that nobody knows before are noticed when one ends.
        let unknown = |n: i32| each((0..n).filter(|_| true));
        let mut rows = args![unknown(2), unknown(3)].rows().unwrap();
        assert!(rows.next().unwrap().is_ok() && rows.next().unwrap().is_ok());
        let error = rows.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the mapped arguments have different lengths: 2, 3");
        assert!(rows.next().is_none());
    }
}
