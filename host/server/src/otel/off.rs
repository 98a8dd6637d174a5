//! The exporter of a server that is built without the feature `otel`: there is none.

use std::sync::Arc;

use hostel::journal::SqliteJournal;

use crate::blocking::Blocking;

/// No exporter.
#[derive(Debug)]
pub(crate) enum Exporter {}

impl Exporter {
    pub(crate) async fn run(self, _: Arc<SqliteJournal>, _: Blocking, _: impl Future<Output = ()>) {
        match self {}
    }
}
