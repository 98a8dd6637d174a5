//! One callable export of a component.

use std::fmt;
use std::sync::Arc;

use hostel_core::{Signature, TaskKey};
use wasmtime::component::{ComponentExportIndex, InstancePre};

use crate::component::{Component, Export, FindError, Style};
use crate::guest::Guest;

/// One callable export of a component, ready to be run. Cheap to clone.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

struct Inner {
    component: Component,
    key: TaskKey,
    signature: Signature,
    style: Style,
    index: ComponentExportIndex,
    pre: InstancePre<Guest>,
}

impl Function {
    /// Checks that the export can be called and that everything the component imports is there.
    pub(crate) fn new(component: &Component, export: &Export) -> Result<Self, FindError> {
        let not_callable = |reason: &String| FindError::NotCallable {
            path: export.path.to_string(),
            reason: reason.clone(),
        };
        let signature = export.callable.as_ref().map_err(not_callable)?.clone();
        Self::with_signature(component, export, signature)
    }

    /// Takes an export that is to be called by this signature, whether or not it is a task.
    pub(crate) fn with_signature(
        component: &Component,
        export: &Export,
        signature: Signature,
    ) -> Result<Self, FindError> {
        let pre = component.instance_pre()?.clone();
        let key = TaskKey { component: component.digest(), export: export.path.clone() };
        let Export { style, index, .. } = *export;
        Ok(Self(Arc::new(Inner { component: component.clone(), key, signature, style, index, pre })))
    }

    /// The component it is in.
    pub fn component(&self) -> &Component {
        &self.0.component
    }

    /// What identifies it on every machine.
    pub fn key(&self) -> &TaskKey {
        &self.0.key
    }

    /// Its parameters and result. A program (`wasi:cli/run`) takes `args`, which stand after the first word of its
    /// argv, and `stdin`; it returns a record of `stdout`, a `list<u8>`.
    pub fn signature(&self) -> &Signature {
        &self.0.signature
    }

    /// Whether it is the `main` of a program rather than a function.
    pub fn is_program(&self) -> bool {
        self.0.style == Style::Program
    }

    pub(crate) fn style(&self) -> Style {
        self.0.style
    }

    pub(crate) fn index(&self) -> ComponentExportIndex {
        self.0.index
    }

    pub(crate) fn pre(&self) -> &InstancePre<Guest> {
        &self.0.pre
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("key", &self.0.key.to_string()).finish_non_exhaustive()
    }
}
