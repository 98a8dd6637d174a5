//! The targets, a file for each family.

mod cached;
mod canonical;
#[cfg(feature = "components")]
mod components;
mod determinism;
mod fold;
mod grants;
mod manifests;
mod policies;
mod runs;
#[cfg(feature = "components")]
mod signatures;
mod task_refs;
mod templates;
mod texts;
mod values;
mod wave;

use crate::Target;

/// Every target. How many inputs each is tried with is so chosen that it takes two seconds or so where nothing of ours is
/// optimised.
pub const TARGETS: &[Target] = &[
    values::TARGET,
    texts::TARGET,
    canonical::TARGET,
    task_refs::TARGET,
    policies::TARGET,
    grants::TARGET,
    determinism::TARGET,
    templates::TARGET,
    fold::TARGET,
    cached::TRACES,
    cached::RECORDS,
    runs::TARGET,
    manifests::TARGET,
    #[cfg(feature = "components")]
    components::TARGET,
    #[cfg(feature = "components")]
    signatures::TARGET,
];
