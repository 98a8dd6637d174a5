//! The search for a text in the names of many runs, most of which have the default name.

use std::collections::HashMap;

use hostel_core::{RunFilter, RunId};
use rusqlite::{Connection, Row};

use super::names::Names;

/// The digits at the end of a default name, after a hyphen. See [`TaskKey::run_name`](hostel_core::TaskKey::run_name).
const DIGITS: usize = 3;

/// A search, and for which tasks a default name can have the text.
pub(super) struct NameSearch<'a> {
    text: Option<&'a str>,
    tasks: HashMap<i64, bool>,
}

impl<'a> NameSearch<'a> {
    pub(super) fn new(filter: &'a RunFilter) -> Self {
        Self { text: filter.wanted_name(), tasks: HashMap::new() }
    }

    /// Whether the name of a run has the text, by its row with id, task and name in these columns.
    pub(super) fn matches(
        &mut self,
        db: &Connection,
        names: &mut Names,
        row: &Row<'_>,
        [id, task, name]: [usize; 3],
    ) -> rusqlite::Result<bool> {
        let Some(text) = self.text else { return Ok(true) };
        if let Some(name) = row.get_ref(name)?.as_str_or_null().ok().flatten() {
            return Ok(name.contains(text));
        }
        let task = row.get(task)?;
        let may_match = match self.tasks.get(&task) {
            Some(may_match) => *may_match,
            None => {
                let may_match = may_have(names.task(db, task)?.export.function(), text);
                self.tasks.insert(task, may_match);
                may_match
            }
        };
        Ok(may_match && names.task(db, task)?.run_name(RunId::from_bytes(row.get(id)?)).contains(text))
    }
}

/// Whether a default name of a function can have a text, whatever its digits are.
fn may_have(function: &str, text: &str) -> bool {
    let are_digits = |text: &str| text.len() <= DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let at_end = match text.rsplit_once('-') {
        Some((before, digits)) => function.ends_with(before) && are_digits(digits),
        None => are_digits(text),
    };
    at_end || function.contains(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostel_core::{Digest, ExportPath, TaskKey};

    #[test]
    fn no_name_that_has_the_text_is_missed() {
        let key = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add-one") };
        for low in [0, 7, 0xab, 0xff] {
            let name = key.run_name(RunId::from_bytes([low; 16]));
            for (from, to) in (0..name.len()).flat_map(|from| (from..=name.len()).map(move |to| (from, to))) {
                assert!(may_have("add-one", &name[from..to]), "{name} {}", &name[from..to]);
            }
        }
    }

    #[test]
    fn most_others_are_passed_over() {
        for text in ["zzz", "add-two", "one-12345", "ab12", "x-1", "add-onee"] {
            assert!(!may_have("add-one", text), "{text}");
        }
    }
}
