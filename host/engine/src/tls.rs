//! TLS for the requests of guests: which root certificates it trusts.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostel_files::open_regular_file;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use wasmtime_wasi::runtime::spawn_blocking;

/// The largest file of root certificates: those of a system take less than one MiB.
const MAX_ROOTS_BYTES: u64 = 16 << 20;

/// The TLS of all attempts of an engine. It is set up with the first HTTPS request.
#[derive(Default)]
pub(crate) struct Tls {
    /// The file with the root certificates; `None` for those that are compiled in.
    roots: Option<PathBuf>,
    connector: OnceCell<TlsConnector>,
}

/// There are no root certificates to trust.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTls {
    /// The file cannot be read.
    #[error("the root certificates in {file} cannot be read: {source}")]
    Unreadable { file: String, source: io::Error },
    /// The file has something else.
    #[error("{file} has no root certificates: expected certificates in PEM, {problem}")]
    Malformed { file: String, problem: String },
    /// The protocol cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Settings(#[from] rustls::Error),
}

impl Tls {
    /// Trusts the certificates of a PEM file, or those that are compiled in.
    pub(crate) fn new(roots: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self { roots, connector: OnceCell::new() })
    }

    /// What makes connections. Reads the file with the first call that succeeds.
    ///
    /// # Errors
    ///
    /// [`NoTls`]; the next call tries again.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub(crate) async fn connector(&self) -> Result<&TlsConnector, NoTls> {
        let roots = async || match self.roots.clone() {
            // Files may be on slow disks.
            Some(file) => spawn_blocking(move || read_roots(&file)).await,
            None => Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }),
        };
        self.connector.get_or_try_init(async || connector(roots().await?)).await
    }
}

/// Connections are not resumed, because that would link one attempt with another.
fn connector(roots: RootCertStore) -> Result<TlsConnector, NoTls> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read_roots(file: &Path) -> Result<RootCertStore, NoTls> {
    let shown = || file.display().to_string();
    let bytes = read(file).map_err(|source| NoTls::Unreadable { file: shown(), source })?;
    let malformed = |problem: String| NoTls::Malformed { file: shown(), problem };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = certificates.map_err(|error| malformed(format!("found an error: {error}")))?;
    let mut roots = RootCertStore::empty();
    // A system's file may have old certificates that rustls does not know how to use.
    let (usable, ignored) = roots.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err(malformed(format!("found {ignored} that cannot be used")));
    }
    Ok(roots)
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    // A system's file is often a link.
    let file = open_regular_file(&fs::canonicalize(file)?, File::options().read(true))?;
    let mut bytes = Vec::new();
    file.take(MAX_ROOTS_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_ROOTS_BYTES {
        return Err(io::Error::other(format!("it has more than {} MiB", MAX_ROOTS_BYTES >> 20)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = include_str!("../tests/engine/tls/root.pem");

    #[test]
    fn a_file_of_roots_has_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("roots.pem");
        let check = |content: &[u8], expected: Result<usize, &str>| {
            fs::write(&file, content).unwrap();
            match (read_roots(&file), expected) {
                (Ok(roots), Ok(count)) => assert_eq!(roots.len(), count),
                (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
                (found, expected) => panic!("{found:?} for {expected:?}"),
            }
        };
        check(ROOT.as_bytes(), Ok(1));
        check(format!("a comment\n{ROOT}\nanother\n{ROOT}").as_bytes(), Ok(2));
        check(b"", Err("roots.pem has no root certificates: expected certificates in PEM, found 0"));
        let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        check(other.as_bytes(), Err("found 1 that cannot be used"));
        check(format!("{other}{ROOT}").as_bytes(), Ok(1));
        check(b"-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n", Err("found an error: "));
        fs::write(&file, vec![b'x'; MAX_ROOTS_BYTES as usize + 1]).unwrap();
        assert!(read_roots(&file).unwrap_err().to_string().ends_with("it has more than 16 MiB"));
        assert!(read_roots(dir.path()).unwrap_err().to_string().contains("cannot be read: "));
        assert!(
            read_roots(&dir.path().join("none.pem")).unwrap_err().to_string().contains("cannot be read: ")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_file_of_roots_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("roots.pem"), dir.path().join("link.pem"));
        fs::write(&file, ROOT).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_roots(&link).unwrap().len(), 1);
    }
}
