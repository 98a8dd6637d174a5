//! Runs of a journal, with their values decoded.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use hostel::journal::{AttemptRecord, InputSpec, RunRecord, StoredOutcome, StoredValue};
use hostel::{
    BlobRef, CanonicalError, Failure, Outcome, Receipt, RunId, TaskKey, Type, Value, result_for_callers,
};
use serde::{Deserialize, Serialize};

use crate::value::{ValueJson, as_json};

/// The most bytes, as they are stored, of the errors of all attempts of a run.
const ATTEMPT_BYTES: u64 = 1 << 20;

/// What stands in the place of an error that is left out.
const LEFT_OUT: &str = "left out, because the errors of this attempt and of later ones take more than 1 MiB";

/// A run of a journal with its values decoded, from which [`RunObject::stored`](crate::RunObject::stored) is made.
#[derive(Clone, Debug)]
pub struct StoredRun<'r> {
    record: &'r RunRecord,
    inputs: Vec<TypedInput>,
    outcome: Option<TypedOutcome>,
    /// The outcome of each attempt that has a known one.
    attempts: Vec<Option<TypedOutcome>>,
}

/// An input of a run.
#[derive(Clone, Debug)]
enum TypedInput {
    Value(Type, Value),
    /// It is made of what these runs end with.
    Runs(Vec<RunId>),
}

/// An input of a stored run as JSON: its value, or the runs whose results it is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InputJson<'a> {
    /// It is made of the results of other runs.
    Runs {
        /// Their ids. The name is no name in WIT, and so never part of a value.
        #[serde(rename = "$runs")]
        runs: Vec<String>,
    },
    /// Its value.
    Value(Option<ValueJson<'a>>),
}

impl InputJson<'_> {
    /// An input that a server has answered.
    pub fn received(value: serde_json::Value) -> Self {
        Self::Value((!value.is_null()).then_some(ValueJson::Json(value)))
    }
}

/// An outcome, and the type of its value.
#[derive(Clone, Debug)]
pub(crate) struct TypedOutcome {
    pub(crate) outcome: Outcome,
    /// The empty tuple if there is no value.
    pub(crate) ty: Type,
}

/// A value of a stored run cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredRunError {
    /// Its bytes are damaged.
    Value(CanonicalError),
    /// Its bytes, which are stored separately, are missing.
    Blob(BlobRef),
}

impl fmt::Display for StoredRunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(error) => write!(f, "a value of the run is damaged: {error}"),
            Self::Blob(blob) => {
                write!(f, "a value of the run is missing: {} with {} bytes", blob.digest, blob.length)
            }
        }
    }
}

impl Error for StoredRunError {}

impl<'r> StoredRun<'r> {
    /// Decodes the values of a run. `blob` returns the bytes of values that are stored separately. Of the errors that attempts returned,
    /// those of earlier ones are left out as soon as they take more than 1 MiB with those of later ones: a run may have thousands.
    ///
    /// # Errors
    ///
    /// [`StoredRunError`] if a value is missing or damaged.
    pub fn read(
        record: &'r RunRecord,
        mut blob: impl FnMut(&BlobRef) -> Option<Arc<[u8]>>,
    ) -> Result<Self, StoredRunError> {
        let inputs = record.spec().inputs.iter().map(|input| TypedInput::read(input, &mut blob));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let task = &record.spec().task;
        let mut read = |outcome: &StoredOutcome| TypedOutcome::read(task, outcome, &mut blob);
        let outcome = record.outcome().map(&mut read).transpose()?;
        // From the last one on, as far as there is room.
        let mut room = ATTEMPT_BYTES;
        let attempts = record.attempts().iter().rev().map(|attempt| {
            let Some(outcome) = &attempt.outcome else { return Ok(None) };
            match room.checked_sub(value_bytes(outcome)) {
                Some(rest) => {
                    room = rest;
                    read(outcome).map(Some)
                }
                None => Ok(Some(TypedOutcome::left_out())),
            }
        });
        let mut attempts = attempts.collect::<Result<Vec<_>, _>>()?;
        attempts.reverse();
        // The end of the run may be the only report about its last attempt.
        let ended_run = record
            .attempts()
            .last()
            .is_some_and(|last| last.ended.is_some() && last.ended == record.ended_at());
        if let (Some(last), Some(outcome), true) = (attempts.last_mut(), &outcome, ended_run) {
            last.get_or_insert_with(|| outcome.clone());
        }
        Ok(Self { record, inputs, outcome, attempts })
    }

