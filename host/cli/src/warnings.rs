//! Writes warnings of the libraries to stderr: the first of each kind, and the number of further ones.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_wire::without_number;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::ui::Ui;
use crate::ui::text::counted;

/// The current receiver of warnings. The libraries warn from their own threads, so the process has a single one.
static LISTENER: Mutex<Option<Listener>> = Mutex::new(None);

/// The warnings of one command.
struct Listener {
    ui: Arc<Ui>,
    /// By the place in the code that issued the warning.
    heard: HashMap<Identifier, u64>,
}

/// Receives warnings until it is dropped, and then reports how many were left out.
pub(crate) struct Warnings(());

/// Subscribes to the libraries' events.
struct Ear;

impl Warnings {
    pub(crate) fn listen(ui: &Arc<Ui>) -> Self {
        // Fails if an earlier command of this process has set it, or if the embedding program has its own.
        let _ = tracing::subscriber::set_global_default(Ear);
        *listener() = Some(Listener { ui: Arc::clone(ui), heard: HashMap::new() });
        Self(())
    }
}

impl Drop for Warnings {
    fn drop(&mut self) {
        let Some(listener) = listener().take() else { return };
        let left_out: u64 = listener.heard.values().map(|count| count - 1).sum();
        if left_out > 0 {
            listener.ui.warning(&format!("{} of the same kind", counted(left_out, "more warning")));
        }
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().starts_with("hostel");
        is_ours && *metadata.level() <= Level::WARN && metadata.is_event()
    }

    fn event(&self, event: &Event<'_>) {
        let mut listener = listener();
        let Some(listener) = &mut *listener else { return };
        let heard = listener.heard.entry(event.metadata().callsite()).or_insert(0);
        *heard += 1;
        if *heard > 1 {
            return;
        }
        let mut message = Message::default();
        event.record(&mut message);
        listener.ui.warning(&without_number(&message.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// No code panics while it holds the lock, so a poisoned lock is still consistent.
fn listener() -> MutexGuard<'static, Option<Listener>> {
    LISTENER.lock().unwrap_or_else(PoisonError::into_inner)
}
