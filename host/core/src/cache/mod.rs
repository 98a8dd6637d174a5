//! Which results may stand for which runs: policies, keys, entries, and the port through which they are kept.

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
