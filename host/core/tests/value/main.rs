//! Values from outside: what each form reads and writes, what is refused and how, and what holds for all of them.

#[cfg(test)]
mod wit;

#[cfg(test)]
mod strategy;

#[cfg(test)]
mod conform;

#[cfg(test)]
mod may_take;

#[cfg(test)]
mod convert;

#[cfg(test)]
mod wave;

#[cfg(test)]
mod json;

#[cfg(test)]
mod canonical;

#[cfg(test)]
mod properties;

#[cfg(test)]
mod large;
