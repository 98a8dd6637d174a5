//! What is needed to run again what made an entry.

use hostel_core::{Clock, Randomness, Value};
use serde::{Deserialize, Serialize};

use crate::task::Task;

/// The longest recipe; runs with larger inputs are kept without one.
const MAX_BYTES: usize = 64 << 10;

/// What was asked of a task, as JSON: for people, and for running it again.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Recipe {
    /// The inputs by name.
    pub(crate) inputs: serde_json::Value,
    pub(crate) policy: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) http: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) dirs: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) net: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lookup: Vec<String>,
    /// The names of the environment variables; their values may be secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) random: Option<String>,
    /// Whether its standard input was a stream, of which it read nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stdin_stream: bool,
}

impl Recipe {
    /// The recipe of a run, unless it is too long.
    pub(crate) fn of(task: &Task, inputs: &[Value]) -> Option<String> {
        let params = task.signature().params.iter();
        if inputs.iter().map(Value::footprint).sum::<usize>() > MAX_BYTES {
            return None;
        }
        let inputs =
            params.zip(inputs).map(|(param, input)| (param.name.to_string(), input.to_json(&param.ty)));
        let options = task.options();
        let recipe = Self {
            inputs: serde_json::Value::Object(inputs.collect()),
            policy: options.cache.to_string(),
            http: texts(&options.grants.http),
            dirs: texts(&options.grants.dirs),
            net: texts(&options.grants.net),
            lookup: texts(&options.grants.lookup),
            env: options.grants.env_by_name().into_iter().map(|grant| grant.name().to_owned()).collect(),
            clock: (options.determinism.clock != Clock::Real).then(|| options.determinism.clock.to_string()),
            random: (options.determinism.randomness != Randomness::Real)
                .then(|| options.determinism.randomness.to_string()),
            stdin_stream: options.stdin.is_some(),
        };
        serde_json::to_string(&recipe).ok().filter(|text| text.len() <= MAX_BYTES)
    }
}

fn texts<T: ToString>(grants: &[T]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}
