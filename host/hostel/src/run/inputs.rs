//! The inputs of a run: values, and the results of other runs in place of values.

use std::sync::Arc;

use hostel_core::{IntoValue, Name, Outcome, Step, Type, Value, ValueError};

use super::future::TaskFuture;

/// An input of a run: a value, a future that is replaced by its result, or a list, tuple, record or option that
/// contains futures.
///
/// A run with futures among its inputs waits for them without holding a thread. If one of them does not complete, the
/// run never starts and ends as `UpstreamFailed`. Cycles are impossible, because a future exists only after its own
/// inputs were given.
///
/// ```
/// use hostel::{Input, TaskFuture, args};
///
/// # fn demo(score: &TaskFuture, name: &TaskFuture) {
/// let _ = args![score, Input::list([name, name])];
/// let _ = args![Input::record([("name", Input::from(name)), ("rate", Input::value(0.5))])];
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Input(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Value(Value),
    /// The value of another run.
    Result(TaskFuture),
    /// The outcome of another run, as `result<T, string>`.
    Outcome(TaskFuture),
    /// The text of data.
    Data(Box<Input>),
    Some(Box<Input>),
    Variant(Name, Box<Input>),
    Ok(Box<Input>),
    Err(Box<Input>),
    List(Vec<Input>),
    Tuple(Vec<Input>),
    Record(Vec<(Name, Input)>),
}

/// A run that another one waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upstream<'a> {
    pub(crate) future: &'a TaskFuture,
    /// Whether it must complete; otherwise it must only end.
    pub(crate) must_complete: bool,
}

/// Passes the outcome of `future` as an input of type `result<T, string>`, instead of failing if it did not complete:
/// `ok` with its value, or `err` with a description of the failure.
pub fn allow_failure(future: &TaskFuture) -> Input {
    Input(Kind::Outcome(future.clone()))
}

/// Types that can be an input: any [`IntoValue`], a future, or an [`Input`] with futures inside, such as
/// [`Input::list`].
pub trait IntoInput {
    /// Converts into an input.
    fn into_input(self) -> Input;
}

impl Input {
    /// A value.
    pub fn value(value: impl IntoValue) -> Self {
        Self(Kind::Value(value.into_value()))
    }

    /// The `some` case of an option.
    pub fn some(payload: impl IntoInput) -> Self {
        Self(Kind::Some(Box::new(payload.into_input())))
    }

    /// A case of an enum, or a case of a variant without a payload.
    pub fn case(name: impl Into<Name>) -> Self {
        Self(Kind::Value(Value::Enum(name.into())))
    }

    /// A case of a variant, with its payload.
    pub fn variant(case: impl Into<Name>, payload: impl IntoInput) -> Self {
        Self(Kind::Variant(case.into(), Box::new(payload.into_input())))
    }

    /// The `ok` case of a result.
    pub fn ok(payload: impl IntoInput) -> Self {
        Self(Kind::Ok(Box::new(payload.into_input())))
    }

    /// The `err` case of a result.
    pub fn err(payload: impl IntoInput) -> Self {
        Self(Kind::Err(Box::new(payload.into_input())))
    }

    /// A list of inputs.
    pub fn list(items: impl IntoIterator<Item: IntoInput>) -> Self {
        Self(Kind::List(items.into_iter().map(IntoInput::into_input).collect()))
    }

    /// A tuple of inputs.
    pub fn tuple(items: impl IntoIterator<Item: IntoInput>) -> Self {
        Self(Kind::Tuple(items.into_iter().map(IntoInput::into_input).collect()))
    }

    /// A record of inputs, by field name.
    pub fn record<N: Into<Name>>(fields: impl IntoIterator<Item = (N, impl IntoInput)>) -> Self {
        let fields = fields.into_iter().map(|(name, input)| (name.into(), input.into_input()));
        Self(Kind::Record(fields.collect()))
    }

