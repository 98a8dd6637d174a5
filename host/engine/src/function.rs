//! One callable export of a component.

use std::fmt;
use std::ptr;
use std::sync::Arc;

use hostel_core::{Export, Signature, TaskKey, UnknownImports};
use wasmtime::component::ComponentExportIndex;

use crate::component::{Component, Linked, Style, Tier};
use crate::missing::MissingImports;
use crate::types;

/// One callable export of a component, ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

struct Inner {
    component: Component,
    key: Arc<TaskKey>,
    signature: Signature,
    style: Style,
    /// How much more memory its result takes than wasmtime counts.
    expansion: u64,
    has_long_result: bool,
    /// Its position among the component's exports.
    position: usize,
    unknown_imports: UnknownImports,
}

impl Function {
    /// The function of an export of the component, called by this signature whether or not it is a task.
    pub(crate) fn new(component: &Component, export: &Export, signature: Signature) -> Self {
        let key = Arc::new(TaskKey { component: component.digest(), export: export.path.clone() });
        let style = if export.is_program { Style::Program } else { Style::Function };
        let exports = component.exports();
        // An export of another component would have no code here.
        let position = exports.iter().position(|other| ptr::eq(other, export)).unwrap_or(usize::MAX);
        let (component, unknown_imports) = (component.clone(), UnknownImports::default());
        let expansion = signature.result.as_ref().map_or(1, types::expansion);
        let has_long_result = signature.result.as_ref().is_some_and(types::may_be_long);
        Self(Arc::new(Inner {
            component,
            key,
            signature,
            style,
            expansion,
            has_long_result,
            position,
            unknown_imports,
        }))
    }

    /// The same function, with another choice for imports that the host does not provide.
    #[must_use]
    pub fn unknown_imports(&self, unknown_imports: UnknownImports) -> Self {
        let Inner { component, key, signature, style, expansion, has_long_result, position, .. } = &*self.0;
        let (component, key, signature) = (component.clone(), key.clone(), signature.clone());
        let (style, expansion, position) = (*style, *expansion, *position);
        Self(Arc::new(Inner {
            component,
            key,
            signature,
            style,
            expansion,
            has_long_result: *has_long_result,
            position,
            unknown_imports,
        }))
    }

    /// The choice for imports that the host does not provide.
    pub fn choice_of_unknown_imports(&self) -> UnknownImports {
        self.0.unknown_imports
    }

    /// The imports that the host does not provide, if the function cannot run without them.
    pub fn missing(&self) -> Option<&MissingImports> {
        self.code().0.as_ref().err()
    }

    /// The component that exports it.
    pub fn component(&self) -> &Component {
        &self.0.component
    }

    /// The task key, which identifies it on every machine.
    pub fn key(&self) -> &TaskKey {
        &self.0.key
    }

    /// Its parameters and result. A program (`wasi:cli/run`) takes `args`, which follow the first word of its argv, and
    /// `stdin`; it returns a record of `stdout`, a `list<u8>`.
    pub fn signature(&self) -> &Signature {
        &self.0.signature
    }

    /// Whether it is the `main` of a program rather than a function.
    pub fn is_program(&self) -> bool {
        self.0.style == Style::Program
    }

    /// How much more memory its result takes than wasmtime counts: at least 1.
    pub(crate) fn expansion(&self) -> u64 {
        self.0.expansion
    }

    /// Whether its result may be long: if it has texts, lists or maps.
    pub(crate) fn has_long_result(&self) -> bool {
        self.0.has_long_result
    }

    /// The same, to be shared with the guest.
    pub(crate) fn shared_key(&self) -> &Arc<TaskKey> {
        &self.0.key
    }

    pub(crate) fn style(&self) -> Style {
        self.0.style
    }

    /// The code for new instances, and the index of the function in that code.
    pub(crate) fn code(&self) -> (&Linked, Option<ComponentExportIndex>) {
        self.code_in(self.0.component.tier())
    }

    /// The same in other code of the component.
    pub(crate) fn code_in<'a>(&self, tier: &'a Tier) -> (&'a Linked, Option<ComponentExportIndex>) {
        (tier.linked(self.0.unknown_imports), tier.index(self.0.position))
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("key", &self.0.key.to_string()).finish_non_exhaustive()
    }
}
