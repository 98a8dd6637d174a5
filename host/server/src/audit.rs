//! A line about each request that may change something.

use std::fmt;
use std::sync::Arc;

/// A request that may have changed something, after its answer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Change<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// The name of the token; `None` if there was none.
    pub token: Option<&'a str>,
    /// The method.
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// The id of the trace that its header `traceparent` names, as 32 hexadecimal digits.
    pub trace_id: Option<&'a str>,
}

type OnChange = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// Where changes are reported.
#[derive(Clone, Default)]
pub(crate) struct Audit(Option<OnChange>);

impl Audit {
    pub(crate) fn new(on_change: impl Fn(&Change<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(on_change)))
    }

    pub(crate) fn report(&self, change: &Change<'_>) {
        let token = change.token.unwrap_or("-");
        tracing::info!(
            request_id = change.request_id,
            token,
            trace_id = change.trace_id,
            "{} {} {}",
            change.method,
            change.path,
            change.status
        );
        self.0.iter().for_each(|on_change| on_change(change));
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Audit").field(&self.0.is_some()).finish()
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_id, token, method, path, status, trace_id } = self;
        write!(f, "{method} {path} {status} token={} request={request_id}", token.unwrap_or("-"))?;
        trace_id.map_or(Ok(()), |trace| write!(f, " trace={trace}"))
    }
}
