//! Which results may replace which runs: policies, keys, entries, and the port for storing them.

mod entry;
mod key;
mod layer;
mod policy;
mod policy_text;
mod record;

pub use entry::*;
pub use key::*;
pub use layer::*;
pub use policy::*;
pub use record::*;
