//! Runs as data, from outside: their bytes are what they always were, and what holds for all of them.

#[cfg(test)]
mod properties;

#[cfg(test)]
mod strategy;

#[cfg(test)]
mod vectors;
