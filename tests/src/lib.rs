//! Tests of Hostel from outside, and rules about the tree. The tests themselves are in `tests/`, one program for each
//! subject; here is what rustdoc tests: the programs in the README.

#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
pub struct Readme;
