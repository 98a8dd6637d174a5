//! Runs as data: specs, facts, and the record that facts lead to. Nothing here acts on runs.

mod counts;
mod encoding;
mod filter;
mod keys;
mod option_error;
mod queue;
mod record;
mod spec;
mod stored;
mod unique;

pub use counts::*;
pub use encoding::DecodeRunError;
pub use filter::*;
pub use keys::*;
pub use option_error::OptionError;
pub use queue::*;
pub use record::*;
pub use spec::*;
pub use stored::*;
pub use unique::*;
