//! The subcommands, one file each.

pub(crate) mod cache;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod components;
pub(crate) mod delay;
pub(crate) mod inspect;
pub(crate) mod limits;
pub(crate) mod map;
pub(crate) mod new;
pub(crate) mod push;
pub(crate) mod python;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod runtime;
pub(crate) mod schedule;
pub(crate) mod serve;
pub(crate) mod trust;
pub(crate) mod worker;
