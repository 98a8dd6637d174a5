//! A component as an embedder uses it: its exports and tasks.

use std::fmt;
use std::sync::Arc;

use hostel_core::{Digest, Export, FindError, Import, Manifest};
use hostel_engine::MissingImports;

use crate::host_state::HostState;
use crate::task::Task;

/// A compiled component. Cheap to clone. Keep it as long as its tasks are needed.
#[derive(Clone)]
pub struct Component {
    host: Arc<HostState>,
    compiled: hostel_engine::Component,
}

/// Two components are equal if they share their code. That is so for all loads of the same bytes by one host, while one of
/// them is in use, except for those by [`Host::inspect`](crate::Host::inspect).
impl PartialEq for Component {
    fn eq(&self, other: &Self) -> bool {
        self.compiled == other.compiled
    }
}

impl Eq for Component {}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Component").field(&self.digest()).finish()
    }
}

impl Component {
    pub(crate) fn new(host: Arc<HostState>, compiled: hostel_engine::Component) -> Self {
        Self { host, compiled }
    }

    /// The task named `export`: a full path (`acme:math/ops@1.0.0.add`), a short path (`ops.add`) or a function name
    /// alone, if that is unambiguous.
    ///
    /// # Errors
    ///
    /// [`FindError`] if no function or more than one matches, or if the function is not callable.
    pub fn task(&self, export: &str) -> Result<Task, FindError> {
        self.compiled.function(Some(export)).map(|function| Task::new(Arc::clone(&self.host), function))
    }

    /// The task of a component that exports only one.
    ///
    /// # Errors
    ///
    /// [`FindError`] as [`Component::task`], and if there is not exactly one task.
    pub fn only_task(&self) -> Result<Task, FindError> {
        self.compiled.function(None).map(|function| Task::new(Arc::clone(&self.host), function))
    }

    /// Whether its tasks run optimised code. False while a large component is still being compiled: see
    /// [`HostBuilder::quick_code_bytes`](crate::HostBuilder::quick_code_bytes).
    pub fn is_optimised(&self) -> bool {
        self.compiled.is_optimised()
    }

    /// Waits until [`Component::is_optimised`]. Blocks the calling thread, so do not call it on an async runtime. Never
    /// returns if the host does not [optimise](crate::HostBuilder::optimise) quickly compiled code. Returns `false` if
    /// optimising failed and only the slower code is available.
    pub fn wait_until_optimised(&self) -> bool {
        self.compiled.wait_until_optimised()
    }

    /// The SHA-256 digest of the component's bytes, which identifies the component.
    pub fn digest(&self) -> Digest {
        self.compiled.digest()
    }

    /// The length of the component's bytes.
    pub fn size_bytes(&self) -> u64 {
        self.compiled.size_bytes()
    }

    /// The component without its code: its digest, size, exports and imports.
    pub fn manifest(&self) -> &Manifest {
        self.compiled.manifest()
    }

    /// Every exported function, callable or not, in declared order.
    pub fn exports(&self) -> &[Export] {
        self.compiled.exports()
    }

    /// Every import, in declared order.
    pub fn imports(&self) -> &[Import] {
        self.compiled.imports()
    }

    /// The imports that this host does not provide, if any. The component's tasks cannot run then, unless
    /// [`Task::unknown_imports`] allows it.
    pub fn missing(&self) -> Option<&MissingImports> {
        self.compiled.missing()
    }
}
