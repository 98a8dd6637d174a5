//! The flow run that runs belong to, for the cache.

use std::collections::BTreeMap;

use crate::{Name, RunId};

/// One run of a flow, for the facts `run-id` and `flow-parameters` of a [`CachePolicy`](crate::CachePolicy).
///
/// ```
/// # use hostel_core::{FlowRun, RunId};
/// let flow = FlowRun::new(RunId::from_bytes([1; 16])).parameter("day", "2026-01-01").parameter("limit", 100);
/// assert_eq!(flow.parameters().collect::<Vec<_>>(), [("day", r#""2026-01-01""#), ("limit", "100")]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRun {
    id: RunId,
    parameters: BTreeMap<Name, String>,
}

impl FlowRun {
    /// A flow run without parameters.
    pub fn new(id: RunId) -> Self {
        Self { id, parameters: BTreeMap::new() }
    }

    /// Adds a parameter, or replaces its value. The order of additions does not matter.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<Name>, value: impl Into<serde_json::Value>) -> Self {
        let mut value = value.into();
        value.sort_all_objects();
        self.parameters.insert(name.into(), value.to_string());
        self
    }

    /// A flow run with these parameters, each with its value as JSON.
    pub(crate) fn of_parts(id: RunId, parameters: impl IntoIterator<Item = (Name, String)>) -> Self {
        Self { id, parameters: parameters.into_iter().collect() }
    }

    /// Its id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The parameters as JSON, by name.
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (&**name, value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_order_of_parameters_nor_that_of_their_fields_counts() {
        let flow = FlowRun::new(RunId::from_bytes([1; 16]));
        let object = |text: &str| text.parse::<serde_json::Value>().unwrap();
        let one = flow.clone().parameter("a", 1).parameter("b", object(r#"{"x": 1, "y": {"p": 1, "q": 2}}"#));
        let two = flow.parameter("b", object(r#"{"y": {"q": 2, "p": 1}, "x": 1}"#)).parameter("a", 1);
        assert_eq!(one, two);
    }
}
