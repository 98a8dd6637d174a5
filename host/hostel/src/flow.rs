//! Flow runs, which cached results may belong to.

use hostel_core::{FlowRun, RunId};
use uuid::Uuid;

/// A flow run with an id of its own, for [`Task::flow`](crate::Task::flow).
pub fn begin_flow() -> FlowRun {
    FlowRun::new(RunId::from_uuid(Uuid::now_v7()))
}
