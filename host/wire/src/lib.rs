//! The JSON of Hostel: what the command `hostel` prints with `--output json` and `--states`, and what a server answers.
//!
#![doc = include_str!("../shapes.md")]

// From the shapes to their parts: a module uses those below it.
mod batch;
mod cache;
mod component;
mod problem;
mod registry;
mod replay;
mod schedule;
mod verification;

mod limit;
mod log_line;
mod map_line;

mod run_answer;

mod run;
mod stored_run;

mod event;
mod task_detail;
mod type_object;
mod waiting;

mod filter_text;
mod run_head;
mod run_query;
mod why_not;

mod attempt;

mod stored;

mod error;

mod cache_report;
mod receipt;
mod value;

mod text;
mod time;

#[cfg(test)]
mod recorded;

pub use attempt::AttemptObject;
pub use batch::{BatchObject, batch_action_name};
pub use cache::{
    EntryDetail, EntryLine, EntryObject, GcObject, ReadObject, StatsObject, TaskStatsObject, reads, recipe,
};
pub use cache_report::{CacheReportObject, HitObject};
pub use component::{
    ComponentObject, ConfigObject, ImportObject, NotCallableObject, ParamObject, TaskObject,
};
pub use error::{ErrorObject, FrameObject, cause};
pub use event::EventObject;
pub use filter_text::{filter_text, filter_word};
pub use limit::LimitUseObject;
pub use log_line::LogLineObject;
pub use map_line::MapLine;
pub use problem::{ArgumentObject, ProblemObject};
pub use receipt::{ReceiptObject, calls, denials};
pub use registry::{
    DemandObject, DiffObject, ExportDiffObject, ExportObject, PushedObject, RegisteredObject, ScriptObject,
    VersionObject,
};
pub use replay::{EndObject, ReplayObject};
pub use run::{RunObject, attempt_count};
pub use run_answer::RunAnswerObject;
pub use run_head::RunHeadObject;
pub use run_query::{RunQueryError, run_filter};
pub use schedule::ScheduleObject;
pub use stored::{InputJson, StoredRun, StoredRunError};
pub use stored_run::{StateObject, StoredRunObject};
pub use task_detail::TaskDetailObject;
pub use text::{message, printable, without_number};
pub use time::{instant, parse_instant};
pub use type_object::{CaseObject, NamedTypeObject, TypeObject, arguments_schema, type_schema};
pub use value::{Printed, ValueJson, as_json, json, printed, value_of_json};
pub use verification::{DifferentObject, SkippedObject, VerificationObject};
pub use waiting::{WaitingObject, waiting_for};
pub use why_not::why_not_retried;
