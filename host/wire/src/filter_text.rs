//! Filters of runs back as text.

use hostel::RunFilter;

use crate::time::instant;

/// A filter as text, which [`run_filter`](crate::run_filter) reads as the same filter. Times ago have become instants, and types of
/// states their states.
///
/// ```
/// # use hostel::{RunFilter, State};
/// # use hostel_wire::filter_text;
/// let filter = RunFilter::new().states([State::TimedOut]).name("two words");
/// assert_eq!(filter_text(&filter), r#"state:TimedOut! name:"two words""#);
/// ```
pub fn filter_text(filter: &RunFilter) -> String {
    let states = filter
        .wanted_states()
        .map(|states| states.iter().map(|state| format!("{}!", state.name())).collect::<Vec<_>>().join(","));
    let component = filter.wanted_component().map(|component| component.to_string());
    let export = filter.wanted_export().map(|export| export.to_string());
    let task = match (component, export) {
        (Some(component), Some(export)) => Some(format!("{component}#{export}")),
        (component, export) => component.or(export),
    };
    let (since, until) = filter.wanted_times();
    let tags = filter.wanted_tags().iter().map(|tag| ("tag", Some(tag.to_string())));
    let words = [
        ("state", states),
        ("state", filter.wants_attention().then(|| "attention".to_owned())),
        ("task", task),
        ("queue", filter.wanted_queue().map(ToString::to_string)),
        ("schedule", filter.wanted_schedule().map(str::to_owned)),
        ("name", filter.wanted_name().map(str::to_owned)),
        ("error", filter.wanted_error().map(str::to_owned)),
        ("since", since.map(instant)),
        ("until", until.map(instant)),
    ];
    let inputs = filter.wanted_inputs().iter().map(|input| ("in", Some(input.to_string())));
    let words = words.into_iter().chain(tags).chain(inputs);
    words.filter_map(|(key, value)| Some(filter_word(key, &value?))).collect::<Vec<_>>().join(" ")
}

/// A word of a filter, whatever characters its value has.
pub fn filter_word(key: &str, value: &str) -> String {
    let is_plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || "\"\\".contains(c));
    if is_plain {
        return format!("{key}:{value}");
    }
    format!("{key}:\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use hostel::{State, Timestamp};

    use super::*;
    use crate::run_filter;

    #[test]
    fn a_filter_is_read_back_as_it_was() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let texts = [
            String::new(),
            "state:failed,crashed tag:nightly tag:\"a b\" queue:mail schedule:x".to_owned(),
            "state:attention error:\"a \\\"b\\\" \\\\ c\" name:ä".to_owned(),
            "state:Failed! task:add".to_owned(),
            format!("task:{digest}#acme:math/ops@1.0.0.add since:1h until:2026-11-29"),
            format!("task:{digest} state:unfinished"),
            "state:failed in:a.b=3 in:\"0=two words\" in:c=\"x\\\"y\"".to_owned(),
        ];
        let now = Timestamp::from_unix_nanos(1_795_274_521_500_000_000);
        for text in texts {
            let filter = run_filter(&text, now).unwrap();
            let again = filter_text(&filter);
            assert_eq!(run_filter(&again, now).unwrap(), filter, "{text}: {again}");
        }
    }

    #[test]
    fn each_state_is_one_of_its_own() {
        for state in State::ALL {
            let filter = RunFilter::new().states([state]);
            let now = Timestamp::from_unix_nanos(0);
            assert_eq!(run_filter(&filter_text(&filter), now).unwrap(), filter);
        }
    }
}
