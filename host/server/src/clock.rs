//! The time.

use std::time::SystemTime;

use hostel::Timestamp;

/// The time now.
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
