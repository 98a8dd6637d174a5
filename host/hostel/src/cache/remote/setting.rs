//! The settings of a remote cache: its location, and how long a run waits for it.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hostel_core::ErrorKind;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use super::http::BoundedConnector;

/// The expected form, for the error about an invalid URL.
const EXPECTED: &str =
    "expected s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///DIRECTORY";

/// The maximum time to establish a connection. Unreachable addresses are given up early.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Errors that object_store retries by itself: 5xx, throttling and broken connections, twice, after about 100 and 200
/// ms.
const REQUEST_RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 2.0,
    },
    max_retries: 2,
    retry_timeout: Duration::from_secs(10),
};

/// A cache outside this machine: a bucket, or a directory that machines share.
///
/// It is only a setting: nothing is requested until a host is built with it and looks up a result. If the remote cache
/// is unavailable, slow, damaged or forbidden, the host logs a warning and no run fails. Cheap to clone.
///
/// ```
/// # fn main() -> Result<(), hostel::RemoteCacheError> {
/// use hostel::{Host, RemoteCache};
///
/// let options = [("aws_region", "eu-central-1"), ("aws_access_key_id", "…"), ("aws_secret_access_key", "…")];
/// let cache = RemoteCache::from_url("s3://results/hostel", options)?;
/// let host = Host::builder().remote_cache(cache);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RemoteCache {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    pub(super) name: Arc<str>,
    pub(super) timeout: Duration,
    /// The local directory, if the URL names one.
    local_dir: Option<PathBuf>,
}

impl RemoteCache {
    /// The default of [`RemoteCache::timeout`].
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// A bucket or directory at `url`: `s3://BUCKET/PREFIX` (including S3-compatible services), `gs://BUCKET/PREFIX`,
    /// `az://CONTAINER/PREFIX` or `file:///DIRECTORY`. Reads the machine's root certificates, which takes some
    /// milliseconds, and makes no requests.
    ///
    /// `options` are names and values as defined by the crate `object_store` for that service, for example
    /// `aws_access_key_id`, `google_service_account` or `azure_storage_account_key`. A name in capitals is treated as
    /// an environment variable and ignored if the service does not know it, so all variables that begin with `AWS_`,
    /// `GOOGLE_` or `AZURE_` can be passed unfiltered. An endpoint that begins with `http://` allows HTTP without TLS.
    ///
    /// For HTTPS, the first call installs `ring` as the process's cryptography provider if the program has not chosen
    /// one. The first HTTPS request of a guest does the same.
    ///
    /// # Errors
    ///
    /// [`RemoteCacheError`] if the URL has another form, the service does not know an option, or a value is invalid.
    pub fn from_url<K, V>(
        url: &str,
        options: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, RemoteCacheError>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let parsed = parse(url)?;
        let unusable = |problem: String| RemoteCacheError::Url { url: url.to_owned(), problem };
        let (scheme, prefix) =
            ObjectStoreScheme::parse(&parsed).map_err(|_| unusable(EXPECTED.to_owned()))?;
        let options: Options = options.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let store = open(&scheme, &parsed, options)?.ok_or_else(|| unusable(EXPECTED.to_owned()))?;
        let local_dir = parsed.to_file_path().ok().filter(|_| matches!(scheme, ObjectStoreScheme::Local));
        let name = url.trim_end_matches('/').into();
        Ok(Self { store, prefix, name, timeout: Self::DEFAULT_TIMEOUT, local_dir })
    }

    /// A store provided by the embedder. Objects are stored below `prefix`, with `/` between its parts.
    ///
    /// If the store keeps its objects on this machine, no grant for writing may reach them. The host checks that only
    /// for directories given as a URL.
    ///
    /// Conditional puts ([`object_store::PutMode::Create`] and `Update`) are used if the store supports them.
    pub fn from_object_store(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        let prefix = Path::from(prefix);
        let name = format!("{store}/{prefix}");
        let name = name.trim_end_matches('/').into();
        Self { store, prefix, name, timeout: Self::DEFAULT_TIMEOUT, local_dir: None }
    }

