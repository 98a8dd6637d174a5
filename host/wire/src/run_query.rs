//! Filters of runs as text: one grammar for the command line, the API and the dashboard.

use std::time::Duration;

use hostel::{
    Digest, ErrorKind, ExportPath, InputFilter, QueueName, RunFilter, State, StateType, Tag, Timestamp,
    check_tag, grammar,
};

/// The keys of a filter, in the order of the documentation.
const KEYS: [&str; 10] =
    ["state", "task", "tag", "queue", "schedule", "name", "error", "in", "since", "until"];

/// A text that is no filter of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunQueryError {
    text: String,
}

impl std::fmt::Display for RunQueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for RunQueryError {}

impl RunQueryError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    fn value(key: &str, value: &str, expected: &str) -> Self {
        Self::new(format!("{key}:{value:?}: expected {expected}"))
    }
}

/// The maximum length of a filter, in bytes. Each of its words is compared with each run.
const MAX_BYTES: usize = 16 << 10;

/// Reads a filter: words such as `state:failed,crashed tag:nightly since:1h name:"two words"`, all of which a run must match. An
/// empty text matches all runs.
///
/// - `state:` states or types of states by their names in any case, joined by commas; also `unfinished`, and `attention` for
///   runs that ended badly and that nobody has marked as seen.
/// - `task:` `sha256:HEX#EXPORT`, `sha256:HEX` for all tasks of a component, or `EXPORT` for this export of any component.
/// - `tag:`, `queue:`, `schedule:` by their names. Several tags must all be there.
/// - `name:`, `error:` a part of the run's name, or of the line that says what went wrong.
/// - `in:NAME=VALUE` an input, by the name of the parameter or its place counted from 0, or a part of it: `in:config.rate=3`. Several
///   conditions must all hold.
/// - `since:`, `until:` when the run was submitted: a time ago such as `90s`, `1h` or `7d`, a date in UTC such as `2026-11-29`, or an
///   instant such as `2026-11-29T08:00:00Z`.
///
/// ```
/// # use hostel::{RunFilter, State, Timestamp};
/// # use hostel_wire::run_filter;
/// let now = Timestamp::from_unix_nanos(0);
/// let filter = run_filter("state:timedout tag:nightly", now)?;
/// assert_eq!(filter, RunFilter::new().states([State::TimedOut]).tag("nightly"));
/// # Ok::<(), hostel_wire::RunQueryError>(())
/// ```
///
/// # Errors
///
/// [`RunQueryError`] for an unknown key, a value that is none, a word without a key, and more than 16 KiB of text.
pub fn run_filter(text: &str, now: Timestamp) -> Result<RunFilter, RunQueryError> {
    if text.len() > MAX_BYTES {
        let problem = format!("the filter has {} bytes: expected at most {MAX_BYTES}", text.len());
        return Err(RunQueryError::new(problem));
    }
    let mut filter = RunFilter::new();
    let mut given: Vec<String> = Vec::new();
    for word in words(text)? {
        let Some((key, value)) = word.split_once(':') else {
            let problem = format!("{word:?}: expected KEY:VALUE, where KEY is one of {}", KEYS.join(", "));
            return Err(RunQueryError::new(problem));
        };
        if !["tag", "in"].contains(&key) && given.iter().any(|given| given == key) {
            return Err(RunQueryError::new(format!("{key} is given twice: expected it once")));
        }
        filter = add(filter, key, value, now)?;
        given.push(key.to_owned());
    }
    Ok(filter)
}

