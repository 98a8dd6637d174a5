//! Durations as text.

use std::time::Duration;

/// A duration as text: `0.4 ms`, `12 ms`, `1.2 s`, `2 min 3 s`, `1 h 2 min`.
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration < Duration::from_millis(10) => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let check = |millis: f64, expected: &str| {
            assert_eq!(duration_text(Duration::from_secs_f64(millis / 1e3)), expected);
        };
        check(0.04, "0.0 ms");
        check(0.42, "0.4 ms");
        check(12.9, "12 ms");
        check(999.0, "999 ms");
        check(1_234.0, "1.2 s");
        check(123_000.0, "2 min 3 s");
        check(3_720_000.0, "1 h 2 min");
    }
}
