//! Objects as files of a directory. Whatever the umask, they have the rights that this directory gives; if it does not exist,
//! it is created for its owner alone.

use std::io::{self, Write as _};
use std::path::PathBuf;

use bytes::Bytes;
use hostel_files::{Rights, UNFINISHED_PREFIX, create_private_dir, private_temp_file};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, PutMode};

/// The name of the store in errors, as of the store that reads.
const STORE: &str = "LocalFileSystem";

/// Writes to the directory of a remote cache.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Writes an object, which becomes visible as a whole.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the object is written all the same.
    pub(super) async fn put(&self, object: &Path, content: Bytes, mode: PutMode) -> Result<(), Error> {
        let is_new = match mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "update".to_owned(),
                    implementer: STORE.to_owned(),
                });
            }
        };
        let file = LocalFileSystem::new().path_to_filesystem(object)?;
        let directory = self.clone();
        let write = move || {
            let written = directory.write(&file, &content, is_new);
            written.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot write {}: {error}", file.display()))
            })
        };
        let failed = |path: String, error: io::Error| {
            let (is_denied, source) = (error.kind() == io::ErrorKind::PermissionDenied, Box::new(error));
            if is_denied {
                Error::PermissionDenied { path, source }
            } else {
                Error::Generic { store: STORE, source }
            }
        };
        match tokio::task::spawn_blocking(write).await? {
            Ok(true) => Ok(()),
            Ok(false) => {
                let source = Box::new(io::Error::from(io::ErrorKind::AlreadyExists));
                Err(Error::AlreadyExists { path: object.to_string(), source })
            }
            Err(error) => Err(failed(object.to_string(), error)),
        }
    }

    /// Returns whether it was written: not if it `is_new` and exists.
    fn write(&self, file: &std::path::Path, content: &[u8], is_new: bool) -> io::Result<bool> {
        create_private_dir(&self.path)?;
        let rights = Rights::of(&self.path)?;
        let dir = file.parent().unwrap_or(&self.path);
        rights.create_dir(dir)?;
        let mut unfinished = private_temp_file(UNFINISHED_PREFIX, dir)?;
        unfinished.write_all(content)?;
        rights.set(unfinished.as_file())?;
        if !is_new {
            return unfinished.persist(file).map(|_| true).map_err(|error| error.error);
        }
        match unfinished.persist_noclobber(file) {
            Ok(_) => Ok(true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }
}
