//! Flow runs, to which cached results may be bound.

use hostel_core::FlowRun;

use crate::ids::new_run_id;

/// Creates a flow run with a new id, for [`Task::flow`](crate::Task::flow).
pub fn begin_flow() -> FlowRun {
    FlowRun::new(new_run_id())
}