    /// The directory at a URL of the form `file:///DIRECTORY`.
    pub(crate) fn local_dir(&self) -> Option<PathBuf> {
        self.local_dir.clone()
    }

    /// The maximum time that a run waits for the remote cache in total. After that, the look-up counts as a miss.
    /// Default: [`RemoteCache::DEFAULT_TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl fmt::Debug for RemoteCache {
    /// Omits the store, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCache").field("name", &self.name).field("timeout", &self.timeout).finish()
    }
}

/// The settings of a remote cache are invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteCacheError {
    /// The URL does not name a location.
    #[error("invalid URL of a remote cache {url:?}: {problem}")]
    Url {
        /// The URL.
        url: String,
        /// The problem, and the expected form.
        problem: String,
    },
    /// The URL contains a password, which would be shown wherever the cache is named.
    #[error("the URL of the remote cache contains a password: pass credentials as options")]
    Password,
    /// The service does not know an option.
    #[error("{service} has no option {name:?} for the remote cache")]
    Option {
        /// The option's name.
        name: String,
        /// The service.
        service: &'static str,
    },
    /// An option has an invalid value, or the options contradict each other.
    #[error("the remote cache at {url} cannot be set up: {source}")]
    Settings {
        /// The URL.
        url: String,
        /// The problem.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl RemoteCacheError {
    /// The kind of this error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Url { .. } | Self::Password | Self::Option { .. } | Self::Settings { .. } => {
                ErrorKind::Invalid
            }
        }
    }
}

/// Names and values, as passed.
type Options = Vec<(String, String)>;

/// Any option is unknown for a directory, which has none.
struct NoOption;

impl FromStr for NoOption {
    type Err = ();

    fn from_str(_: &str) -> Result<Self, ()> {
        Err(())
    }
}

fn parse(url: &str) -> Result<Url, RemoteCacheError> {
    let unusable = |problem: String| RemoteCacheError::Url { url: url.to_owned(), problem };
    let parsed = Url::parse(url).map_err(|_| unusable(EXPECTED.to_owned()))?;
    if parsed.password().is_some() {
        return Err(RemoteCacheError::Password);
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(unusable("`?` and `#` are not allowed here; options are passed separately".to_owned()));
    }
    Ok(parsed)
}

/// The service that a URL names; `None` if it does not support caches.
fn open(
    scheme: &ObjectStoreScheme,
    url: &Url,
    options: Options,
) -> Result<Option<Arc<dyn ObjectStore>>, RemoteCacheError> {
    let client = client(&options);
    let opened: Result<Arc<dyn ObjectStore>, _> = match scheme {
        ObjectStoreScheme::Local => {
            known::<NoOption>(options, "a directory")?;
            Ok(Arc::new(LocalFileSystem::new()))
        }
        ObjectStoreScheme::AmazonS3 => {
            let builder = AmazonS3Builder::new().with_url(url.as_str()).with_client_options(client);
            let builder = builder.with_http_connector(BoundedConnector::default());
            let options = known::<AmazonS3ConfigKey>(options, "S3")?.into_iter();
            let builder = options.fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.with_retry(REQUEST_RETRIES).build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = GoogleCloudStorageBuilder::new().with_url(url.as_str()).with_client_options(client);
            let builder = builder.with_http_connector(BoundedConnector::default());
            let options = known::<GoogleConfigKey>(options, "Google Cloud Storage")?.into_iter();
            let builder = options.fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.with_retry(REQUEST_RETRIES).build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = MicrosoftAzureBuilder::new().with_url(url.as_str()).with_client_options(client);
            let builder = builder.with_http_connector(BoundedConnector::default());
            let options = known::<AzureConfigKey>(options, "Azure")?.into_iter();
            let builder = options.fold(builder, |builder, (key, value)| builder.with_config(key, value));
            builder.with_retry(REQUEST_RETRIES).build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::Memory | ObjectStoreScheme::Http | _ => return Ok(None),
    };
    let settings = |error| RemoteCacheError::Settings { url: url.to_string(), source: Box::new(error) };
    opened.map(Some).map_err(settings)
}

/// The defaults of HTTP connections. Options can override them.
fn client(options: &Options) -> ClientOptions {
    // Fails if the program has already chosen one, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let is_plain = |(name, value): &(String, String)| {
        name.to_ascii_lowercase().contains("endpoint") && value.starts_with("http://")
    };
    ClientOptions::new().with_connect_timeout(CONNECT_TIMEOUT).with_allow_http(options.iter().any(is_plain))
}

