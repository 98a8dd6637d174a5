//! Finding a function of a component, by name or as a hook.

use hostel_core::{FindError, Hook};

use crate::component::Component;
use crate::function::Function;

impl Component {
    /// Finds a function by name, as [`Manifest::task`](hostel_core::Manifest::task) does.
    ///
    /// # Errors
    ///
    /// [`FindError`] if no function or more than one matches, or if the function is not callable.
    pub fn function(&self, name: Option<&str>) -> Result<Function, FindError> {
        let (export, signature) = self.manifest().task(name)?;
        Ok(Function::new(self, export, signature.clone()))
    }

    /// The function that the component exports as this hook, if it does, with the hook's signature. Its argument is a
    /// [`CommittedRun`](hostel_core::CommittedRun).
    pub fn hook(&self, hook: Hook) -> Option<Function> {
        let export = self.exports().iter().find(|export| export.hook == Some(hook))?;
        Some(Function::new(self, export, hook.signature()))
    }
}
