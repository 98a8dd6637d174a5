//! What becomes of a new run whose key an unfinished run of its queue has.

use super::{JournalConflict, JournalEntry};
use crate::{RunId, RunSpec, Timestamp, UniqueMode};

/// How a new run is admitted.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// Nobody has its key: it is stored like this.
    Store(RunSpec),
    /// It is stored like this, after the holder of its key was cancelled.
    Replace {
        /// The new run.
        spec: RunSpec,
        /// The run that has its key, and has not started.
        holder: RunId,
    },
    /// It is not stored.
    Duplicate {
        /// The run that has its key.
        holder: RunId,
    },
}

impl Admission {
    /// The rule of [`Journal::submit`](super::Journal::submit) for a run whose id is new. `holder` is the unfinished run of its
    /// queue that has its key.
    ///
    /// # Errors
    ///
    /// [`JournalConflict::KeyTaken`].
    pub fn of(
        at: Timestamp,
        mut spec: RunSpec,
        holder: Option<&JournalEntry>,
    ) -> Result<Self, JournalConflict> {
        let Some(mode) = spec.unique.as_ref().map(|unique| unique.mode) else { return Ok(Self::Store(spec)) };
        if let Some(holder) = holder {
            let (run, has_started) = (holder.run(), holder.record().counted_attempts() > 0);
            match mode {
                UniqueMode::Reject => return Err(JournalConflict::key_taken(&spec, run)),
                UniqueMode::Existing => return Ok(Self::Duplicate { holder: run }),
                UniqueMode::Replace | UniqueMode::Debounce { .. } if has_started => {
                    return Ok(Self::Duplicate { holder: run });
                }
                UniqueMode::Replace | UniqueMode::Debounce { .. } => {}
            }
        }
        if let UniqueMode::Debounce { wait, most } = mode {
            let first = holder.and_then(|holder| holder.record().spec().debounced).unwrap_or(at);
            spec.due = Some(at.after(wait).min(first.after(most)));
            spec.debounced = Some(first);
        }
        Ok(match holder.map(JournalEntry::run) {
            Some(holder) => Self::Replace { spec, holder },
            None => Self::Store(spec),
        })
    }
}
