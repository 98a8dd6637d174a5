//! Rules about this tree that a reviewer would otherwise have to remember. Each says what to do when it is broken.
//!
//! A rule is a function from the tree to a list of complaints. Beside each stands a test that it complains about what
//! it forbids, because a rule that cannot fail keeps nothing.

#![cfg(test)]

mod arrows;
mod calm_tests;
mod commands;
mod guests;
mod parity;
mod purity;
mod rooms;
mod shape;
mod tokens;
mod tree;
