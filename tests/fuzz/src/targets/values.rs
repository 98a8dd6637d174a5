//! Values of any type, from one form to another and back.

use arbitrary::{Result, Unstructured};
use hostel_core::{Type, Value, parse_json};

use crate::{Target, typed};

pub(super) const TARGET: Target = Target::new("values", run, 10_000);

fn run(bytes: &[u8]) {
    let _ = try_run(&mut Unstructured::new(bytes));
}

/// Two values of one type, so small that they are often the same.
fn try_run(input: &mut Unstructured<'_>) -> Result<()> {
    let ty = typed::ty(input)?;
    let one = typed::value(input, &ty)?;
    let other = typed::value(input, &ty)?;
    assert_eq!(Type::from_canonical(&ty.to_canonical().unwrap()).as_ref(), Ok(&ty));
    assert_eq!(ty.may_take(&ty), Ok(()), "{ty} takes itself");
    for value in [&one, &other] {
        is_the_same_in_every_form(value, &ty);
    }
    let same_bytes = one.to_canonical(&ty).unwrap() == other.to_canonical(&ty).unwrap();
    assert_eq!(same_bytes, one == other, "{one} and {other}");
    Ok(())
}

/// Asserts that a value of the type, in normal form, is read back from whatever it is written as.
pub(super) fn is_the_same_in_every_form(value: &Value, ty: &Type) {
    assert_eq!(ty.conform(value.clone()).as_ref(), Ok(value), "{ty}: normal form is normal");

    let bytes = value.to_canonical(ty).expect("it is in normal form");
    assert_eq!(Value::from_canonical(&bytes).unwrap(), (ty.clone(), value.clone()));
    let mut parts = ty.to_canonical().unwrap();
    ty.encode_payload(value, &mut parts).unwrap();
    assert_eq!(parts, bytes, "{ty}: the parts are the whole");

    let wave = value.to_wave();
    assert_eq!(Value::from_wave(&wave, ty).as_ref(), Ok(value), "{ty}: {wave}");

    let json = value.to_json(ty);
    assert_eq!(Value::from_json(&json, ty).as_ref(), Ok(value), "{ty}: {json}");
    let text = json.to_string();
    assert_eq!(parse_json(&text).as_ref(), Ok(&json), "{ty}: JSON is read as it was written");

    assert!(value.footprint() >= size_of::<Value>());
}
