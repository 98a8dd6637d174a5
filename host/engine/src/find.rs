//! Finding a function of a component by name.

use hostel_core::{ErrorKind, Hook};

use crate::component::{Component, Export};
use crate::function::Function;
use crate::names;

/// A component has no such function, or the function cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No export matches the name.
    #[error("no export is named `{name}`; {}", known(candidates))]
    NotFound {
        /// The requested name.
        name: String,
        /// The callable exports.
        candidates: Vec<String>,
    },
    /// Several exports match the name.
    #[error("`{name}` could be {}: use the longer name", names::listed(candidates, " or "))]
    Ambiguous {
        /// The requested name.
        name: String,
        /// The exports that match it.
        candidates: Vec<String>,
    },
    /// No name was given, and there is not exactly one callable export.
    #[error("{}", unnamed(candidates))]
    Unnamed {
        /// The callable exports.
        candidates: Vec<String>,
    },
    /// The function's signature cannot be called as a task.
    #[error("`{path}` is not callable as a task: {reason}")]
    NotCallable {
        /// The function.
        path: String,
        /// The reason.
        reason: String,
    },
}

impl FindError {
    /// The kind of this error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::Unnamed { .. } => ErrorKind::NotFound,
            Self::Ambiguous { .. } | Self::NotCallable { .. } => ErrorKind::Invalid,
        }
    }
}

impl Component {
    /// Finds a function by name: its full path, its path without the version or with the short name of the interface,
    /// or the function name alone, if that is unambiguous. `None` means the only callable function.
    ///
    /// # Errors
    ///
    /// [`FindError`] if no function or more than one matches, or if the function is not callable.
    pub fn function(&self, name: Option<&str>) -> Result<Function, FindError> {
        let export = match name {
            Some(name) => self.named(name)?,
            None => self.only()?,
        };
        let not_callable = |reason: &String| FindError::NotCallable {
            path: export.path.to_string(),
            reason: reason.clone(),
        };
        let signature = export.callable.as_ref().map_err(not_callable)?.clone();
        Ok(Function::new(self, export, signature))
    }

    /// The function that the component exports as this hook, if it does, with the hook's signature. Its argument is a
    /// [`CommittedRun`](crate::CommittedRun).
    pub fn hook(&self, hook: Hook) -> Option<Function> {
        let export = self.exports().iter().find(|export| export.hook == Some(hook))?;
        Some(Function::new(self, export, hook.signature()))
    }

    /// Exact names win over short ones, and tasks over hooks.
    fn named(&self, name: &str) -> Result<&Export, FindError> {
        let exports = self.exports();
        if let Some(exact) = exports.iter().find(|export| export.path.to_string() == name) {
            return Ok(exact);
        }
        let mut meant: Vec<_> = exports.iter().filter(|export| export.path.is_meant_by(name)).collect();
        if meant.len() > 1 {
            meant.retain(|export| export.hook.is_none());
        }
        match meant.as_slice() {
            [only] => Ok(only),
            [] => Err(FindError::NotFound { name: name.to_owned(), candidates: self.candidates() }),
            several => Err(FindError::Ambiguous {
                name: name.to_owned(),
                candidates: several.iter().map(|export| export.path.to_string()).collect(),
            }),
        }
    }

    fn only(&self) -> Result<&Export, FindError> {
        let mut callable = self.exports().iter().filter(|export| export.callable.is_ok());
        match (callable.next(), callable.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(FindError::Unnamed { candidates: self.candidates() }),
        }
    }

    fn candidates(&self) -> Vec<String> {
        self.exports()
            .iter()
            .filter(|export| export.callable.is_ok())
            .map(|export| export.path.to_string())
            .collect()
    }
}

fn known(candidates: &[String]) -> String {
    match candidates {
        [] => "the component exports no callable function".to_owned(),
        [only] => format!("the component exports {only}"),
        several => format!("the component exports {}", names::listed(several, ", ")),
    }
}

fn unnamed(candidates: &[String]) -> String {
    match candidates {
        [] => "the component exports no callable function".to_owned(),
        several => format!("which function? The component exports {}", names::listed(several, ", ")),
    }
}
