//! The arguments of a task: values, and for a map, sources of values.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use futures_util::StreamExt;
use hostel_core::{Arguments, Tag, Value};

use crate::error::SubmitError;
use crate::run::{Input, IntoInput, TaskFuture};

/// The arguments and options of one submission or one map; created by [`args!`](crate::args).
#[derive(Debug, Default)]
pub struct Args {
    items: Vec<(Option<String>, Arg)>,
    zip_shortest: bool,
    extra: Extra,
}

/// The options of a submission in addition to its arguments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// The runs to wait for, each with a flag whether it must complete.
    pub(crate) wait_for: Vec<(TaskFuture, bool)>,
    pub(crate) tags: Vec<Tag>,
}

/// One submission: its arguments and options.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) arguments: Arguments<Input>,
    /// Shared by the runs of a map; `None` if there are no options.
    pub(crate) extra: Option<Arc<Extra>>,
}

/// One argument: a value, or [`each`] of several.
#[derive(Debug)]
pub struct Arg(Kind);

#[derive(Debug)]
enum Kind {
    Input(Input),
    Each(Each),
}

/// Values to map over, one after the other.
pub struct Each {
    source: Source,
    /// A value taken from the source that waits for the values of other arguments. `Some(None)` is the end of the
    /// source.
    next: Option<Option<Input>>,
}

/// The source of the values.
enum Source {
    Iterator(Box<dyn Iterator<Item = Input> + Send>),
    Stream(Pin<Box<dyn Stream<Item = Input> + Send>>),
}

/// Marks an argument to map over: the task runs once for each element.
///
/// Accepts any iterable, including the futures of another map, and endless iterators if the map is a stream. Several
/// marked arguments advance in lockstep and must have the same length, unless [`Args::zip_shortest`] is set.
///
/// ```
/// use hostel::{args, each};
///
/// let _ = args![each(0..1000), "the same for all"];
/// ```
pub fn each<I>(values: I) -> Each
where
    I: IntoIterator<Item: IntoInput + 'static>,
    I::IntoIter: Send + 'static,
{
    Each { source: Source::Iterator(Box::new(values.into_iter().map(IntoInput::into_input))), next: None }
}

/// Marks an argument to map over a stream. [`Task::map_stream`](crate::Task::map_stream) runs the task for each element
/// when it arrives, and takes no more elements than the number of runs that may be in flight.
///
/// ```
/// use futures_util::stream;
/// use hostel::{args, each_of_stream};
///
/// let _ = args![each_of_stream(stream::iter(["a", "b"])), "the same for all"];
/// ```
pub fn each_of_stream<S>(values: S) -> Each
where
    S: Stream<Item: IntoInput> + Send + 'static,
{
    Each { source: Source::Stream(Box::pin(values.map(IntoInput::into_input))), next: None }
}

/// Types that can be an argument: any type that can be an input ([`IntoInput`]), or [`each`].
pub trait IntoArg {
    /// Converts into an argument.
    fn into_arg(self) -> Arg;
}

impl<T: IntoInput> IntoArg for T {
    fn into_arg(self) -> Arg {
        Arg(Kind::Input(self.into_input()))
    }
}

impl IntoArg for Each {
    fn into_arg(self) -> Arg {
        Arg(Kind::Each(self))
    }
}

