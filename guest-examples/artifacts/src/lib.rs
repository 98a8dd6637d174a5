//! Where the built guest examples are.
//!
//! A build script compiles `guest-examples/rust` for `wasm32-wasip2` before this crate, so a test that names
//! a guest always runs what its source says. There is one constant with a path for each guest (`ELEVATOR`)
//! and each component text (`wat::ADD_ONE`). For tests and benchmarks only.
//!
//! Two environment variables change the build: `GUEST_RUSTC` names the compiler, and `GUESTS=skip` builds
//! nothing, which leaves paths to files that may not exist.
//!
//! ```
//! let component = std::fs::read(hostel_guests::ARITH);
//! assert!(component.is_ok() || !hostel_guests::BUILT);
//! ```

include!(concat!(env!("OUT_DIR"), "/paths.rs"));

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn every_guest_is_a_component() {
        if !super::BUILT {
            return;
        }
        for (name, path) in super::all() {
            let bytes = fs::read(path).unwrap_or_else(|error| panic!("{name}: {path}: {error}"));
            assert!(bytes.starts_with(b"\0asm\x0d\0\x01\0"), "{name} is not a component");
        }
    }

    #[test]
    fn every_text_says_what_it_shows() {
        for (name, path) in super::wat::all() {
            let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {path}: {error}"));
            assert!(text.starts_with(";; "), "{name} has no comment on top");
        }
    }

    #[test]
    fn names_and_constants_agree() {
        assert!(super::all().contains(&("hash-file", super::HASH_FILE)));
        assert!(super::wat::all().contains(&("add-one", super::wat::ADD_ONE)));
    }
}
