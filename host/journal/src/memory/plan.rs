//! Submissions to the journal in memory: planned whole, and carried out only if nothing is refused.

use std::collections::HashMap;

use hostel_core::journal::{Admission, JournalConflict, JournalEntry, Submitted};
use hostel_core::{RunId, RunSpec, Timestamp};

use super::shelf::Shelf;

/// What a submission does, in order.
pub(super) struct Plan<'a> {
    shelf: &'a Shelf,
    answers: Vec<Submitted>,
    steps: Vec<Step>,
    /// The runs that are new, and what became of those that others replace.
    new: HashMap<RunId, JournalEntry>,
    /// The holders of keys that have changed.
    holders: HashMap<(String, String), RunId>,
}

/// A plan that no longer looks at the shelf.
pub(super) struct Planned {
    answers: Vec<Submitted>,
    steps: Vec<Step>,
}

enum Step {
    Cancel(RunId),
    Add(Box<RunSpec>),
}

impl<'a> Plan<'a> {
    /// # Errors
    ///
    /// The first run that is refused.
    pub(super) fn of(at: Timestamp, specs: &[RunSpec], shelf: &'a Shelf) -> Result<Planned, JournalConflict> {
        let (new, holders) = (HashMap::new(), HashMap::new());
        let mut plan = Self { shelf, answers: Vec::new(), steps: Vec::new(), new, holders };
        for spec in specs {
            let answer = plan.submit(at, spec)?;
            plan.answers.push(answer);
        }
        Ok(Planned { answers: plan.answers, steps: plan.steps })
    }

    fn submit(&mut self, at: Timestamp, spec: &RunSpec) -> Result<Submitted, JournalConflict> {
        if let Some(entry) = self.entry(spec.id) {
            entry.submit_again(spec)?;
            return Ok(Submitted::Existing);
        }
        let holder = self.holder(spec).and_then(|holder| self.entry(holder));
        match Admission::of(at, spec.clone(), holder)? {
            Admission::Store(spec) => {
                self.add(at, spec);
                Ok(Submitted::New)
            }
            Admission::Replace { spec, holder } => {
                self.steps.push(Step::Cancel(holder));
                self.add(at, spec);
                Ok(Submitted::Replaced { of: holder })
            }
            Admission::Duplicate { holder } => Ok(Submitted::Duplicate { of: holder }),
        }
    }

    fn add(&mut self, at: Timestamp, spec: RunSpec) {
        if let Some(unique) = &spec.unique {
            self.holders.insert((spec.queue.to_string(), unique.key.to_string()), spec.id);
        }
        self.new.insert(spec.id, JournalEntry::born(at, spec.clone()).0);
        self.steps.push(Step::Add(spec.into()));
    }

    fn entry(&self, run: RunId) -> Option<&JournalEntry> {
        self.new.get(&run).or_else(|| self.shelf.get(run))
    }

    fn holder(&self, spec: &RunSpec) -> Option<RunId> {
        let unique = spec.unique.as_ref()?;
        let key = (spec.queue.to_string(), unique.key.to_string());
        self.holders.get(&key).copied().or_else(|| self.shelf.holder(spec))
    }
}

impl Planned {
    /// How many more unfinished runs there will be.
    pub(super) fn added(&self) -> usize {
        let cancelled = self.steps.iter().filter(|step| matches!(step, Step::Cancel(_))).count();
        self.steps.len().saturating_sub(2 * cancelled)
    }

    pub(super) fn carry_out(self, at: Timestamp, shelf: &mut Shelf) -> Vec<Submitted> {
        for step in self.steps {
            match step {
                Step::Add(spec) => {
                    let (entry, born) = JournalEntry::born(at, *spec);
                    shelf.add(entry, &[born]);
                }
                Step::Cancel(run) => {
                    let Some(mut entry) = shelf.get(run).cloned() else { continue };
                    let (_, applied) = entry.cancel(at);
                    shelf.replace(entry, applied.as_slice());
                }
            }
        }
        self.answers
    }
}
