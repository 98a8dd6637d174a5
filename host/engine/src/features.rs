//! Detects unsupported features of WebAssembly in a component.

use wasmparser::{Validator, WasmFeatures};

/// The features that no engine supports, and their names.
///
/// wasmtime has exceptions and garbage collection, but they are not enabled, because the host's guarantees do not hold
/// with them. Catching and rethrowing on the way up a deep stack takes time quadratic in its depth, and the guest does
/// not yield: a timeout of one second was missed by nine. Each handler of a `try_table` costs the compiler for each
/// call in it, and 400 nested ones take minutes.
const UNSUPPORTED: [(WasmFeatures, &str); 16] = [
    (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything threads"),
    (WasmFeatures::THREADS, "threads"),
    (WasmFeatures::EXCEPTIONS, "exceptions"),
    (WasmFeatures::LEGACY_EXCEPTIONS, "legacy exceptions"),
    (WasmFeatures::GC, "garbage collection"),
    (WasmFeatures::STACK_SWITCHING, "stack switching"),
    (WasmFeatures::MEMORY_CONTROL, "memory control"),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes"),
    (WasmFeatures::CM_GC, "garbage-collected values in components"),
    (WasmFeatures::CM64, "64-bit memories in components"),
    (WasmFeatures::CM_THREADING, "threads in components"),
    (WasmFeatures::CM_ASYNC_STACKFUL, "stackful async"),
    (WasmFeatures::CM_MORE_ASYNC_BUILTINS, "further async built-ins"),
    (WasmFeatures::CM_ERROR_CONTEXT, "error contexts"),
    (WasmFeatures::CM_VALUES, "values in components"),
    (WasmFeatures::CM_IMPLEMENTS, "`implements`"),
];

/// Whether a component is valid with the features that the host supports.
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    let unsupported = UNSUPPORTED.iter().fold(WasmFeatures::empty(), |all, (feature, _)| all.union(*feature));
    let supported = WasmFeatures::all().difference(unsupported);
    Validator::new_with_features(supported).validate_all(bytes).is_ok()
}

/// The names of the unsupported features that a component uses; none if it is not valid with all of them either.
/// Validates it once, and once more for each feature if it is valid.
pub(crate) fn unsupported(bytes: &[u8]) -> Vec<&'static str> {
    let is_valid = |features| Validator::new_with_features(features).validate_all(bytes).is_ok();
    if !is_valid(WasmFeatures::all()) {
        return Vec::new();
    }
    let needs = |(feature, _): &(WasmFeatures, &str)| !is_valid(WasmFeatures::all().difference(*feature));
    UNSUPPORTED.into_iter().filter(needs).map(|(_, name)| name).collect()
}
