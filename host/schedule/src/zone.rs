//! Time zones by name, from the database that is compiled in: every process of one version of the host has the same rules.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use strsim::jaro_winkler;

use crate::TimetableError;

/// The longest name that is looked up, and the longest part of a wrong one that an error shows.
const MAX_CHARS: usize = 64;

/// How similar a name has to be to be suggested.
const SIMILAR: f64 = 0.85;

/// The names of all time zones, in no particular order.
pub fn zones() -> Vec<String> {
    TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect()
}

/// The time zone of this name, in upper or lower case.
pub(crate) fn find(name: &str) -> Result<TimeZone, TimetableError> {
    let found = TimeZoneDatabase::bundled().get(name).ok().filter(|_| name.len() <= MAX_CHARS);
    found.ok_or_else(|| {
        let zone: String = name.chars().take(MAX_CHARS).collect();
        let nearest = nearest(&zone);
        TimetableError::Zone { zone, nearest }
    })
}

fn nearest(name: &str) -> Option<String> {
    // "Berlin" is meant by somebody who leaves the continent out.
    let likeness = |zone: &String| {
        let city = zone.rsplit('/').next().unwrap_or(zone);
        jaro_winkler(zone, name).max(jaro_winkler(city, name))
    };
    let rated = zones().into_iter().map(|zone| (likeness(&zone), zone));
    let best = rated.max_by(|(one, one_name), (other, other_name)| {
        one.total_cmp(other).then_with(|| other_name.cmp(one_name))
    });
    best.filter(|(likeness, _)| *likeness >= SIMILAR).map(|(_, zone)| zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_answered_with_a_similar_one() {
        assert!(find("Europe/Berlin").is_ok() && find("utc").is_ok() && find("europe/berlin").is_ok());
        let check = |name: &str, expected: &str| assert_eq!(find(name).unwrap_err().to_string(), expected);
        check("Europe/Berln", "unknown time zone \"Europe/Berln\": did you mean \"Europe/Berlin\"?");
        check("Berlin", "unknown time zone \"Berlin\": did you mean \"Europe/Berlin\"?");
        let expected = "expected a name of the IANA time zone database, such as Europe/Berlin or UTC";
        for name in ["", "+01:00", "../../etc/passwd"] {
            check(name, &format!("unknown time zone {name:?}: {expected}"));
        }
        let long = "x".repeat(1_000_000);
        check(&long, &format!("unknown time zone {:?}: {expected}", &long[..MAX_CHARS]));
    }
}
