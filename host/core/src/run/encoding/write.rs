//! Writes the parts that all encodings are made of.

use std::time::Duration;

use crate::{RunId, Timestamp, leb128};

pub(crate) fn number(out: &mut Vec<u8>, number: u64) {
    leb128::write(number, out);
}

/// Zigzag: numbers near zero are short, whatever their sign.
pub(crate) fn signed(out: &mut Vec<u8>, number: i32) {
    let number = i64::from(number);
    leb128::write(((number << 1) ^ (number >> 63)).cast_unsigned(), out);
}

pub(crate) fn flag(out: &mut Vec<u8>, flag: bool) {
    out.push(flag.into());
}

pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    bytes(out, text.as_bytes());
}

pub(crate) fn duration(out: &mut Vec<u8>, duration: Duration) {
    number(out, duration.as_secs());
    number(out, duration.subsec_nanos().into());
}

pub(crate) fn instant(out: &mut Vec<u8>, instant: Timestamp) {
    out.extend(instant.unix_nanos().to_le_bytes());
}

pub(crate) fn id(out: &mut Vec<u8>, run: RunId) {
    out.extend(run.as_bytes());
}

pub(crate) fn maybe<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    flag(out, value.is_some());
    if let Some(value) = value {
        write(out, value);
    }
}

pub(crate) fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    number(out, items.len() as u64);
    items.iter().for_each(|item| write(out, item));
}

/// One of a few, as its place among them.
pub(crate) fn choice<T: PartialEq>(out: &mut Vec<u8>, all: &[T], chosen: &T) {
    let place = all.iter().position(|one| one == chosen);
    out.push(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX));
}
