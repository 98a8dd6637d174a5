//! Names of fields, cases, flags and parameters, and the error for unknown ones.

use std::{fmt, sync::Arc};

use super::error::{excerpt, list_names};

/// A name from a WIT signature, shared between a type and all its values: cloning costs a counter.
pub type Name = Arc<str>;

/// The error for an unknown name where only certain names are possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    what: &'static str,
    name: String,
    known: Vec<Name>,
}

impl UnknownName {
    /// The error for a `name` that is not one of the `known`; `what` is their noun in the singular: `field`.
    pub(crate) fn new<'a>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'a Name>) -> Self {
        Self { what, name: name.to_owned(), known: known.into_iter().cloned().collect() }
    }

    /// Returns the unknown name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the possible names, in declared order.
    pub fn known(&self) -> &[Name] {
        &self.known
    }

    /// Returns the known name that was probably meant: the first within a few keystrokes, ignoring case.
    pub fn nearest(&self) -> Option<&Name> {
        self.near().into_iter().next()
    }

    /// Returns the known names that are a few keystrokes away, the nearest first.
    pub(crate) fn near(&self) -> Vec<&Name> {
        let near_enough = self.name.chars().count().div_ceil(3);
        let name = self.name.to_lowercase();
        let known = self.known.iter().map(|known| (keystrokes(&name, &known.to_lowercase()), known));
        let near =
            known.filter(|(distance, known)| *distance <= near_enough && *distance < known.chars().count());
        let mut near: Vec<_> = near.collect();
        near.sort_by_key(|(distance, _)| *distance);
        near.into_iter().map(|(_, known)| known).collect()
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        write!(f, "unknown {what} {:?}", excerpt(&self.name))?;
        if let Some(nearest) = self.nearest() {
            write!(f, ", did you mean {nearest:?}?")?;
        }
        let (noun, more) = what.split_at(what.find(' ').unwrap_or(what.len()));
        if self.known.is_empty() {
            write!(f, " (there are no {noun}s{more})")
        } else {
            write!(f, " ({noun}s{more}: {})", list_names(&self.known))
        }
    }
}

/// Counts the insertions, deletions and replacements that turn one name into another (Levenshtein distance).
fn keystrokes(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, a) in from.chars().enumerate() {
        let mut left = index + 1;
        let mut diagonal = index;
        let mut next = vec![left];
        for (b, &above) in to.chars().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(a != b)).min(left + 1).min(above + 1);
            next.push(left);
            diagonal = above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_keystrokes() {
        for (from, to, expect) in
            [("", "", 0), ("", "ab", 2), ("rate", "rte", 1), ("rate", "date", 1), ("a", "bcd", 3)]
        {
            assert_eq!(keystrokes(from, to), expect, "{from} -> {to}");
            assert_eq!(keystrokes(to, from), expect, "{to} -> {from}");
        }
    }

    #[test]
    fn the_nearest_name_is_offered_only_if_it_is_near() {
        let known: Vec<Name> = ["name", "rate", "tags"].map(Name::from).into();
        for (name, expect) in [("nme", Some("name")), ("rates", Some("rate")), ("colour", None), ("", None)] {
            let unknown = UnknownName::new("field", name, &known);
            assert_eq!(unknown.nearest().map(AsRef::as_ref), expect, "{name}");
        }
    }
}