    /// The payload of an option, or what was given in its place; `None` for `none`.
    pub(crate) fn into_payload(self) -> Option<Self> {
        if let Kind::Value(Value::Option(payload)) = self.0 {
            payload.map(|payload| Self::from(*payload))
        } else if let Kind::Some(payload) = self.0 {
            Some(*payload)
        } else {
            Some(self)
        }
    }

    /// The elements of a list; the input itself if they are not known yet.
    pub(crate) fn into_items(self) -> Result<Vec<Self>, Self> {
        if let Kind::Value(Value::List(items)) = self.0 {
            Ok(items.into_iter().map(Self::from).collect())
        } else if let Kind::List(items) = self.0 {
            Ok(items)
        } else {
            Err(self)
        }
    }

    /// The same as one value, if there are no futures in it.
    pub(crate) fn settled(self) -> Self {
        if self.has_upstream() { self } else { Self::from(self.into_value()) }
    }

    /// An input of type `data` as its text, which the runtime of a script takes.
    pub(crate) fn data(self) -> Self {
        match self.as_value().and_then(Value::as_data) {
            Some(text) => Self::from(Value::String(text.to_owned())),
            None => Self(Kind::Data(Box::new(self))),
        }
    }

    /// The value, if there are no futures in the input.
    pub(crate) fn as_value(&self) -> Option<&Value> {
        if let Kind::Value(value) = &self.0 { Some(value) } else { None }
    }

    /// Checks the input against the expected type, as far as possible before its futures have ended, and puts its
    /// values in normal form.
    pub(crate) fn check(self, ty: &Type) -> Result<Self, ValueError> {
        if let Kind::Value(value) = self.0 {
            return ty.conform(value).map(Self::from);
        }
        if let Kind::Result(future) = &self.0 {
            ty.may_take(future.task().completed_type())?;
            return Ok(self);
        }
        if let Kind::Outcome(future) = &self.0 {
            takes_outcome(ty, future.task().completed_type())?;
            return Ok(self);
        }
        let checked = check_nested(self.0, ty).map(Self)?;
        if checked.has_upstream() { Ok(checked) } else { ty.conform(checked.resolve()).map(Self::from) }
    }

    /// Approximate memory of its values, in bytes. Results of other runs count as 0 until they are available.
    pub(crate) fn footprint(&self) -> usize {
        match &self.0 {
            Kind::Value(value) => value.footprint(),
            Kind::Result(_) | Kind::Outcome(_) => 0,
            Kind::Data(payload)
            | Kind::Some(payload)
            | Kind::Variant(_, payload)
            | Kind::Ok(payload)
            | Kind::Err(payload) => payload.footprint(),
            Kind::List(items) | Kind::Tuple(items) => items.iter().map(Self::footprint).sum(),
            Kind::Record(fields) => fields.iter().map(|(_, input)| input.footprint()).sum(),
        }
    }

    /// Its value, if it contains no futures.
    fn into_value(self) -> Value {
        if let Kind::Value(value) = self.0 { value } else { self.resolve() }
    }

    /// The value, after all futures inside have ended; not in normal form yet. A future that did not complete becomes
    /// an absent option.
    pub(crate) fn resolve(&self) -> Value {
        match &self.0 {
            Kind::Value(value) => value.clone(),
            Kind::Result(future) => completed(future.try_outcome().as_deref()).unwrap_or(Value::Option(None)),
            Kind::Outcome(future) => outcome_value(future),
            Kind::Data(payload) => Value::String(payload.data_text()),
            Kind::Some(payload) => Value::Option(Some(Box::new(payload.resolve()))),
            Kind::Variant(case, payload) => Value::Variant(case.clone(), Some(Box::new(payload.resolve()))),
            Kind::Ok(payload) => Value::Result(Ok(Some(Box::new(payload.resolve())))),
            Kind::Err(payload) => Value::Result(Err(Some(Box::new(payload.resolve())))),
            Kind::List(items) => Value::List(items.iter().map(Self::resolve).collect()),
            Kind::Tuple(items) => Value::Tuple(items.iter().map(Self::resolve).collect()),
            Kind::Record(fields) => {
                Value::Record(fields.iter().map(|(name, input)| (name.clone(), input.resolve())).collect())
            }
        }
    }

