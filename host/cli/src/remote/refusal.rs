//! Errors of a server, as problems of the command: what is wrong, and what to do about it.

use std::time::Duration;

use hostel::ErrorKind;
use hostel_wire::{ProblemObject, printable};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::address::Address;
use crate::problem::Problem;

/// Why there is no usable answer to a request.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There is none, or not all of it.
    Lost(Problem),
    /// The server asks to come back after this time.
    Later(Problem, Duration),
    /// The server refuses the request.
    Refused(Refusal),
    /// What answers is not a Hostel server.
    Foreign(Problem),
}

/// An error that the server answers.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The name of the problem: `capability-change`.
    pub(crate) code: String,
    /// Members that only this problem has.
    pub(crate) more: Map<String, Json>,
    pub(crate) problem: Problem,
}

/// A problem, as a server answers it.
#[derive(Deserialize)]
struct Answered {
    #[serde(flatten)]
    object: ProblemObject,
    #[serde(default)]
    code: String,
    #[serde(flatten)]
    more: Map<String, Json>,
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost(problem) | Trouble::Later(problem, _) | Trouble::Foreign(problem) => problem,
            Trouble::Refused(refusal) => refusal.problem,
        }
    }
}

impl Refusal {
    /// Whether the server may be of another version, which does not have what the command asks for.
    pub(super) fn is_of_another_version(&self) -> bool {
        let detail = self.problem.to_string();
        ["no-route", "method-not-allowed"].contains(&self.code.as_str())
            || detail.contains("unknown member")
            || detail.contains("unknown query parameter")
    }
}

/// An answer that is no success. `body` is what could be read of it.
pub(super) fn refused(
    address: &Address,
    status: u16,
    content_type: &str,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Trouble {
    let is_problem = content_type.starts_with("application/problem+json");
    if is_problem && body.is_empty() {
        // The answer to a request for the head alone.
        let problem = Problem::new(kind("", status), format!("the server answers status {status}"));
        return Trouble::Refused(Refusal { status, code: String::new(), more: Map::new(), problem });
    }
    let Some(answered) = is_problem.then(|| serde_json::from_slice::<Answered>(body).ok()).flatten() else {
        return Trouble::Foreign(foreign(address, status, content_type));
    };
    let Answered { mut object, code, more } = answered;
    let kind = kind(&object.kind, status);
    if status == 401 {
        // They are for other programs: where to send the token.
        object.hints.clear();
    }
    object.hints.iter_mut().for_each(|hint| *hint = of_command(hint));
    let hint = hint(address, status, &code, &more);
    let problem = Problem::from_object(kind, object).hints_of(hint);
    match retry_after {
        Some(after) if matches!(status, 429 | 503) => {
            Trouble::Later(problem.hint(format!("try again in {} s", after.as_secs().max(1))), after)
        }
        Some(_) | None => Trouble::Refused(Refusal { status, code, more, problem }),
    }
}

/// Something that answers, but not like a Hostel server.
pub(super) fn foreign(address: &Address, status: u16, content_type: &str) -> Problem {
    let base = &address.base;
    let content = if content_type.is_empty() { "no content" } else { content_type };
    let problem =
        format!("{base} did not answer like a Hostel server: status {status}, {}", printable(content));
    let problem = Problem::new(ErrorKind::Unavailable, problem)
        .hint("is the address right, does the server run, and does a proxy before it pass on /api/v1?");
    // Many TLS servers answer plain HTTP this way.
    if status == 400 && base.scheme() == "http" { problem.hint(address.other_scheme()) } else { problem }
}

fn kind(name: &str, status: u16) -> ErrorKind {
    const KINDS: [(&str, ErrorKind); 7] = [
        ("invalid", ErrorKind::Invalid),
        ("not-found", ErrorKind::NotFound),
        ("conflict", ErrorKind::Conflict),
        ("denied", ErrorKind::Denied),
        ("exhausted", ErrorKind::Exhausted),
        ("unavailable", ErrorKind::Unavailable),
        ("internal", ErrorKind::Internal),
    ];
    let of_status = match status {
        404 => ErrorKind::NotFound,
        401 | 403 => ErrorKind::Denied,
        500.. => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    KINDS.into_iter().find(|(known, _)| *known == name).map_or(of_status, |(_, kind)| kind)
}

/// A hint of the server in words of the command line, if it speaks of a request for which there is a command or an option.
fn of_command(hint: &str) -> String {
    const WORDS: [(&str, &str); 4] = [
        ("GET /api/v1/runs lists", "hostel runs ls lists"),
        (
            "GET /api/v1/components lists components, GET /api/v1/names names",
            "hostel components ls lists components",
        ),
        ("GET /api/v1/schedules lists", "hostel schedule ls lists"),
        (
            "choose another id, or send the same request again",
            "choose another --id, or repeat the same command",
        ),
    ];
    if let Some((of_api, rest)) = hint.split_once("PUT /api/v1/names/")
        && let Some((name, rest)) = rest.split_once("/versions/")
        && let Some(version) = rest.strip_suffix(" with accept_capabilities")
    {
        return format!("{of_api}hostel components accept {name}@{version}");
    }
    WORDS.into_iter().fold(hint.to_owned(), |hint, (of_api, of_command)| hint.replace(of_api, of_command))
}

/// What to do about a refusal, where the server cannot know it.
fn hint(address: &Address, status: u16, code: &str, more: &Map<String, Json>) -> Option<String> {
    let place = &address.token.place;
    match (status, code) {
        (401, _) => Some(format!("the token comes from {place}: does it belong to this server?")),
        (_, "missing-scope") => {
            let scope = more.get("scope").and_then(Json::as_str).unwrap_or("that it needs");
            Some(format!(
                "the token from {place} lacks the scope {scope}: set HOSTEL_TOKEN to one that has it"
            ))
        }
        (421, _) => Some(format!("use one of these names in place of {}", address.base)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_of_the_api_names_a_command() {
        let check = |hint: &str, expected: &str| assert_eq!(of_command(hint), expected);
        check(
            "accept what it asks for: PUT /api/v1/names/acme.math/versions/1.0.0 with accept_capabilities",
            "accept what it asks for: hostel components accept acme.math@1.0.0",
        );
        check("it was removed; GET /api/v1/runs lists runs", "it was removed; hostel runs ls lists runs");
        check("GET /api/v1/info has all limits", "GET /api/v1/info has all limits");
    }
}
