//! What a run knows of its transaction.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::{IntoValue, Value};

/// When the results of a transaction's runs become visible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitMode {
    /// All together, when the transaction is committed.
    #[default]
    Lazy,
    /// Each as soon as its run has completed; a rollback undoes only what has not.
    Eager,
    /// All together, and only by [`Transaction::commit`]: the end of a [`TransactionBuilder::scope`] rolls back.
    Off,
}

/// Values that those who work on a transaction leave for each other, and for its hooks.
///
/// Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct TransactionValues {
    values: Arc<Mutex<BTreeMap<String, Value>>>,
    around: Option<Arc<TransactionValues>>,
}

/// A run's membership in a transaction.
#[derive(Clone)]
pub(crate) struct Membership {
    pub(crate) mode: CommitMode,
    pub(crate) values: TransactionValues,
}

impl Membership {
    /// Whether results become visible as soon as their runs have completed.
    pub(crate) fn is_eager(&self) -> bool {
        self.mode == CommitMode::Eager
    }
}

impl TransactionValues {
    /// No values, inside of a transaction with these.
    pub(crate) fn within(around: Option<Self>) -> Self {
        Self { values: Arc::default(), around: around.map(Arc::new) }
    }

    /// Leaves a value under a name.
    pub fn set(&self, name: impl Into<String>, value: impl IntoValue) {
        self.lock().insert(name.into(), value.into_value());
    }

    /// The value under a name, in this transaction or those around it.
    pub fn get(&self, name: &str) -> Option<Value> {
        let value = self.lock().get(name).cloned();
        value.or_else(|| self.around.as_ref()?.get(name))
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
