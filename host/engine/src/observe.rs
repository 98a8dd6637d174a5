//! Notes what an attempt touches outside its inputs, and where in the guest it did so first.

use std::sync::Arc;

use hostel_core::{Observation, Touch};
use wasmtime::{CallHook, FrameInfo, StoreContextMut, WasmBacktrace};

use crate::guest::Guest;
use crate::names;

/// Is called once in an attempt, at its first touch, on the thread that runs the guest and while it waits: it must not
/// block.
pub type OnTouch = Arc<dyn Fn() + Send + Sync>;

/// Where demangled names begin that are of a runtime library and not of the guest's own code.
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

/// Functions of the C library that ask the host for something.
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

/// Modules that toolchains put between a program and the host.
const ADAPTERS: &str = "wit-component:";

/// What an attempt has touched so far.
#[derive(Default)]
pub(crate) struct Recorder {
    observation: Observation,
    on_touch: Option<OnTouch>,
    /// The touches whose place in the guest is not known yet.
    unnamed: Vec<Touch>,
}

impl Recorder {
    pub(crate) fn new(on_touch: Option<OnTouch>) -> Self {
        Self { on_touch, ..Self::default() }
    }

    /// Notes a touch. Where it came from is found out by [`name_touches`], which can see the guest's stack.
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

/// Runs whenever the guest is about to go on after it called the host.
pub(crate) fn name_touches(mut store: StoreContextMut<'_, Guest>, hook: CallHook) -> wasmtime::Result<()> {
    if !matches!(hook, CallHook::ReturningFromHost) {
        return Ok(());
    }
    let guest = store.data_mut();
    guest.settle();
    if guest.recorder.unnamed.is_empty() {
        return Ok(());
    }
    let backtrace = WasmBacktrace::capture(&store);
    let function = innermost(backtrace.frames());
    let recorder = &mut store.data_mut().recorder;
    for touch in std::mem::take(&mut recorder.unnamed) {
        if let Some(function) = &function {
            recorder.observation.name(touch, function.clone());
        }
    }
    Ok(())
}

/// The innermost function that is of the guest's own code, as far as names tell. In a program that has names with
/// paths in them those without are of a C library.
fn innermost(frames: &[FrameInfo]) -> Option<String> {
    let is_adapter = |frame: &FrameInfo| frame.module().name().is_some_and(|name| name.starts_with(ADAPTERS));
    let functions = frames.iter().filter(|frame| !is_adapter(frame)).filter_map(FrameInfo::func_name);
    let own = functions.map(names::demangled).filter_map(own_name);
    let own: Vec<_> = own.collect();
    own.iter().find(|name| name.contains("::")).or(own.first()).cloned()
}

/// A demangled name as people know it, if it is none of a library's.
fn own_name(name: String) -> Option<String> {
    let bare = name.trim_start_matches(['<', '&', '*']);
    let is_library = LIBRARIES.iter().any(|library| bare.starts_with(library)) || OF_C.contains(&bare);
    if is_library {
        return None;
    }
    // What is around an exported function is named after it, and is all that is left of one that was inlined.
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