/// The options that a service knows.
fn known<K: FromStr>(options: Options, service: &'static str) -> Result<Vec<(K, String)>, RemoteCacheError> {
    let mut known = Vec::new();
    for (name, value) in options {
        match name.to_ascii_lowercase().parse() {
            Ok(key) => known.push((key, value)),
            // A variable meant for another program.
            Err(_) if !name.contains(|letter: char| letter.is_ascii_lowercase()) => {}
            Err(_) => return Err(RemoteCacheError::Option { name, service }),
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str, options: &[(&str, &str)]) -> String {
        let error = RemoteCache::from_url(url, options.iter().copied()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    }

    #[test]
    fn a_url_names_service_bucket_and_prefix() {
        let check = |url: &str, store: &str, prefix: &str| {
            let azure = [("AZURE_STORAGE_ACCOUNT_NAME", "account"), ("AZURE_PAGER", "less")];
            let cache = RemoteCache::from_url(url, azure).unwrap();
            assert_eq!((cache.store.to_string().as_str(), cache.prefix.as_ref()), (store, prefix), "{url}");
            assert_eq!(&*cache.name, url.trim_end_matches('/'));
        };
        check("s3://bucket/a/b", "AmazonS3(bucket)", "a/b");
        check("s3://bucket/", "AmazonS3(bucket)", "");
        check("s3://bucket", "AmazonS3(bucket)", "");
        check("gs://bucket/a", "GoogleCloudStorage(bucket)", "a");
        check("az://container/a", "MicrosoftAzure { account: account, container: container }", "a");
        check("file:///mnt/a%20b", "LocalFileSystem(file:///)", "mnt/a b");
    }

    #[test]
    fn what_is_no_place_for_a_cache_is_an_error_that_says_what_is() {
        for url in
            ["bucket", "", "https://example.org/a", "http://example.org", "memory:///", "ftp://a/b", "s3:"]
        {
            let error = error(url, &[]);
            assert_eq!(error, format!("invalid URL of a remote cache {url:?}: {EXPECTED}"));
        }
        assert!(error("s3://bucket/a?region=x", &[]).contains("options are passed separately"));
        let password = error("s3://key:secret@bucket/a", &[]);
        assert!(password.contains("contains a password") && !password.contains("secret"), "{password}");
    }

    #[test]
    fn options_are_those_of_the_service() {
        let error_of = |name, value| error("s3://bucket", &[(name, value)]);
        assert_eq!(error_of("aws_regoin", "x"), "S3 has no option \"aws_regoin\" for the remote cache");
        assert!(
            error_of("aws_allow_http", "perhaps")
                .starts_with("the remote cache at s3://bucket cannot be set up: ")
        );
        assert!(error("file:///a", &[("region", "x")]).starts_with("a directory has no option \"region\""));
        for (name, value) in
            [("AWS_PAGER", "less"), ("AWS_REGION", "eu"), ("aws_region", "eu"), ("region", "eu")]
        {
            RemoteCache::from_url("s3://bucket", [(name, value)]).unwrap();
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let options = [("aws_access_key_id", "key"), ("aws_secret_access_key", "secret")];
        let cache = RemoteCache::from_url("s3://bucket/a", options).unwrap();
        assert_eq!(format!("{cache:?}"), "RemoteCache { name: \"s3://bucket/a\", timeout: 5s }");
    }
}
