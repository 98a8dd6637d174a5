//! Which features of WebAssembly a component uses that the host does not support.

use wasmparser::{Validator, WasmFeatures};

/// The features that no engine here has, and their names.
const UNSUPPORTED: [(WasmFeatures, &str); 14] = [
    (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything threads"),
    (WasmFeatures::THREADS, "threads"),
    (WasmFeatures::LEGACY_EXCEPTIONS, "legacy exceptions"),
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

/// The names of the features that a component uses and the host does not support; none if it is not valid with all of them
/// either. Validates it once, and once more for each feature if it is valid.
pub(crate) fn unsupported(bytes: &[u8]) -> Vec<&'static str> {
    let is_valid = |features| Validator::new_with_features(features).validate_all(bytes).is_ok();
    if !is_valid(WasmFeatures::all()) {
        return Vec::new();
    }
    let needs = |(feature, _): &(WasmFeatures, &str)| !is_valid(WasmFeatures::all().difference(*feature));
    UNSUPPORTED.into_iter().filter(needs).map(|(_, name)| name).collect()
}