/// Creates [`Args`] from positional values, named values or both, positional ones first. Names are those of the WIT
/// signature, with `_` in place of `-`, which Rust does not allow in a name.
///
/// ```
/// use hostel::args;
///
/// let _ = args![41, "text", vec![1, 2, 3]];
/// let _ = args![41, rate = 0.5, sleep_ms = 20, "model-config" = "small"];
/// ```
#[macro_export]
macro_rules! args {
    (@add $args:ident;) => {};
    (@add $args:ident; $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $args = $args.named(stringify!($name).replace('_', "-"), $value);
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
    /// Creates an empty list of arguments.
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

    /// Makes the run, or each run of a map, wait until these runs have completed, without using their results. If one
    /// of them does not complete, the run never starts and ends as `UpstreamFailed`.
    #[must_use]
    pub fn wait_for<'a>(self, futures: impl IntoIterator<Item = &'a TaskFuture>) -> Self {
        self.waiting_for(futures, true)
    }

    /// Makes the run, or each run of a map, wait until these runs have ended, with any outcome.
    #[must_use]
    pub fn wait_for_any_outcome<'a>(self, futures: impl IntoIterator<Item = &'a TaskFuture>) -> Self {
        self.waiting_for(futures, false)
    }

    /// Adds tags to those of the task, for this submission only.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<Tag>>) -> Self {
        self.extra.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// Ends a map when its shortest mapped argument ends, instead of refusing different lengths.
    #[must_use]
    pub fn zip_shortest(mut self) -> Self {
        self.zip_shortest = true;
        self
    }

    /// The arguments of one run.
    pub(crate) fn single(self) -> Result<Call, SubmitError> {
        let mut arguments = Arguments::new();
        for (index, (name, Arg(kind))) in self.items.into_iter().enumerate() {
            let Kind::Input(input) = kind else {
                return Err(SubmitError::Each { position: index + 1 });
            };
            arguments = add(arguments, name, input);
        }
        Ok(Call { arguments, extra: self.extra.shared() })
    }

    /// The arguments of each run of a map whose elements are all available.
    pub(crate) fn all_rows(self) -> Result<impl Iterator<Item = Result<Call, SubmitError>>, SubmitError> {
        let is_stream = |(_, Arg(kind)): &(Option<String>, Arg)| match kind {
            Kind::Each(each) => matches!(each.source, Source::Stream(_)),
            Kind::Input(_) => false,
        };
        if let Some(index) = self.items.iter().position(is_stream) {
            return Err(SubmitError::Stream { position: index + 1 });
        }
        let mut rows = self.rows()?;
        Ok(std::iter::from_fn(move || match rows.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(next) => next,
            // Iterators never wait.
            Poll::Pending => None,
        }))
    }

    /// The arguments of each run of a map, one after the other.
    ///
    /// If the lengths are known, different ones are an error immediately. Otherwise, an argument that ends before the
    /// others is an error at that row, and the last row.
    pub(crate) fn rows(self) -> Result<Rows, SubmitError> {
        let lengths = self.each().map(Each::known_length);
        let known: Vec<usize> = lengths.collect::<Option<_>>().unwrap_or_default();
        let differ = known.iter().any(|&length| Some(&length) != known.first());
        if differ && !self.zip_shortest {
            return Err(SubmitError::LengthsDiffer { lengths: known });
        }
        if self.each().next().is_none() {
            return Err(SubmitError::NothingMapped);
        }
        let extra = self.extra.shared();
        Ok(Rows { args: self, extra, row: 0, ended: false })
    }

    fn waiting_for<'a>(
        mut self,
        futures: impl IntoIterator<Item = &'a TaskFuture>,
        must_complete: bool,
    ) -> Self {
        self.extra.wait_for.extend(futures.into_iter().map(|future| (future.clone(), must_complete)));
        self
    }

    fn each(&self) -> impl Iterator<Item = &Each> {
        self.items.iter().filter_map(|(_, Arg(kind))| match kind {
            Kind::Each(each) => Some(each),
            Kind::Input(_) => None,
        })
    }
}

impl Extra {
    fn shared(&self) -> Option<Arc<Self>> {
        let is_usual = self.wait_for.is_empty() && self.tags.is_empty();
        (!is_usual).then(|| Arc::new(self.clone()))
    }
}

impl From<Vec<Value>> for Args {
    /// Creates positional arguments.
    fn from(values: Vec<Value>) -> Self {
        values.into_iter().fold(Self::new(), Self::positional)
    }
}

impl Each {
    fn known_length(&self) -> Option<usize> {
        let (least, most) = match &self.source {
            Source::Iterator(inputs) => inputs.size_hint(),
            Source::Stream(inputs) => inputs.size_hint(),
        };
        most.filter(|&most| most == least)
    }
}

impl Each {
    /// Takes the next value from the source, unless one is waiting already.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.next.is_none() {
            self.next = Some(match &mut self.source {
                Source::Iterator(inputs) => inputs.next(),
                Source::Stream(inputs) => ready!(inputs.as_mut().poll_next(context)),
            });
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Each").field("length", &self.known_length()).finish()
    }
}

/// The arguments of the runs of a map, row by row.
#[derive(Debug)]
pub(crate) struct Rows {
    args: Args,
    extra: Option<Arc<Extra>>,
    row: usize,
    ended: bool,
}