fn add(filter: RunFilter, key: &str, value: &str, now: Timestamp) -> Result<RunFilter, RunQueryError> {
    if value.is_empty() {
        return Err(RunQueryError::new(format!("{key}: expected a value after the colon")));
    }
    match key {
        "state" if value.eq_ignore_ascii_case("attention") => Ok(filter.needs_attention()),
        "state" => Ok(filter.states(states(value)?)),
        "task" => task(filter, value),
        "tag" => {
            let tag = Tag::from(value);
            check_tag(&tag).map_err(|error| RunQueryError::new(error.to_string()))?;
            Ok(filter.tag(tag))
        }
        "queue" => {
            let queue = value.parse::<QueueName>().map_err(|error| RunQueryError::new(error.to_string()))?;
            Ok(filter.queue(queue))
        }
        "schedule" => Ok(filter.schedule(value)),
        "name" => Ok(filter.name(value)),
        "error" => Ok(filter.error(value)),
        "in" => {
            let input =
                value.parse::<InputFilter>().map_err(|error| RunQueryError::new(format!("in:{error}")))?;
            Ok(filter.input(input))
        }
        "since" => Ok(filter.since(time(key, value, now)?)),
        "until" => Ok(filter.until(time(key, value, now)?)),
        _ => Err(RunQueryError::new(format!("unknown key {key:?}: expected one of {}", KEYS.join(", ")))),
    }
}

fn states(text: &str) -> Result<Vec<State>, RunQueryError> {
    let mut states = Vec::new();
    for name in text.split(',').map(str::trim) {
        let of_name: Vec<State> = match name.to_ascii_lowercase().as_str() {
            "unfinished" => State::ALL.into_iter().filter(|state| !state.is_terminal()).collect(),
            _ => named(name),
        };
        if of_name.is_empty() {
            let all: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
            let expected = format!("{}, unfinished, or attention alone", all.join(", "));
            return Err(RunQueryError::value("state", name, &expected));
        }
        states.extend(of_name);
    }
    Ok(states)
}

/// The state of this name, or the states of the type of this name. A name that is both, such as `Failed`, is the type: someone who
/// asks for failed runs wants those that timed out too. A state alone is meant by `Failed!`.
fn named(name: &str) -> Vec<State> {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let exact = name.strip_suffix('!');
    let of_type = State::ALL.into_iter().filter(|state| exact.is_none() && is(type_name(state.state_type())));
    let of_type: Vec<State> = of_type.collect();
    if !of_type.is_empty() {
        return of_type;
    }
    let name = exact.unwrap_or(name);
    State::ALL.into_iter().filter(|state| name.eq_ignore_ascii_case(state.name())).collect()
}

const fn type_name(of: StateType) -> &'static str {
    match of {
        StateType::Scheduled => "Scheduled",
        StateType::Pending => "Pending",
        StateType::Running => "Running",
        StateType::Cancelling => "Cancelling",
        StateType::Completed => "Completed",
        StateType::Failed => "Failed",
        StateType::Crashed => "Crashed",
        StateType::Cancelled => "Cancelled",
    }
}

fn task(filter: RunFilter, value: &str) -> Result<RunFilter, RunQueryError> {
    let (component, export) = match value.split_once('#') {
        Some((component, export)) => (Some(component), Some(export)),
        None if value.starts_with("sha256:") => (Some(value), None),
        None => (None, Some(value)),
    };
    let component = component.filter(|component| !component.is_empty());
    let component = component.map(|component| component.parse::<Digest>()).transpose();
    let component = component.map_err(|error| RunQueryError::new(format!("task: {error}")))?;
    let filter = component.map_or(filter.clone(), |component| filter.component(component));
    Ok(export.map_or(filter.clone(), |export| filter.export(export_path(export))))
}

/// A full path such as `acme:math/ops@1.0.0.add`, or the name of a function of the component itself.
fn export_path(text: &str) -> ExportPath {
    match text.rsplit_once('.').filter(|(interface, _)| interface.contains('/')) {
        Some((interface, function)) => ExportPath::in_interface(interface, function),
        None => ExportPath::top_level(text),
    }
}

fn time(key: &str, value: &str, now: Timestamp) -> Result<Timestamp, RunQueryError> {
    let expected =
        "a time ago such as 1h, a date such as 2026-11-29, or an instant such as 2026-11-29T08:00:00Z";
    if let Ok(ago) = grammar::age(value) {
        return Ok(before(now, ago));
    }
    let instant = value.parse::<jiff::Timestamp>().ok().or_else(|| {
        let date = value.parse::<jiff::civil::Date>().ok()?;
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    });
    let nanos = instant.and_then(|instant| u64::try_from(instant.as_nanosecond()).ok());
    nanos.map(Timestamp::from_unix_nanos).ok_or_else(|| RunQueryError::value(key, value, expected))
}

