//! Requests to a server.

use reqwest::Method;
use serde::Serialize;
use url::Url;

/// A request: what to do with a resource of the API.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(super) method: Method,
    /// The parts of the path below `/api/v1`, without escapes.
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    /// The query of a page's `next`, which replaces the other.
    page: Option<String>,
    pub(super) body: Option<(&'static str, bytes::Bytes)>,
    /// The feature of the server that it needs.
    pub(super) feature: &'static str,
    /// Whether a repetition does no more than the first one.
    pub(super) is_repeatable: bool,
}

impl Request {
    fn new(method: Method, segments: &[&str], is_repeatable: bool) -> Self {
        Self {
            method,
            segments: segments.iter().map(|segment| (*segment).to_owned()).collect(),
            query: Vec::new(),
            page: None,
            body: None,
            feature: segments.first().map_or("", |first| feature(first)),
            is_repeatable,
        }
    }

    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments, true)
    }

    pub(crate) fn head(segments: &[&str]) -> Self {
        Self::new(Method::HEAD, segments, true)
    }

    pub(crate) fn put(segments: &[&str]) -> Self {
        Self::new(Method::PUT, segments, true)
    }

    pub(crate) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments, false)
    }

    pub(crate) fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, segments, false)
    }

    /// The same, although it is a `POST`: a repetition does no more than the first one.
    #[must_use]
    pub(crate) fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    #[must_use]
    pub(crate) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    #[must_use]
    pub(crate) fn json(self, body: &impl Serialize) -> Self {
        // Cannot fail: all keys are texts.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { body: Some(("application/json", body.into())), ..self }
    }

    #[must_use]
    pub(crate) fn wasm(self, body: Vec<u8>) -> Self {
        self.content("application/wasm", body)
    }

    #[must_use]
    pub(crate) fn content(self, media_type: &'static str, body: Vec<u8>) -> Self {
        Self { body: Some((media_type, body.into())), ..self }
    }

    /// The request for the next page, from the address that a page names.
    pub(super) fn at(&self, next: &str) -> Self {
        let query = next.split_once('?').map_or("", |(_, query)| query);
        Self { page: Some(query.to_owned()), ..self.clone() }
    }

    /// Its address at a server.
    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(&self.segments);
        }
        if let Some(query) = &self.page {
            url.set_query(Some(query));
        } else if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

/// The feature in `/info` to which a resource belongs. It has the same name.
fn feature(resource: &str) -> &'static str {
    const FEATURES: [&str; 9] =
        ["components", "names", "tasks", "runs", "schedules", "cache", "events", "maps", "batches"];
    FEATURES.into_iter().find(|name| *name == resource).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address_are_escaped() {
        let base = Url::parse("https://a.b/hostel/").unwrap();
        let request = Request::get(&["tasks", "acme.math#add/x?"]).query("q", "state:failed a&b");
        let expected = "https://a.b/hostel/api/v1/tasks/acme.math%23add%2Fx%3F?q=state%3Afailed+a%26b";
        assert_eq!(request.url(&base).as_str(), expected);
        let next = request.at("/api/v1/runs?before=7&limit=2");
        assert!(next.url(&base).as_str().ends_with("?before=7&limit=2"));
        assert_eq!(
            Request::get(&["info"]).url(&Url::parse("http://c:1").unwrap()).as_str(),
            "http://c:1/api/v1/info"
        );
    }
}
