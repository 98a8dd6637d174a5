//! The text form of components.

use crate::load_error::{LoadError, MAX_TEXT_BYTES, shortened};

/// Text up to this length is assembled where it is loaded: even if the time is quadratic, it is some milliseconds.
pub(crate) const SHORT_TEXT_BYTES: u64 = 16 << 10;

/// Checks the length of a text.
pub(crate) fn check_length(text: &[u8]) -> Result<(), LoadError> {
    let found = text.len() as u64;
    if found > MAX_TEXT_BYTES { Err(LoadError::TextTooLong { found }) } else { Ok(()) }
}

/// The binary form of a text, of whatever kind it is.
pub(crate) fn assemble(text: &[u8]) -> Result<Vec<u8>, LoadError> {
    check_length(text)?;
    let mistake = |error: wat::Error| LoadError::Text(shortened(error.to_string().trim_end().to_owned()));
    Ok(wat::parse_bytes(text).map_err(mistake)?.into_owned())
}
