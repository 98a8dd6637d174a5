//! The data needed to recompute an entry.

use serde::{Deserialize, Serialize};

/// The maximum length of a recipe. Runs with larger inputs are stored without one.
pub(crate) const MAX_RECIPE_BYTES: usize = 64 << 10;

/// The options and inputs of a run as JSON: for people, and to run it again.
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
    /// The names of the environment variables, without their values, which may be secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) random: Option<String>,
    /// Whether its standard input was a stream, which it did not read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stdin_stream: bool,
}
