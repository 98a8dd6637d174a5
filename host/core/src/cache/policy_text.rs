//! Cache policies as text: `auto - input:debug`, `inputs + key:"{user} on {day}"`.

use crate::value::excerpt;
use crate::{CachePolicy, Name, ParsePolicyError, UnknownName};

/// An error in a text, and the byte of its position.
type Problem = (usize, String);

/// A term between two signs.
enum Term {
    Facts(CachePolicy),
    Input(Name),
}

/// Whether a term is added or removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

/// The maximum length of a policy's text, in bytes: enough for the longest template, and many inputs that are left out.
const MAX_BYTES: usize = 16 << 10;

/// Parses a policy.
pub(super) fn parse(text: &str) -> Result<CachePolicy, ParsePolicyError> {
    if text.len() > MAX_BYTES {
        let problem = format!("the policy has {} bytes: expected at most {MAX_BYTES}", text.len());
        return Err(ParsePolicyError { policy: excerpt(text), column: 1, problem });
    }
    read(text).map_err(|(at, problem)| {
        let column = text.get(..at).unwrap_or(text).chars().count() + 1;
        ParsePolicyError { policy: text.to_owned(), column, problem }
    })
}

/// The user's template in the text of a policy.
pub(super) fn quoted_key(template: &str) -> String {
    format!("key:\"{}\"", template.replace('\\', "\\\\").replace('"', "\\\""))
}

fn read(text: &str) -> Result<CachePolicy, Problem> {
    let mut policy = CachePolicy::NONE;
    let mut at = 0;
    let mut sign = Sign::Plus;
    loop {
        at += blanks(text, at);
        let (term, end) = term(text, at, sign)?;
        policy = match (term, sign) {
            (Term::Facts(facts), Sign::Plus) if policy.has_key() && facts.has_key() => {
                return Err((at, "there is already a key, and a policy can have only one".to_owned()));
            }
            (Term::Facts(facts), Sign::Plus) => policy + facts,
            (Term::Facts(facts), Sign::Minus) => policy - facts,
            (Term::Input(name), _) => policy.without([name]),
        };
        let Some((next, after)) = next_sign(text, end)? else {
            return Ok(policy);
        };
        (sign, at) = (next, after);
    }
}

/// The sign at `at`, and its end; `None` at the end of the text.
fn next_sign(text: &str, at: usize) -> Result<Option<(Sign, usize)>, Problem> {
    let at = at + blanks(text, at);
    let rest = text.get(at..).unwrap_or_default();
    let sign = match rest.chars().next() {
        None => return Ok(None),
        Some('+') => Sign::Plus,
        Some('-') if rest.get(1..).is_none_or(|rest| rest.is_empty() || rest.starts_with(' ')) => Sign::Minus,
        Some('-') => {
            return Err((at, "a `-` needs blanks around it, as in `inputs - input:debug`".to_owned()));
        }
        Some(_) => return Err((at, format!("expected `+` or `-`, found `{}`", excerpt(rest)))),
    };
    Ok(Some((sign, at + 1)))
}

/// The term that begins at `at`, and its end.
fn term(text: &str, at: usize, sign: Sign) -> Result<(Term, usize), Problem> {
    let rest = text.get(at..).unwrap_or_default();
    if rest.starts_with("key:") {
        let (template, length) =
            quoted(rest.get(4..).unwrap_or_default()).map_err(|problem| (at + 4, problem))?;
        return Ok((Term::Facts(CachePolicy::key(&template)), at + 4 + length));
    }
    let length = rest.find([' ', '+']).unwrap_or(rest.len());
    let word = rest.get(..length).unwrap_or_default();
    if let Some(name) = word.strip_prefix("input:") {
        return match (name, sign) {
            ("", _) => Err((at, "expected the name of an input after `input:`".to_owned())),
            (_, Sign::Plus) => Err((at, format!("`{word}` can only be removed: ` - {word}`"))),
            (name, Sign::Minus) => Ok((Term::Input(Name::from(name)), at + length)),
        };
    }
    let known = CachePolicy::words().find(|(known, _)| *known == word);
    match known {
        Some((_, facts)) => Ok((Term::Facts(facts), at + length)),
        None => Err((at, unknown(word))),
    }
}

fn unknown(word: &str) -> String {
    let known: Vec<_> = CachePolicy::words().map(|(word, _)| Name::from(word)).collect();
    let found = if word.is_empty() { "nothing".to_owned() } else { format!("`{}`", excerpt(word)) };
    let near = UnknownName::new("fact", word, &known);
    let meant = near.nearest().map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
    let known: String = known.iter().map(|word| format!("`{word}`, ")).collect();
    format!("expected {known}`key:\"TEMPLATE\"`, or after a `-` also `input:NAME`; found {found}{meant}")
}

