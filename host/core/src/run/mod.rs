//! Runs as data: what is asked for, what happens, and the record that follows from it. No conduct is here.

mod encoding;
mod keys;
mod record;
mod spec;
mod stored;

pub use encoding::DecodeRunError;
pub use keys::*;
pub use record::*;
pub use spec::*;
pub use stored::*;
