//! The trace that a request belongs to: its header `traceparent`, as W3C Trace Context has it.

use hostel::journal::TraceParent;
use http::HeaderMap;

/// The trace of a request, and its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestTrace(pub(crate) Option<TraceParent>);

impl RequestTrace {
    /// What the header says. It is as if there were none if there are several, or one that cannot be read: the specification asks for
    /// that, because the header may be from any of the programs on the way.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all("traceparent").iter();
        let only = values.next().filter(|_| values.next().is_none());
        Self(only.and_then(|value| value.to_str().ok()?.parse().ok()))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn appended(mut headers: HeaderMap, value: &'static str) -> HeaderMap {
        headers.append("traceparent", HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn a_header_counts_if_there_is_one_that_can_be_read() {
        let of = |values: &[&'static str]| {
            RequestTrace::of(&values.iter().copied().fold(HeaderMap::new(), appended))
        };
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(of(&[valid]), RequestTrace(valid.parse().ok()));
        assert_eq!([of(&[]), of(&["00-x"]), of(&[valid, valid])], [RequestTrace(None); 3]);
    }
}
