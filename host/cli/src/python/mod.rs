//! Python runtimes with packages: what they are made of, and the tools that make them.

mod lock;
mod site;
mod sources;
mod tools;

pub(crate) use self::lock::lock;
pub(crate) use self::site::fill;
pub(crate) use self::tools::{Tools, build};

/// The version of the tool that makes components of Python, the same as in `runtimes/build.sh`.
pub(crate) const COMPONENTIZE_PY: &str = "0.25.1";

/// The version of Python in the sandbox.
const PYTHON: &str = "3.14";
