//! What is needed to run again what made an entry.

use serde::{Deserialize, Serialize};

/// The longest recipe; runs with larger inputs are kept without one.
pub(crate) const MAX_RECIPE_BYTES: usize = 64 << 10;

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
