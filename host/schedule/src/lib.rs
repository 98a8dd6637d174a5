//! When schedules are due: cron expressions in time zones, and intervals.
//!
//! ```
//! use hostel_core::{Timestamp, When};
//! use hostel_schedule::Timetable;
//!
//! let when = When::Cron { expression: "30 2 * * *".into(), zone: "Europe/Berlin".into() };
//! let timetable = Timetable::new(&when)?;
//! assert_eq!(timetable.describe(), "At 02:30 (Europe/Berlin)");
//!
//! // On this day the clock is put forward from 02:00 to 03:00.
//! let evening = Timestamp::from_unix_nanos(1_774_720_800_000_000_000);
//! let next: Vec<_> = timetable.upcoming(evening, 2).iter().map(|slot| timetable.local_text(*slot)).collect();
//! assert_eq!(next, ["2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"]);
//!
//! let when = When::Cron { expression: "0 25 * * *".into(), zone: "UTC".into() };
//! let error = Timetable::new(&when).unwrap_err();
//! let lines = ["invalid cron expression, column 3: expected the hour, 0 to 23", "  0 25 * * *", "    ^^"];
//! assert_eq!(error.to_string(), lines.join("\n"));
//! # Ok::<(), hostel_schedule::TimetableError>(())
//! ```
//!
//! A [`Timetable`] is made from the [`When`](hostel_core::When) of a [`Schedule`](hostel_core::Schedule). It reads no clock: every
//! time is passed in. The time zone database is compiled in.

mod cron;
mod error;
mod field;
mod timetable;
mod zone;

pub use error::*;
pub use timetable::*;
pub use zone::zones;
