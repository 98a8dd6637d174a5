//! Any bytes as canonical bytes: an error, or what these bytes are the only ones of.

use arbitrary::Unstructured;
use hostel_core::{Type, Value};

use crate::{Target, typed};

pub(super) const TARGET: Target = Target::new("canonical", run, 300_000).seeds(seeds);

fn run(bytes: &[u8]) {
    if let Ok(ty) = Type::from_canonical(bytes) {
        assert_eq!(ty.to_canonical().as_deref(), Ok(bytes), "{ty}");
    }
    if let Ok((ty, value)) = Value::from_canonical(bytes) {
        assert_eq!(value.to_canonical(&ty).as_deref(), Ok(bytes), "{ty}: {value}");
        assert_eq!(ty.conform(value.clone()).as_ref(), Ok(&value), "{ty}");
        let json = value.to_json(&ty);
        assert_eq!(Value::from_json(&json, &ty).as_ref(), Ok(&value), "{ty}: {json}");
    }
}

/// Values of types with each first byte, and what is left of them.
fn seeds() -> Vec<Vec<u8>> {
    let seed = |first: u8| {
        let bytes: Vec<u8> = (0..64_u8).map(|place| first.wrapping_mul(place.wrapping_add(1))).collect();
        let mut input = Unstructured::new(&bytes);
        let ty = typed::ty(&mut input).ok()?;
        typed::value(&mut input, &ty).ok()?.to_canonical(&ty).ok()
    };
    (0..=u8::MAX).step_by(3).filter_map(seed).collect()
}
