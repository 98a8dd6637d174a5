//! Rules about this tree that a reviewer would otherwise have to remember. Each says what to do when it is broken.
//!
//! A rule is a function from the tree to a list of complaints. Beside each stands a test that it complains about what
//! it forbids, because a rule that cannot fail keeps nothing.

#[cfg(test)]
mod tree;

#[cfg(test)]
mod tokens;

#[cfg(test)]
mod arrows;

#[cfg(test)]
mod shape;

#[cfg(test)]
mod purity;

#[cfg(test)]
mod guests;

#[cfg(test)]
mod commands;

#[cfg(test)]
mod calm_tests;
