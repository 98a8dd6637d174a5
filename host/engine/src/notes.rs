//! Notes on a guest while it runs: its calls of the host, its touches, and its denials.

use std::sync::Arc;

use hostel_core::{Denials, GrantKind, HostCall, HostCalls, Observation, Touch};

use crate::denial::DenialBook;
use crate::log::LogBook;
use crate::observe::{OnTouch, Recorder};

/// The notes of one attempt. Each capability adds to them.
pub(crate) struct Notes {
    host_calls: HostCalls,
    denied: Denials,
    recorder: Recorder,
    log: Arc<LogBook>,
    /// Created by the first request that can be denied.
    denials: Option<DenialBook>,
}

impl Notes {
    pub(crate) fn new(log: &Arc<LogBook>, on_touch: Option<OnTouch>) -> Self {
        Self {
            host_calls: HostCalls::default(),
            denied: Denials::default(),
            recorder: Recorder::new(on_touch),
            log: Arc::clone(log),
            denials: None,
        }
    }

    /// Counts a call of a host function.
    pub(crate) fn count(&mut self, kind: HostCall) {
        self.host_calls.count(kind, 1);
    }

    /// Records a touch.
    pub(crate) fn touch(&mut self, touch: Touch) {
        self.recorder.touch(touch);
    }

    /// Counts a denial, and adds the remark to the log if it is new.
    pub(crate) fn deny(&mut self, kind: GrantKind, remark: impl FnOnce() -> String) {
        self.denied.count(kind);
        self.denials().remark(remark());
    }

    /// For code that records denials without access to the notes.
    pub(crate) fn denials(&mut self) -> &DenialBook {
        self.denials.get_or_insert_with(|| DenialBook::new(&self.log))
    }

    /// Counts the denials that were recorded elsewhere.
    pub(crate) fn settle(&mut self) {
        for kind in self.denials.iter().flat_map(DenialBook::take_uncounted) {
            self.denied.count(kind);
        }
    }

    pub(crate) const fn host_calls(&self) -> HostCalls {
        self.host_calls
    }

    pub(crate) const fn denied(&self) -> Denials {
        self.denied
    }

    pub(crate) const fn recorder(&mut self) -> &mut Recorder {
        &mut self.recorder
    }

    pub(crate) fn take_observation(&mut self) -> Observation {
        self.recorder.take_observation()
    }
}
