//! Records an attempt's effects beyond its inputs, and the function of the guest that caused each one first.

use std::sync::Arc;

use hostel_core::{Observation, Touch};
use wasmtime::{FrameInfo, StoreContextMut, WasmBacktrace};

use crate::names;

/// Called once in an attempt, at its first touch, on the thread that runs the guest, which waits meanwhile: it must not
/// block.
pub type OnTouch = Arc<dyn Fn() + Send + Sync>;

/// Prefixes of demangled names in runtime libraries, which are not the guest's own code.
const LIBRARIES: [&str; 20] = [
    "std::",
    "core::",
    "alloc::",
    "wasi",
    "wit_bindgen",
    "hashbrown::",
    "getrandom",
    "rand::",
    "rand_core::",
    "dlmalloc",
    "__",
    "_start",
    "cabi_",
    "wall_clock_",
    "monotonic_clock_",
    "filesystem_",
    "insecure_",
    "random_get",
    "streams_",
    "poll_",
];

/// Functions of the C library that call the host.
const OF_C: [&str; 24] = [
    "abort",
    "arc4random",
    "arc4random_buf",
    "clock",
    "clock_gettime",
    "clock_nanosleep",
    "fstat",
    "fstatat",
    "getentropy",
    "getrandom",
    "gettimeofday",
    "lstat",
    "malloc",
    "nanosleep",
    "open",
    "openat",
    "poll",
    "poll_oneoff",
    "read",
    "readdir",
    "sbrk",
    "stat",
    "time",
    "usleep",
];

/// Modules that toolchains insert between a program and the host.
const ADAPTERS: &str = "wit-component:";

/// The touches of an attempt so far.
#[derive(Default)]
pub(crate) struct Recorder {
    observation: Observation,
    on_touch: Option<OnTouch>,
    /// The touches whose function in the guest is not known yet.
    unnamed: Vec<Touch>,
}

impl Recorder {
    pub(crate) fn new(on_touch: Option<OnTouch>) -> Self {
        Self { on_touch, ..Self::default() }
    }

    /// Records a touch. [`name_touches`], which can see the guest's stack, adds the function later.
    pub(crate) fn touch(&mut self, touch: Touch) {
        if self.observation.add(touch) {
            self.unnamed.push(touch);
        }
        if let Some(on_touch) = self.on_touch.take() {
            on_touch();
        }
    }

    pub(crate) fn take_observation(&mut self) -> Observation {
        std::mem::take(&mut self.observation)
    }
}

/// Names the function of the guest for each new touch. `recorder` is where the store's data has its recorder.
pub(crate) fn name_touches<T>(mut store: StoreContextMut<'_, T>, recorder: impl Fn(&mut T) -> &mut Recorder) {
    if recorder(store.data_mut()).unnamed.is_empty() {
        return;
    }
    let backtrace = WasmBacktrace::capture(&store);
    let function = innermost(backtrace.frames());
    let recorder = recorder(store.data_mut());
    for touch in std::mem::take(&mut recorder.unnamed) {
        if let Some(function) = &function {
            recorder.observation.name(touch, function.clone());
        }
    }
}

/// The innermost function of the guest's own code, judging by names. In a program that has names with paths, names
/// without paths belong to a C library.
fn innermost(frames: &[FrameInfo]) -> Option<String> {
    let is_adapter = |frame: &FrameInfo| frame.module().name().is_some_and(|name| name.starts_with(ADAPTERS));
    let functions = frames.iter().filter(|frame| !is_adapter(frame)).filter_map(FrameInfo::func_name);
    let own = functions.map(names::demangled).filter_map(own_name);
    let own: Vec<_> = own.collect();
    own.iter().find(|name| name.contains("::")).or(own.first()).cloned()
}

/// A demangled name in readable form; `None` for a name in a library.
fn own_name(name: String) -> Option<String> {
    let bare = name.trim_start_matches(['<', '&', '*']);
    let is_library = LIBRARIES.iter().any(|library| bare.starts_with(library)) || OF_C.contains(&bare);
    if is_library {
        return None;
    }
    // The shim around an exported function has its name, and is the only trace of an inlined function.
    if let Some((_, export)) = name.split_once('#') {
        return Some(export.to_owned());
    }
    let Some((before, shim)) = name.split_once("_export_") else { return Some(name) };
    let function = shim.split_once("_cabi").map_or(shim, |(function, _)| function);
    Some(format!("{before}{function}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_libraries_are_not_the_guests_own() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(own_name(name.to_owned()).as_deref(), expected, "{name}");
        };
        check("dates::parse_date", Some("dates::parse_date"));
        check(
            "<dates::Dates as dates::Guest>::parse_date",
            Some("<dates::Dates as dates::Guest>::parse_date"),
        );
        check("dates::_export_parse_date_cabi::<dates::Dates>", Some("dates::parse_date"));
        check("acme:dates/parsing@1.0.0#parse-date", Some("parse-date"));
        check("parse_date", Some("parse_date"));
        check("standard::time", Some("standard::time"));
        for library in [
            "std::time::SystemTime::now",
            "<std::time::SystemTime>::now",
            "<alloc::vec::Vec<u8>>::push",
            "wasi::clocks::now",
            "wasip2::clocks::now",
            "__wasi_clock_time_get",
            "cabi_realloc",
            "clock_gettime",
            "wit_bindgen::rt::run",
        ] {
            check(library, None);
        }
    }

    #[test]
    fn whoever_listens_hears_of_the_first_touch_only() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let heard = Arc::new(AtomicU32::new(0));
        let of_recorder = Arc::clone(&heard);
        let mut recorder = Recorder::new(Some(Arc::new(move || {
            of_recorder.fetch_add(1, Ordering::SeqCst);
        })));
        assert_eq!(heard.load(Ordering::SeqCst), 0);
        for touch in [Touch::WallClock, Touch::WallClock, Touch::Network] {
            recorder.touch(touch);
            assert_eq!(heard.load(Ordering::SeqCst), 1);
        }
        assert_eq!(recorder.take_observation().to_string(), "read the wall clock 2×, used the network 1×");
    }
}
