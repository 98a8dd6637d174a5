//! `--env`: variables for the guest, with a given value or with the value in the command's environment.

use std::convert::Infallible;
use std::env;
use std::str::FromStr;

use hostel::EnvGrant;

use crate::problem::Problem;

/// Replaces the value of a variable of which only the name is shown.
const UNTOLD: &str = "";

/// A variable, and the place where it was given.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    form: Form,
    place: String,
}

#[derive(Clone, Debug)]
enum Form {
    /// `NAME=VALUE`
    Given(EnvGrant),
    /// `NAME`: the value in the command's own environment, which is read when a task runs.
    Own(EnvGrant),
    /// An invalid text, and the reason. Our own code reports it later: clap would show the whole text, which may contain a
    /// secret.
    Wrong(String),
}

impl Variable {
    /// Parses `NAME=VALUE`, or `NAME` alone, given in `place`.
    pub(crate) fn new(text: &str, place: String) -> Self {
        let form = match text.contains('=') {
            true => text.parse().map(Form::Given),
            false => EnvGrant::new(text, UNTOLD).map(Form::Own),
        };
        Self { form: form.unwrap_or_else(|error| Form::Wrong(error.to_string())), place }
    }

    /// Refuses an invalid text.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        match &self.form {
            Form::Given(_) | Form::Own(_) => Ok(()),
            Form::Wrong(problem) => Err(Problem::invalid(problem).within(&self.place)),
        }
    }

    /// The name of the variable, if the text is valid.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.form {
            Form::Given(variable) | Form::Own(variable) => Some(variable.name()),
            Form::Wrong(_) => None,
        }
    }

    /// The variable without its value, for output.
    pub(crate) fn untold(&self) -> Option<EnvGrant> {
        match &self.form {
            Form::Given(variable) | Form::Own(variable) => Some(variable.clone()),
            Form::Wrong(_) => None,
        }
    }

    /// The variable with its value.
    pub(crate) fn grant(&self) -> Result<EnvGrant, Problem> {
        let grant = match &self.form {
            Form::Given(variable) => Ok(variable.clone()),
            Form::Own(variable) => own(variable.name()),
            Form::Wrong(problem) => Err(Problem::invalid(problem)),
        };
        grant.map_err(|problem| problem.within(&self.place))
    }
}

impl FromStr for Variable {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text, "--env".to_owned()))
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
