//! Integers that are written with a fraction or an exponent, such as `7.0` or `1e17`.

/// The number of decimal digits that a float always preserves.
const FLOAT_DIGITS: usize = f64::DIGITS as usize;

/// Below it every integer has a distinct float: 2⁵³.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// Returns the integer that a decimal number is exactly, if its float is that integer as well.
///
/// Costs linear time in the text, however many digits the number and its exponent have.
pub(super) fn whole_number(text: &str) -> Option<i128> {
    let float = text.parse().ok().and_then(whole_float);
    float.filter(|whole| exact(text) == Some(*whole))
}

/// Returns whether the float of a decimal number is an integer, and the number is none or another one.
pub(super) fn is_rounded_to_whole(text: &str) -> bool {
    // So few digits stay as they are.
    let is_short = text.len() <= FLOAT_DIGITS && !text.contains(['e', 'E']);
    let float = || text.parse().ok().and_then(whole_float);
    !is_short && float().is_some_and(|whole| exact(text) != Some(whole))
}

/// Returns the integer that is written as a float.
///
/// It must be unambiguous: from 2⁵³ on several integers are the same float, and only one with at most as many digits as a
/// float preserves can be recovered.
pub(super) fn whole_float(float: f64) -> Option<i128> {
    if float.fract() != 0.0 {
        return None;
    }
    if float.abs() < EXACT_FLOAT {
        return Some(float as i128);
    }
    let shortest = format!("{float:e}");
    // The float itself may be a neighbour of the integer that was written.
    if digits(&shortest) <= FLOAT_DIGITS { exact(&shortest) } else { None }
}

/// Returns the number of digits in a text of a float, without its exponent.
fn digits(text: &str) -> usize {
    text.bytes().take_while(|&byte| byte != b'e').filter(u8::is_ascii_digit).count()
}

/// Returns the exact value of a decimal number, if it is an integer.
fn exact(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let trimmed = if fraction.is_empty() { whole.trim_end_matches('0') } else { whole };
    let mut number = 0_i128;
    for digit in trimmed.bytes().chain(fraction.bytes()) {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number = number.checked_mul(10)?.checked_add(digit.into())?;
    }
    if number == 0 {
        return Some(0);
    }
    // The number is followed by so many zeros, or preceded by a point if they are fewer than none.
    let zeros = (whole.len() - trimmed.len()) as i64 - fraction.len() as i64;
    let zeros = saturated(exponent)?.saturating_add(zeros);
    let number = number.checked_mul(10_i128.checked_pow(zeros.try_into().ok()?)?)?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// Returns an exponent, or the nearest one that there can be.
fn saturated(exponent: &str) -> Option<i64> {
    let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let number = unsigned.bytes().try_fold(0_i64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        Some(number.saturating_mul(10).saturating_add(digit.into()))
    })?;
    Some(if exponent.starts_with('-') { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_is_the_integer_that_it_is_exactly() {
        let zeros = "0".repeat(100_000);
        for (text, expected) in [
            ("7.0", Some(7)),
            ("-7.50e1", Some(-75)),
            ("1e17", Some(100_000_000_000_000_000)),
            ("1200e-2", Some(12)),
            ("0.0012e+4", Some(12)),
            ("-0.0", Some(0)),
            ("0e-99999999999999999999", Some(0)),
            ("0.5", None),
            ("125e-1", None),
            ("1e-999999999", None),
            ("1e-99999999999999999999", None),
            ("1e99999999999999999999", None),
            ("1e40", None),
            ("0.99999999999999999999", None),
            ("100000000000000000.3", None),
            ("100000000000000001.0", None),
            (&format!("1{zeros}e-100000"), Some(1)),
            (&format!("1{zeros}1e-100001"), None),
            (&format!("0.{zeros}1e100001"), Some(1)),
            (&format!("1e{zeros}2"), Some(100)),
            (&format!("1e-{}", "9".repeat(100_000)), None),
            (&format!("3.{zeros}"), Some(3)),
            (&format!("3.{zeros}1"), None),
        ] {
            let shown: String = text.chars().take(40).collect();
            assert_eq!(whole_number(text), expected, "{shown}");
            let is_whole = text.parse().ok().and_then(whole_float).is_some();
            assert_eq!(is_rounded_to_whole(text), is_whole && expected.is_none(), "{shown}");
        }
    }
}
