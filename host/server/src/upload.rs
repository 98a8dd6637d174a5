//! Uploads: collected in a file that has no name, so that a slow sender takes no memory and a lost one leaves nothing behind.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use axum::body::Body;
use hostel::{Digest, ErrorKind};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;

use crate::app::App;
use crate::body::{Parts, check_type};
use crate::bounds::COMPONENT_BYTES;
use crate::problem::{Answer, ApiProblem, Code};

/// A body that was received.
#[derive(Debug)]
pub(crate) struct Received {
    file: File,
    digest: Digest,
    length: u64,
}

/// Receives a component.
pub(crate) async fn receive(app: &Arc<App>, headers: &HeaderMap, body: Body) -> Answer<Received> {
    check_type(headers, &["application/wasm"])?;
    receive_most(app, headers, body, COMPONENT_BYTES).await
}

/// Receives a body with at most so many bytes.
pub(crate) async fn receive_most(
    app: &Arc<App>,
    headers: &HeaderMap,
    body: Body,
    most: u64,
) -> Answer<Received> {
    let mut parts = Parts::new(headers, body, most)?;
    let spool = app.spool.clone();
    let file = app.blocking.run(move || tempfile::tempfile_in(spool).map_err(Spool)).await?;
    let mut file = tokio::fs::File::from_std(file);
    let mut hash = Sha256::new();
    let mut length = 0;
    while let Some(part) = parts.next().await? {
        hash.update(&part);
        length += part.len() as u64;
        file.write_all(&part).await.map_err(Spool)?;
    }
    file.flush().await.map_err(Spool)?;
    let file = file.into_std().await;
    Ok(Received { file, digest: Digest::from_bytes(hash.finalize().into()), length })
}

impl Received {
    /// The digest of its bytes.
    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    /// Its bytes.
    pub(crate) async fn bytes(mut self, app: &Arc<App>) -> Answer<Arc<[u8]>> {
        app.blocking
            .run(move || {
                let mut bytes = Vec::with_capacity(usize::try_from(self.length).unwrap_or_default());
                self.file.rewind().map_err(Spool)?;
                self.file.read_to_end(&mut bytes).map_err(Spool)?;
                Ok::<_, Spool>(bytes.into())
            })
            .await
    }
}

/// The file of an upload cannot be written or read.
struct Spool(io::Error);

impl From<Spool> for ApiProblem {
    fn from(Spool(error): Spool) -> Self {
        let is_full = error.kind() == io::ErrorKind::StorageFull;
        let kind = if is_full { ErrorKind::Exhausted } else { ErrorKind::Unavailable };
        let error = hostel_wire::without_number(&error.to_string());
        Self::new(Code::Kind(kind), format!("the upload cannot be stored: {error}"))
    }
}
