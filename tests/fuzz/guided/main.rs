//! The target that `FUZZ_TARGET` names, for `cargo fuzz`.

#![no_main]

use std::sync::LazyLock;

use hostel_fuzz::{TARGETS, Target, target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let named = std::env::var("FUZZ_TARGET").ok();
    let found = named.as_deref().and_then(target);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET names a target, one of {}", names.join(", ")))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