    /// Calls `visit` with each future inside.
    pub(crate) fn each_upstream<'a>(&'a self, visit: &mut impl FnMut(Upstream<'a>)) {
        match &self.0 {
            Kind::Value(_) => {}
            Kind::Result(future) => visit(Upstream { future, must_complete: true }),
            Kind::Outcome(future) => visit(Upstream { future, must_complete: false }),
            Kind::Data(payload)
            | Kind::Some(payload)
            | Kind::Variant(_, payload)
            | Kind::Ok(payload)
            | Kind::Err(payload) => {
                payload.each_upstream(visit);
            }
            Kind::List(items) | Kind::Tuple(items) => items.iter().for_each(|item| item.each_upstream(visit)),
            Kind::Record(fields) => fields.iter().for_each(|(_, input)| input.each_upstream(visit)),
        }
    }

    fn data_text(&self) -> String {
        match (&self.0, self.resolve()) {
            // The result of a script's function is the text of data.
            (Kind::Result(future), Value::String(text)) if *future.task().completed_type() == Type::Data => {
                text
            }
            (_, value) => value.data_json(),
        }
    }

    fn has_upstream(&self) -> bool {
        let mut has = false;
        self.each_upstream(&mut |_| has = true);
        has
    }
}

impl From<Value> for Input {
    fn from(value: Value) -> Self {
        Self(Kind::Value(value))
    }
}

impl From<&TaskFuture> for Input {
    fn from(future: &TaskFuture) -> Self {
        Self(Kind::Result(future.clone()))
    }
}

impl<T: IntoValue> IntoInput for T {
    fn into_input(self) -> Input {
        Input::value(self)
    }
}

impl IntoInput for Input {
    fn into_input(self) -> Input {
        self
    }
}

impl IntoInput for TaskFuture {
    fn into_input(self) -> Input {
        Input(Kind::Result(self))
    }
}

impl IntoInput for &TaskFuture {
    fn into_input(self) -> Input {
        Input::from(self)
    }
}

fn check_nested(nested: Kind, ty: &Type) -> Result<Kind, ValueError> {
    match (nested, ty) {
        (Kind::Some(payload), Type::Option(some)) => Ok(Kind::Some(Box::new(payload.check(some)?))),
        // As for values, a bare payload is accepted in place of `some`.
        (nested, Type::Option(some)) => Ok(Kind::Some(Box::new(Input(check_nested(nested, some)?)))),
        (Kind::List(items), Type::List(item)) => check_all(items, |_| Some(&**item)).map(Kind::List),
        (Kind::List(items), Type::FixedList(item, _)) => check_all(items, |_| Some(&**item)).map(Kind::List),
        (Kind::Tuple(items), Type::Tuple(types)) => {
            check_all(items, |index| types.get(index)).map(Kind::Tuple)
        }
        (Kind::Variant(case, payload), Type::Variant(cases)) => {
            let declared = cases.iter().find(|declared| declared.name == case);
            let carries = declared.and_then(|declared| declared.ty.as_ref());
            let payload = check_payload(payload, carries, || Step::Case(case.clone()))?;
            Ok(Kind::Variant(case, payload))
        }
        (Kind::Ok(payload), Type::Result { ok, .. }) => {
            check_payload(payload, ok.as_deref(), || Step::Ok).map(Kind::Ok)
        }
        (Kind::Err(payload), Type::Result { err, .. }) => {
            check_payload(payload, err.as_deref(), || Step::Err).map(Kind::Err)
        }
        (Kind::Record(fields), Type::Record(declared)) => {
            let fields = fields.into_iter().map(|(name, input)| {
                let field = declared.iter().find(|field| field.name == name);
                let field = field.ok_or_else(|| unknown_field(&name, ty))?;
                let input =
                    input.check(&field.ty).map_err(|error| error.within(Step::Field(name.clone())))?;
                Ok((name, input))
            });
            fields.collect::<Result<_, _>>().map(Kind::Record)
        }
        (nested, ty) => Err(ValueError::mismatch(ty, nested.name())),
    }
}

