//! Flow runs, which cached results may belong to.

use hostel_core::FlowRun;

use crate::ids::new_id;

/// A flow run with an id of its own, for [`Task::flow`](crate::Task::flow).
pub fn begin_flow() -> FlowRun {
    FlowRun::new(new_id())
}