fn before(now: Timestamp, ago: Duration) -> Timestamp {
    let ago = u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_unix_nanos(now.unix_nanos().saturating_sub(ago))
}

/// The words of a text. Double quotes keep blanks together; a backslash before a quote or a backslash means the character itself.
fn words(text: &str) -> Result<Vec<String>, RunQueryError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            '\\' if matches!(chars.peek(), Some('"' | '\\')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            blank if blank.is_whitespace() && !is_quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    if is_quoted {
        return Err(RunQueryError::new(format!("{text:?}: expected a closing quote")));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_nanos(1_795_274_521_000_000_000);

    fn read(text: &str) -> Result<RunFilter, String> {
        run_filter(text, NOW).map_err(|error| error.to_string())
    }

    #[test]
    fn a_filter_has_a_longest_text() {
        let blanks = " ".repeat(MAX_BYTES);
        assert_eq!(read(&blanks), Ok(RunFilter::new()));
        let error = read(&format!("{blanks} ")).unwrap_err();
        assert_eq!(error, "the filter has 16385 bytes: expected at most 16384");
    }

    #[test]
    fn every_key_is_read() {
        let digest = Digest::of(b"x");
        let ago = |seconds: u64| Timestamp::from_unix_nanos(NOW.unix_nanos() - seconds * 1_000_000_000);
        let all = RunFilter::new;
        assert_eq!(read(""), Ok(all()));
        assert_eq!(read("  tag:a   tag:b "), Ok(all().tag("a").tag("b")));
        assert_eq!(read("state:timedout,PENDING!"), Ok(all().states([State::TimedOut, State::Pending])));
        let failed = [State::Failed, State::TimedOut, State::UpstreamFailed];
        assert_eq!(read("state:failed"), Ok(all().states(failed)));
        assert_eq!(read("state:Failed!"), Ok(all().states([State::Failed])));
        assert_eq!(read("state:attention"), Ok(all().needs_attention()));
        let unfinished = State::ALL.into_iter().filter(|state| !state.is_terminal());
        assert_eq!(read("state:unfinished"), Ok(all().states(unfinished)));
        assert_eq!(read(&format!("task:{digest}")), Ok(all().component(digest)));
        let ops = ExportPath::in_interface("acme:math/ops@1.0.0", "add");
        assert_eq!(read(&format!("task:{digest}#{ops}")), Ok(all().component(digest).export(ops.clone())));
        assert_eq!(read(&format!("task:{ops}")), Ok(all().export(ops)));
        assert_eq!(read("queue:mail"), Ok(all().queue("mail".parse().unwrap())));
        assert_eq!(
            read("schedule:nightly name:\"two words\""),
            Ok(all().schedule("nightly").name("two words"))
        );
        assert_eq!(read(r#"error:"a \"b\" \\""#), Ok(all().error(r#"a "b" \"#)));
        assert_eq!(read("since:1h until:90s"), Ok(all().since(ago(3_600)).until(ago(90))));
        let inputs = all().input("a.b=two words".parse().unwrap()).input("0=3".parse().unwrap());
        assert_eq!(read("in:\"a.b=two words\" in:0=3"), Ok(inputs));
        let date = Timestamp::from_unix_nanos(1_795_219_200_000_000_000);
        assert_eq!(read("since:2026-11-21"), Ok(all().since(date)));
        assert_eq!(read("until:2026-11-21T00:00:00Z"), Ok(all().until(date)));
    }

    #[test]
    fn what_is_no_filter_is_refused_with_the_place() {
        let check = |text: &str, expected: &str| {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("failed", "\"failed\": expected KEY:VALUE");
        check("colour:red", "unknown key \"colour\": expected one of state, task");
        check("state:broken", "state:\"broken\": expected Scheduled, ");
        check("state:", "state: expected a value");
        check("queue:Mail", "invalid queue name \"Mail\"");
        check("since:yesterday", "since:\"yesterday\": expected a time ago");
        check("since:1h since:2h", "since is given twice");
        check("name:\"open", "expected a closing quote");
        check("task:sha256:12", "task: ");
        check("tag:a,b", "tag");
        check("in:rate", "in:\"rate\": expected NAME=VALUE such as city=Berlin");
    }
}
