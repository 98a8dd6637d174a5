//! Detects unsupported features of WebAssembly in a component.

use std::mem;

use wasmparser::{FuncValidatorAllocations, Parser, ValidPayload, Validator, WasmFeatures};

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

/// The maximum number of function bodies that are examined for the features that they use.
const EXAMINED: usize = 8;

/// Whether a component is valid with the features that the host supports.
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    Validator::new_with_features(supported()).validate_all(bytes).is_ok()
}

/// The names of the unsupported features that a component uses; none if it is not valid with all of them either. If only the
/// bodies of functions use them, the names are those of the first few such functions: a validation of everything for each
/// feature would take a minute for a large component.
pub(crate) fn unsupported(bytes: &[u8]) -> Vec<&'static str> {
    if failing(bytes, WasmFeatures::all(), 1, |_| true) != Some(Vec::new()) {
        return Vec::new();
    }
    let without = |feature| WasmFeatures::all().difference(feature);
    let in_structure = needed(|feature| failing(bytes, without(feature), 1, |_| false).is_none());
    if !in_structure.is_empty() {
        return in_structure;
    }
    let Some(bodies) = failing(bytes, supported(), EXAMINED, |_| true) else { return Vec::new() };
    needed(|feature| failing(bytes, without(feature), 1, |body| bodies.contains(&body)) != Some(Vec::new()))
}

fn supported() -> WasmFeatures {
    let unsupported = UNSUPPORTED.iter().fold(WasmFeatures::empty(), |all, (feature, _)| all.union(*feature));
    WasmFeatures::all().difference(unsupported)
}

fn needed(is_needed: impl Fn(WasmFeatures) -> bool) -> Vec<&'static str> {
    UNSUPPORTED.into_iter().filter(|(feature, _)| is_needed(*feature)).map(|(_, name)| name).collect()
}

/// The first invalid bodies, up to a number, among those to examine, by their position in the file; `None` if anything but bodies
/// is invalid.
fn failing(
    bytes: &[u8],
    features: WasmFeatures,
    most: usize,
    examine: impl Fn(usize) -> bool,
) -> Option<Vec<usize>> {
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    let (mut body, mut failing) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        let ValidPayload::Func(function, code) = validator.payload(&payload.ok()?).ok()? else { continue };
        if failing.len() < most && examine(body) {
            let mut function = function.into_validator(mem::take(&mut allocations));
            if function.validate(&code).is_err() {
                failing.push(body);
            }
            allocations = function.into_allocations();
        }
        body += 1;
    }
    Some(failing)
}