/// The text between quotation marks at the beginning of `text`, and its length in bytes including the marks.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let mut characters = text.char_indices();
    if characters.next().is_none_or(|(_, first)| first != '"') {
        return Err("expected a template in quotation marks after `key:`".to_owned());
    }
    let mut template = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((template, at + 1)),
            '\\' => template.extend(characters.next().map(|(_, escaped)| escaped)),
            other => template.push(other),
        }
    }
    Err("the quotation mark is never closed".to_owned())
}

fn blanks(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.len() - rest.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_a_longest_text() {
        let policy = |inputs: usize| format!("inputs{}", " - input:a".repeat(inputs));
        assert_eq!(policy(1_600).parse(), Ok(CachePolicy::INPUTS - "a"));
        let error = policy(1_638).parse::<CachePolicy>().unwrap_err().to_string();
        assert!(
            error.ends_with("…`, column 1: the policy has 16386 bytes: expected at most 16384"),
            "{error}"
        );
        assert!(error.len() < 300, "{error}");
    }

    #[test]
    fn a_policy_is_read_and_written() {
        let check = |text: &str, policy: CachePolicy, written: &str| {
            assert_eq!(text.parse(), Ok(policy.clone()), "{text}");
            assert_eq!(policy.to_string(), written);
            assert_eq!(written.parse(), Ok(policy), "{written}");
        };
        check("none", CachePolicy::NONE, "none");
        for text in ["none + inputs", "inputs + none", "inputs - none", "none + none + inputs - task-source"]
        {
            check(text, CachePolicy::INPUTS, "inputs");
        }
        check("inputs - input:a + none", CachePolicy::INPUTS - "a", "inputs - input:a");
        check("auto - inputs - observed - task-source", CachePolicy::NONE, "none");
        check("inputs", CachePolicy::INPUTS, "inputs");
        let both = CachePolicy::INPUTS + CachePolicy::TASK_SOURCE;
        check("task-source+inputs", both.clone(), "inputs + task-source");
        check("inputs - input:log-level", CachePolicy::INPUTS - "log-level", "inputs - input:log-level");
        let text = "inputs + task-source - input:a - input:b";
        check("inputs - input:b + task-source - input:a - input:b", both.clone() - "b" - "a", text);
        check("auto", CachePolicy::AUTO, "auto");
        check("auto - input:a + default", CachePolicy::AUTO + CachePolicy::RUN_ID, "auto + run-id");
        check(
            "auto + default - input:a",
            CachePolicy::AUTO + CachePolicy::RUN_ID - "a",
            "auto + run-id - input:a",
        );
        check(
            "auto - input:a - inputs",
            CachePolicy::TASK_SOURCE + CachePolicy::OBSERVED,
            "task-source + observed",
        );
        check("inputs + observed + task-source", CachePolicy::AUTO, "auto");
        check("auto - auto - input:a", CachePolicy::NONE - "a", "inputs - inputs - input:a");
        check(
            "auto+run-id - input:a",
            CachePolicy::AUTO + CachePolicy::RUN_ID - "a",
            "auto + run-id - input:a",
        );
        check("default", CachePolicy::DEFAULT, "inputs + task-source + run-id");
        check("default - run-id", both, "inputs + task-source");
        let key = CachePolicy::key(r#"{a} + "b" \"#);
        check(r#" key:"{a} + \"b\" \\" "#, key.clone(), r#"key:"{a} + \"b\" \\""#);
        check(
            r#"key:"{a} + \"b\" \\"+flow-parameters"#,
            key + CachePolicy::FLOW_PARAMETERS,
            r#"flow-parameters + key:"{a} + \"b\" \\""#,
        );
    }

    #[test]
    fn an_error_tells_the_place() {
        let check = |text: &str, column: usize, problem: &str| {
            let error = text.parse::<CachePolicy>().unwrap_err().to_string();
            let place = format!("cache policy `{text}`, column {column}: ");
            let found = error.strip_prefix(&place).unwrap_or_else(|| panic!("{error}"));
            assert!(found.contains(problem), "{error}");
        };
        check("inputs + moon", 10, "found `moon`");
        check("", 1, "found nothing");
        check("inputs +", 9, "found nothing");
        check("inputs + imputs", 10, "found `imputs`, did you mean `inputs`?");
        check("inputs - debug", 10, "or after a `-` also `input:NAME`; found `debug`");
        check("inputs - input:", 10, "expected the name of an input");
        check("inputs -input:debug", 8, "a `-` needs blanks around it");
        check("inputs task-source", 8, "expected `+` or `-`, found `task-source`");
        check("inputs + input:a", 10, "`input:a` can only be removed: ` - input:a`");
        check("key:{a}", 5, "expected a template in quotation marks");
        check("é + key:\"{a}", 1, "found `é`");
        check("inputs + key:\"é\" x", 18, "found `x`");
        check("key:\"{a}", 5, "never closed");
        check("key:\"{a}\" + inputs + key:\"{b}\"", 22, "a policy can have only one");
        check("task-source-inputs", 1, "found `task-source-inputs`");
    }
}
