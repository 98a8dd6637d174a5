//! `--env`: variables for the guest, with a given value or with the value in the command's environment.

use std::env;

use hostel::EnvGrant;

use crate::problem::Problem;

/// Replaces the value of a variable of which only the name is shown.
const NO_VALUE: &str = "";

/// A variable for the guest.
#[derive(Clone, Debug)]
pub(super) enum Variable {
    /// `NAME=VALUE`
    Given(EnvGrant),
    /// `NAME`: the value in the command's own environment, which is read when a task runs.
    Own(EnvGrant),
}

/// The name in `NAME=VALUE`, or in `NAME` alone.
pub(super) fn name(text: &str) -> &str {
    text.split_once('=').map_or(text, |(name, _)| name)
}

impl Variable {
    /// Parses `NAME=VALUE`, or `NAME` alone, given in `place`.
    pub(super) fn read(text: &str, place: &str) -> Result<Self, Problem> {
        let variable = match text.contains('=') {
            true => text.parse().map(Self::Given),
            false => EnvGrant::new(text, NO_VALUE).map(Self::Own),
        };
        variable.map_err(|error| Problem::invalid(error.to_string()).within(place))
    }

    /// The variable without its value, for output.
    pub(super) fn without_value(self) -> EnvGrant {
        match self {
            Self::Given(variable) | Self::Own(variable) => variable,
        }
    }

    /// The variable with its value; it was given in `place`.
    pub(super) fn grant(self, place: &str) -> Result<EnvGrant, Problem> {
        match self {
            Self::Given(variable) => Ok(variable),
            Self::Own(variable) => own(variable.name()).map_err(|problem| problem.within(place)),
        }
    }
}

/// The variable with its value in the command's environment.
fn own(name: &str) -> Result<EnvGrant, Problem> {
    let hint = format!("--env {name}=VALUE gives it a value");
    let value = env::var(name).map_err(|error| match error {
        env::VarError::NotPresent => format!("the environment variable `{name}` is not set here"),
        env::VarError::NotUnicode(_) => format!("the environment variable `{name}` is not UTF-8"),
    });
    let value = value.map_err(|problem| Problem::invalid(problem).hint(hint))?;
    EnvGrant::new(name, &value).map_err(|error| Problem::invalid(error.to_string()))
}
