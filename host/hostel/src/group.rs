//! The part of a transaction that its runs use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::{IntoValue, Value};

/// When the results of a transaction's runs become visible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitMode {
    /// All together, when the transaction is committed.
    #[default]
    Lazy,
    /// Each as soon as its run has completed. A rollback undoes only runs that have not completed.
    Eager,
    /// All together, and only by a call of [`Transaction::commit`](crate::Transaction::commit): the end of a
    /// [`TransactionBuilder::scope`](crate::TransactionBuilder::scope) rolls back.
    Off,
}

/// Named values that the code working on a transaction shares, also with the transaction's hooks.
///
/// Cheap to clone; all clones share the same values.
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
    /// No values, inside a transaction with these values.
    pub(crate) fn within(around: Option<Self>) -> Self {
        Self { values: Arc::default(), around: around.map(Arc::new) }
    }

    /// Sets the value of a name.
    pub fn set(&self, name: impl Into<String>, value: impl IntoValue) {
        self.lock().insert(name.into(), value.into_value());
    }

    /// The value of a name, in this transaction or the enclosing ones.
    pub fn get(&self, name: &str) -> Option<Value> {
        let value = self.lock().get(name).cloned();
        value.or_else(|| self.around.as_ref()?.get(name))
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
