//! A component as an embedder sees it: what it exports, and its tasks.

use std::sync::Arc;

use hostel_core::Digest;
use hostel_engine::{Export, FindError, Import, MissingImports};

use crate::host_state::HostState;
use crate::task::Task;

/// A compiled component. Cheap to clone; keep it for as long as its tasks are run.
#[derive(Clone)]
pub struct Component {
    shared: Arc<HostState>,
    inner: hostel_engine::Component,
}

impl Component {
    pub(crate) fn new(shared: Arc<HostState>, inner: hostel_engine::Component) -> Self {
        Self { shared, inner }
    }

    /// The task named `export`: a full path (`acme:math/ops@1.0.0.add`), a short one (`ops.add`) or a function's name
    /// alone, where that is unambiguous.
    ///
    /// # Errors
    ///
    /// [`FindError`] if there is none or more than one, or if it is not callable.
    pub fn task(&self, export: &str) -> Result<Task, FindError> {
        self.inner.function(Some(export)).map(|function| Task::new(Arc::clone(&self.shared), function))
    }

    /// The task of a component that has only one.
    ///
    /// # Errors
    ///
    /// [`FindError`] as [`Component::task`] does, and if there is not exactly one.
    pub fn only_task(&self) -> Result<Task, FindError> {
        self.inner.function(None).map(|function| Task::new(Arc::clone(&self.shared), function))
    }

    /// Whether its tasks run the fastest code that there is to be. Not while that of a large component is still being compiled:
    /// see [`HostBuilder::quick_code_bytes`](crate::HostBuilder::quick_code_bytes).
    pub fn is_optimised(&self) -> bool {
        self.inner.is_optimised()
    }

    /// Waits until [`Component::is_optimised`], on the calling thread: not on an async runtime. For ever if the host does not
    /// [optimise](crate::HostBuilder::optimise) what was compiled quickly. `false` if that failed, and the slower code is all
    /// that there is.
    pub fn wait_until_optimised(&self) -> bool {
        self.inner.wait_until_optimised()
    }

    /// The SHA-256 of the component's bytes, which is its identity.
    pub fn digest(&self) -> Digest {
        self.inner.digest()
    }

    /// The length of the component's bytes.
    pub fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    /// Every function the component exports, callable or not, in declared order.
    pub fn exports(&self) -> &[Export] {
        self.inner.exports()
    }

    /// Everything the component imports, in declared order.
    pub fn imports(&self) -> &[Import] {
        self.inner.imports()
    }

    /// What the component imports that this host does not provide, if there is something: its tasks cannot be run then,
    /// unless [`Task::unknown_imports`] says otherwise.
    pub fn missing(&self) -> Option<&MissingImports> {
        self.inner.missing()
    }
}
