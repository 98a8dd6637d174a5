//! `--env`: variables for the guest, with a value of their own or with that of the command.

use std::env;

use hostel::EnvGrant;

use crate::problem::Problem;

/// What stands for the value of a variable that is only to be told by its name.
const UNTOLD: &str = "";

/// A variable as it is typed.
#[derive(Clone, Debug)]
pub(crate) enum Variable {
    /// `NAME=VALUE`
    Given(EnvGrant),
    /// `NAME`: as in the command's own environment, which is read when a task is run.
    Own(EnvGrant),
}

impl Variable {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Given(variable) | Self::Own(variable) => variable.name(),
        }
    }

    /// The variable, to be told and not to be used.
    pub(crate) fn untold(&self) -> EnvGrant {
        match self {
            Self::Given(variable) | Self::Own(variable) => variable.clone(),
        }
    }

    /// The variable with its value.
    pub(crate) fn grant(&self) -> Result<EnvGrant, Problem> {
        let name = match self {
            Self::Given(variable) => return Ok(variable.clone()),
            Self::Own(variable) => variable.name(),
        };
        let hint = format!("--env {name}=VALUE gives it a value");
        let value = env::var(name).map_err(|error| match error {
            env::VarError::NotPresent => format!("the environment variable `{name}` is not set here"),
            env::VarError::NotUnicode(_) => format!("the environment variable `{name}` is no text"),
        });
        let value = value.map_err(|problem| Problem::invalid(problem).hint(hint))?;
        EnvGrant::new(name, &value).map_err(|error| Problem::invalid(error.to_string()))
    }
}

/// Reads `NAME=VALUE`, or `NAME` alone.
pub(crate) fn variable(text: &str) -> Result<Variable, String> {
    let variable = match text.contains('=') {
        true => text.parse().map(Variable::Given),
        false => EnvGrant::new(text, UNTOLD).map(Variable::Own),
    };
    variable.map_err(|error| error.to_string())
}