impl Rows {
    /// The next row; `None` after the last.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Call, SubmitError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // Polls all of them, so that each one registers the waker.
        if self.each_mut().map(|each| each.poll(context)).filter(Poll::is_pending).count() > 0 {
            return Poll::Pending;
        }
        let inputs: Vec<Option<Input>> = self.each_mut().map(|each| each.next.take().flatten()).collect();
        if inputs.iter().all(Option::is_some) {
            self.row += 1;
            return Poll::Ready(Some(Ok(self.call(inputs.into_iter().flatten().collect()))));
        }
        self.ended = true;
        let lengths = inputs.iter().map(|input| self.row + usize::from(input.is_some())).collect();
        let differ = inputs.iter().any(Option::is_some) && !self.args.zip_shortest;
        Poll::Ready(differ.then_some(Err(SubmitError::LengthsDiffer { lengths })))
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut Each> {
        self.args.items.iter_mut().filter_map(|(_, Arg(kind))| match kind {
            Kind::Each(each) => Some(each),
            Kind::Input(_) => None,
        })
    }

    fn call(&self, mapped: Vec<Input>) -> Call {
        let mut mapped = mapped.into_iter();
        let mut arguments = Arguments::new();
        for (name, Arg(kind)) in &self.args.items {
            let input = match kind {
                Kind::Input(input) => Some(input.clone()),
                Kind::Each(_) => mapped.next(),
            };
            arguments =
                input.into_iter().fold(arguments, |arguments, input| add(arguments, name.clone(), input));
        }
        Call { arguments, extra: self.extra.clone() }
    }
}

fn add(arguments: Arguments<Input>, name: Option<String>, input: Input) -> Arguments<Input> {
    match name {
        Some(name) => arguments.named(name, input),
        None => arguments.positional(input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(inputs: Vec<Input>) -> Vec<Value> {
        inputs.iter().map(Input::resolve).collect()
    }

    #[test]
    fn arguments_are_positional_or_named() {
        let Arguments { positional, named } =
            args![1, "two", rate = 0.5, "model-config" = true,].single().unwrap().arguments;
        assert_eq!(values(positional), [Value::S32(1), Value::String("two".into())]);
        let names: Vec<_> = named.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["rate", "model-config"]);
        let named = args![sleep_ms = 5].single().unwrap().arguments.named;
        assert_eq!(named.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["sleep-ms"]);
        assert!(args![].single().unwrap().arguments.positional.is_empty());
    }

    #[test]
    fn each_is_for_maps() {
        let error = args![1, each(0..3)].single().unwrap_err();
        assert_eq!(
            error.to_string(),
            "argument 2 is marked `each`: use `map` to run the task for each element"
        );
        let error = args![1, 2].all_rows().err().unwrap();
        assert!(matches!(error, SubmitError::NothingMapped));
    }

    #[test]
    fn rows_go_in_lockstep() {
        let rows: Vec<_> =
            args![each(0..3), 7, y = each(["a", "b", "c"])].all_rows().unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 3);
        let Arguments { positional, named } = rows.into_iter().last().unwrap().arguments;
        assert_eq!(values(positional), [Value::S32(2), Value::S32(7)]);
        let (name, input) = named.into_iter().next().unwrap();
        assert_eq!((&*name, input.resolve()), ("y", Value::String("c".into())));
        assert_eq!(args![each(0..0)].all_rows().unwrap().count(), 0);
    }

    #[test]
    fn lengths_that_differ_are_an_error() {
        let error = args![each(0..3), each(0..5)].all_rows().err().unwrap();
        assert_eq!(error.to_string(), "the mapped arguments have different lengths: 3, 5");
        // Unknown lengths are compared when one of the arguments ends.
        let unknown = |n: i32| each((0..n).filter(|_| true));
        let mut rows = args![unknown(2), unknown(3)].all_rows().unwrap();
        assert!(rows.next().unwrap().is_ok() && rows.next().unwrap().is_ok());
        let error = rows.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the mapped arguments have different lengths: 2, 3");
        assert!(rows.next().is_none());
    }

    #[test]
    fn f10_a_map_may_stop_at_the_shortest() {
        let rows = args![each(0..3), each(0..5)].zip_shortest().all_rows().unwrap();
        assert_eq!(rows.map(Result::unwrap).count(), 3);
        let rows = args![each(0..), each((0..2).filter(|_| true))].zip_shortest().all_rows().unwrap();
        assert_eq!(rows.map(Result::unwrap).count(), 2);
    }
}
