//! Where spans are sent, and which.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use hostel::ErrorKind;
use http::{HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use reqwest::redirect::Policy;
use url::{Host, Url};

/// Where and how a server sends spans of runs and requests: by OTLP over HTTP, as protobuf.
///
/// ```
/// use std::time::Duration;
/// use hostel_server::{Settings, TraceExport};
///
/// let mut settings = Settings::default();
/// let export = TraceExport::new("http://127.0.0.1:4318/v1/traces")?;
/// settings.traces = Some(export.service_name("tasks").timeout(Duration::from_secs(3)));
/// # Ok::<(), hostel_server::TraceExportError>(())
/// ```
///
/// The library that sends them also reads headers from the environment variables `OTEL_EXPORTER_OTLP_TRACES_HEADERS` and
/// `OTEL_EXPORTER_OTLP_HEADERS`.
#[derive(Clone)]
pub struct TraceExport {
    endpoint: Url,
    headers: HashMap<HeaderName, HeaderValue>,
    timeout: Duration,
    service_name: String,
    attributes: Vec<(String, String)>,
    sampling: TraceSampling,
}

/// Which traces are exported. The default is those that others have begun and record, and all that begin here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceSampling {
    /// Whether the `traceparent` of a request decides for its trace. If not, `ratio` holds for it, too.
    pub follows_parent: bool,
    /// The part of the other traces that is exported, from 0 to 1. It is chosen by the trace's id.
    pub ratio: f64,
}

/// Spans cannot be sent so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceExportError {
    /// The address of the collector.
    #[error("invalid address {endpoint} of a collector: {problem}")]
    Endpoint {
        /// The address, in quotation marks; without its text if that may have a password.
        endpoint: String,
        /// What was expected.
        problem: &'static str,
    },
    /// A header. Its value is not shown: it may be a secret.
    #[error(
        "invalid header {name:?}: expected a name of HTTP, and a value of visible ASCII characters (not shown here)"
    )]
    Header {
        /// Its name.
        name: String,
    },
    /// The client for HTTP.
    #[error("no client for HTTP: {0}")]
    Client(#[from] reqwest::Error),
    /// The library that sends spans.
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
}

impl TraceExportError {
    /// The kind of the error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Endpoint { .. } | Self::Header { .. } | Self::Exporter(_) => ErrorKind::Invalid,
            Self::Client(_) => ErrorKind::Internal,
        }
    }
}

impl Default for TraceSampling {
    fn default() -> Self {
        Self { follows_parent: true, ratio: 1.0 }
    }
}

impl TraceExport {
    /// How long the collector has for each request, if nothing else is set.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

    /// The collector at this address, which includes the path: `http://127.0.0.1:4318/v1/traces`.
    ///
    /// # Errors
    ///
    /// [`TraceExportError::Endpoint`] for anything but an address of HTTP or HTTPS, and for one with a user name or a password.
    pub fn new(endpoint: &str) -> Result<Self, TraceExportError> {
        let refused = |problem| {
            // What is before the `@` may be a password.
            let is_secret = endpoint.contains('@');
            let endpoint = if is_secret { "(not shown)".to_owned() } else { format!("{endpoint:?}") };
            TraceExportError::Endpoint { endpoint, problem }
        };
        let expected = "expected one such as http://127.0.0.1:4318";
        let url = Url::parse(endpoint).map_err(|_| refused(expected))?;
        if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
            return Err(refused(expected));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("expected one without a user name and a password, which belong in a header"));
        }
        Ok(Self {
            endpoint: url,
            headers: HashMap::new(),
            timeout: Self::DEFAULT_TIMEOUT,
            service_name: "hostel".to_owned(),
            attributes: Vec::new(),
            sampling: TraceSampling::default(),
        })
    }

    /// Adds a header to each request, such as a token for the collector.
    ///
    /// # Errors
    ///
    /// [`TraceExportError::Header`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, TraceExportError> {
        let header = name.parse::<HeaderName>().ok().zip(value.parse::<HeaderValue>().ok());
        let (name, value) = header.ok_or_else(|| TraceExportError::Header { name: name.to_owned() })?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sets how long the collector has to take spans, with all tries. Spans that it has not taken then are dropped.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the name of the service, `service.name`. Default: `hostel`.
    #[must_use]
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = name.into();
        self
    }

    /// Adds an attribute of the service, such as `deployment.environment.name`.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Sets which traces are exported.
    #[must_use]
    pub const fn sampling(mut self, sampling: TraceSampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// How long the collector has.
    pub(super) const fn time(&self) -> Duration {
        self.timeout
    }

    /// Which traces are exported.
    pub(super) const fn which(&self) -> TraceSampling {
        self.sampling
    }

    /// What sends spans.
    pub(super) fn exporter(&self) -> Result<SpanExporter, TraceExportError> {
        let headers = self
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(self.endpoint.as_str())
            .with_timeout(self.timeout)
            .with_headers(headers.collect())
            .with_http_client(self.client()?)
            .build()?;
        let own = [
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.name", self.service_name.clone()),
        ];
        let attributes =
            self.attributes.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        // The last one of a name counts.
        let [version, name] = own;
        let attributes = [version].into_iter().chain(attributes).chain([name]);
        exporter.set_resource(&Resource::builder_empty().with_attributes(attributes).build());
        Ok(exporter)
    }

    fn client(&self) -> Result<reqwest::Client, reqwest::Error> {
        // If it fails, there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Headers may have a token, which is for this address alone.
        let http = reqwest::Client::builder().redirect(Policy::none()).timeout(self.timeout);
        let is_local = match self.endpoint.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let http = if is_local { http.no_proxy() } else { http };
        // Without TLS there is no need to read the certificates of the system.
        let http = if self.endpoint.scheme() == "http" { http.tls_certs_only([]) } else { http };
        http.build()
    }
}

impl fmt::Debug for TraceExport {
    /// Without the values of headers, which may be secrets, and without the query of the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut endpoint = self.endpoint.clone();
        endpoint.set_query(None);
        f.debug_struct("TraceExport")
            .field("endpoint", &endpoint.as_str())
            .field("headers", &self.headers.keys())
            .field("timeout", &self.timeout)
            .field("service_name", &self.service_name)
            .field("attributes", &self.attributes)
            .field("sampling", &self.sampling)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_without_passwords() {
        let check = |endpoint: &str, expected: &str| {
            let error = TraceExport::new(endpoint).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        for wrong in ["", "collector:4318", "localhost", "ftp://collector", "http://", "/v1/traces"] {
            let expected = format!(
                "invalid address {wrong:?} of a collector: expected one such as http://127.0.0.1:4318"
            );
            check(wrong, &expected);
        }
        check(
            "http://me:hunter2@collector/v1/traces",
            "invalid address (not shown) of a collector: expected one without a user name and a password, which belong \
             in a header",
        );
        check(
            "me:hunter2@collector",
            "invalid address (not shown) of a collector: expected one such as http://127.0.0.1:4318",
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let export = TraceExport::new("https://collector.example/v1/traces?key=hunter2").unwrap();
        let export = export.header("x-token", "hunter3").unwrap();
        assert!(export.exporter().is_ok());
        let text = format!("{export:?}");
        assert!(
            text.contains("x-token") && text.contains("collector.example") && !text.contains("hunter"),
            "{text}"
        );
        let error = export.header("x\n", "hunter4").unwrap_err().to_string();
        assert!(error.contains(r#""x\n""#) && !error.contains("hunter"), "{error}");
    }
}