    pub(crate) fn record(&self) -> &'r RunRecord {
        self.record
    }

    /// The inputs, one for each parameter.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = InputJson<'_>> {
        self.inputs.iter().map(|input| match input {
            TypedInput::Value(ty, value) => InputJson::Value(as_json(value, ty)),
            TypedInput::Runs(runs) => {
                InputJson::Runs { runs: runs.iter().map(ToString::to_string).collect() }
            }
        })
    }

    pub(crate) fn outcome(&self) -> Option<&TypedOutcome> {
        self.outcome.as_ref()
    }

    pub(crate) fn attempts(&self) -> impl Iterator<Item = (&'r AttemptRecord, Option<&TypedOutcome>)> {
        self.record.attempts().iter().zip(self.attempts.iter().map(Option::as_ref))
    }

    /// The resource use of all attempts.
    pub(crate) fn receipt(&self) -> Receipt {
        let mut sum = Receipt::default();
        let receipts = self.record.attempts().iter().filter_map(|attempt| attempt.receipt.as_deref());
        receipts.for_each(|receipt| sum.add(receipt));
        sum
    }
}

impl TypedInput {
    fn read(
        input: &InputSpec,
        blob: &mut impl FnMut(&BlobRef) -> Option<Arc<[u8]>>,
    ) -> Result<Self, StoredRunError> {
        if let InputSpec::Value(stored) = input {
            let (ty, value) = value(stored.clone(), blob)?;
            return Ok(Self::Value(ty, value));
        }
        let mut runs = Vec::new();
        add_runs(input, &mut runs);
        Ok(Self::Runs(runs))
    }
}

/// Adds the runs that an input is made of.
fn add_runs(input: &InputSpec, runs: &mut Vec<RunId>) {
    match input {
        InputSpec::Value(_) => {}
        InputSpec::Result(run) | InputSpec::Outcome(run) => runs.push(*run),
        InputSpec::Some(inner)
        | InputSpec::Variant(_, inner)
        | InputSpec::Ok(inner)
        | InputSpec::Err(inner) => {
            add_runs(inner, runs);
        }
        InputSpec::List(items) | InputSpec::Tuple(items) => {
            items.iter().for_each(|item| add_runs(item, runs));
        }
        InputSpec::Record(fields) => fields.iter().for_each(|(_, field)| add_runs(field, runs)),
    }
}

impl TypedOutcome {
    fn read(
        task: &TaskKey,
        stored: &StoredOutcome,
        blob: &mut impl FnMut(&BlobRef) -> Option<Arc<[u8]>>,
    ) -> Result<Self, StoredRunError> {
        let mut ty = None;
        let outcome = stored.clone().try_map(|stored| {
            let (found, value) = value(stored, blob)?;
            let (found, value) = result_for_callers(task, found, value);
            ty = Some(found);
            Ok(value)
        })?;
        Ok(Self { outcome, ty: ty.unwrap_or_else(no_type) })
    }

    /// That of an attempt whose error is left out.
    fn left_out() -> Self {
        let value = Value::String(LEFT_OUT.to_owned());
        Self { outcome: Outcome::Failed(Failure::Error(value)), ty: Type::String }
    }

    /// An outcome without a value.
    pub(crate) fn untyped(outcome: Outcome) -> Self {
        Self { outcome, ty: no_type() }
    }
}

/// How many bytes are stored of the value of an outcome.
fn value_bytes(outcome: &StoredOutcome) -> u64 {
    outcome.returned().map_or(0, StoredValue::size_bytes)
}

fn no_type() -> Type {
    Type::tuple([])
}

fn value(
    stored: StoredValue,
    blob: &mut impl FnMut(&BlobRef) -> Option<Arc<[u8]>>,
) -> Result<(Type, Value), StoredRunError> {
    let bytes = match stored {
        StoredValue::Bytes(bytes) => bytes,
        StoredValue::Blob(place) => blob(&place).ok_or(StoredRunError::Blob(place))?,
    };
    Value::from_canonical(&bytes).map_err(StoredRunError::Value)
}
