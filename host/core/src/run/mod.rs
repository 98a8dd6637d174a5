//! Runs as data: specs, facts, the record that facts lead to, and schedules. Nothing here acts on runs.

mod amendment;
mod counts;
pub(crate) mod encoding;
mod filter;
mod input_filter;
mod keys;
mod option_error;
mod queue;
mod record;
mod schedule;
mod script;
mod spec;
mod stored;
mod trace_parent;
mod unique;

pub use amendment::*;
pub use counts::*;
pub use encoding::DecodeRunError;
pub use filter::*;
pub use input_filter::*;
pub use keys::*;
pub use option_error::OptionError;
pub use queue::*;
pub use record::*;
pub use schedule::*;
pub use script::*;
pub use spec::*;
pub use stored::*;
pub use trace_parent::*;
pub use unique::*;
