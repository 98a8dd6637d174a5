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
use crate::blocking::token;
use crate::body::{Parts, check_type};
use crate::fair::KeptPlace;
use crate::long_calls;
use crate::problem::{Answer, ApiProblem, Code};

/// A body that was received.
#[derive(Debug)]
pub(crate) struct Received {
    file: File,
    digest: Digest,
    length: u64,
    /// For as long as the file is there.
    _place: KeptPlace,
}

/// Receives a body of one of these types and of at most so many bytes, when there is room for it among the others that come in.
pub(crate) async fn receive(
    app: &Arc<App>,
    headers: &HeaderMap,
    body: Body,
    types: &[&str],
    most: u64,
) -> Answer<Received> {
    check_type(headers, types)?;
    let mut parts = Parts::new(headers, body, most)?;
    let mib = parts.longest().div_ceil(1 << 20).max(1);
    let place = long_calls::places(&app.long_calls.incoming, token(), mib as usize).await?;
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
    Ok(Received { file, digest: Digest::from_bytes(hash.finalize().into()), length, _place: place })
}

impl Received {
    /// The digest of its bytes.
    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    /// How many bytes it has.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Refuses it if it has another digest.
    pub(crate) fn check(&self, digest: Digest) -> Answer<()> {
        if self.digest == digest {
            return Ok(());
        }
        let found = self.digest;
        let problem = format!("the body has the digest {found}: expected {digest}");
        Err(ApiProblem::new(Code::WrongDigest, problem).with("found", found.to_string()))
    }

    /// Its file, from the beginning on.
    pub(crate) fn into_file(mut self) -> Answer<File> {
        self.file.rewind().map_err(|error| ApiProblem::from(Spool(error)))?;
        Ok(self.file)
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
