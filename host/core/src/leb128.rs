//! Numbers as unsigned LEB128 of at most 64 bits: seven bits a byte, lowest first, the top bit set on all but the last.

/// Appends a number in its shortest form.
pub(crate) fn write(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Why there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoNumber<E> {
    /// There is no next byte.
    Ended(E),
    /// It has more than 64 bits, or is not in the shortest form.
    Malformed,
}

/// Reads a number, byte by byte.
pub(crate) fn read<E>(mut next: impl FnMut() -> Result<u8, E>) -> Result<u64, NoNumber<E>> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = next().map_err(NoNumber::Ended)?;
        let bits = u64::from(byte & 0x7f);
        let too_large = (bits << shift) >> shift != bits;
        let too_long = byte == 0 && shift > 0;
        if too_large || too_long {
            break;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(NoNumber::Malformed)
}