/// Checks a payload. Unknown cases, and cases without a payload, are refused later, when the whole value is conformed,
/// with a list of the valid names.
fn check_payload(
    payload: Box<Input>,
    ty: Option<&Type>,
    step: impl FnOnce() -> Step,
) -> Result<Box<Input>, ValueError> {
    match ty {
        Some(ty) => payload.check(ty).map(Box::new).map_err(|error| error.within(step())),
        None => Ok(payload),
    }
}

fn check_all<'t>(
    items: Vec<Input>,
    ty: impl Fn(usize) -> Option<&'t Type>,
) -> Result<Vec<Input>, ValueError> {
    let checked = items.into_iter().enumerate().map(|(index, item)| match ty(index) {
        Some(ty) => item.check(ty).map_err(|error| error.within(Step::Element(index))),
        // An extra element is reported when the whole value is conformed.
        None => Ok(item),
    });
    checked.collect()
}

/// The error of conforming a field that the type does not have.
fn unknown_field(name: &Name, ty: &Type) -> ValueError {
    let record = Value::Record(vec![(name.clone(), Value::UNIT)]);
    ty.conform(record).err().unwrap_or_else(|| ValueError::mismatch(ty, "record"))
}

impl Kind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Value(_) => "value",
            Self::Result(_) => "result of a run",
            Self::Outcome(_) => "outcome of a run",
            Self::Data(_) => "data",
            Self::Some(_) => "option",
            Self::Variant(..) => "variant",
            Self::Ok(_) | Self::Err(_) => "result",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Record(_) => "record",
        }
    }
}

/// Whether an outcome fits a type: `result<T, string>`, where `T` may be missing if the run has no value.
fn takes_outcome(ty: &Type, completed: &Type) -> Result<(), ValueError> {
    let Type::Result { ok, err: Some(err) } = ty else {
        return Err(ValueError::mismatch(ty, "the outcome of a run, which is a result<T, string>"));
    };
    if **err != Type::String {
        return Err(ValueError::mismatch(ty, "the outcome of a run, which is a result<T, string>"));
    }
    match ok {
        Some(ok) => ok.may_take(completed).map_err(|error| error.within(Step::Ok)),
        None => Ok(()),
    }
}

fn completed(outcome: Option<&Outcome>) -> Option<Value> {
    match outcome {
        Some(Outcome::Completed(value)) => Some(value.clone()),
        Some(Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled) | None => None,
    }
}

fn outcome_value(future: &TaskFuture) -> Value {
    let outcome = future.try_outcome();
    let result = match completed(outcome.as_deref()) {
        Some(value) if value == Value::UNIT => Ok(None),
        Some(value) => Ok(Some(Box::new(value))),
        None => {
            let text = outcome.map(|outcome| outcome.to_string()).unwrap_or_default();
            Err(Some(Box::new(Value::String(text))))
        }
    };
    Value::Result(result)
}

/// The inputs of one run, in the order of its parameters.
#[derive(Debug)]
pub(crate) enum Inputs {
    /// All are available, in normal form.
    Values(Arc<Vec<Value>>),
    /// Some are results of runs that may not have ended.
    Awaited(Vec<Input>),
}

impl Inputs {
    pub(crate) fn new(inputs: Vec<Input>) -> Self {
        if inputs.iter().any(Input::has_upstream) {
            return Self::Awaited(inputs);
        }
        Self::Values(Arc::new(inputs.into_iter().map(Input::into_value).collect()))
    }

    pub(crate) fn none() -> Self {
        Self::Values(Arc::default())
    }
}
