//! Runs as data: what is asked for, what happens, and the record that follows from it. No conduct is here.

mod counts;
mod encoding;
mod filter;
mod keys;
mod record;
mod spec;
mod stored;

pub use counts::*;
pub use encoding::DecodeRunError;
pub use filter::*;
pub use keys::*;
pub use record::*;
pub use spec::*;
pub use stored::*;
