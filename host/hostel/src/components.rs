//! The components of a host, by their digests.

use std::sync::Arc;

use hostel_core::Digest;
use hostel_engine::LoadError;

use crate::component::Component;
use crate::host::{Host, loaded};
use crate::host_state::HostState;

/// The components that a host can run without their files: those that are in use, and those whose compiled code is in its
/// data directory. Cheap to clone.
#[derive(Clone)]
pub struct Components(Arc<HostState>);

impl Host {
    /// The components of this host, by their digests.
    ///
    /// ```
    /// # use hostel::{Host, args};
    /// # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
    /// let host = Host::builder().max_workers(1).build()?;
    /// let math = host.load(hostel_guests::ARITH).await?;
    /// let same = host.components().get(&math.digest()).await?.expect("it is in use");
    /// assert_eq!(same.task("add")?.submit(args![40, 2])?.result::<i64>().await?, 42);
    /// # Ok(())
    /// # }
    /// # futures_executor::block_on(demo()).unwrap();
    /// ```
    pub fn components(&self) -> Components {
        Components(Arc::clone(self.state()))
    }
}

impl Components {
    /// The component with this digest; `None` if it is not in use, and the data directory has no compiled code of it. Two
    /// loads of the same bytes give the same component, and so does this.
    ///
    /// If nothing else uses the component, its [size](Component::size_bytes) is unknown, and reported as 0.
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`] if the engine that the component needs cannot be set up.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn get(&self, digest: &Digest) -> Result<Option<Component>, LoadError> {
        let digest = *digest;
        let compiled = loaded(self.0.load_with(move |engine| engine.load_compiled(&digest)).await)?;
        Ok(compiled.map(|compiled| Component::new(Arc::clone(&self.0), compiled)))
    }
}
