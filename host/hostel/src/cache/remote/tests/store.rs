//! A store in memory that does what a test asks of it.

use std::fmt;
use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Objects in memory, behind a service in some mood.
#[derive(Debug, Default)]
pub(super) struct Moody {
    pub(super) objects: InMemory,
    mood: Mutex<Mood>,
    asked: AtomicUsize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Mood {
    #[default]
    Willing,
    /// Knows no conditions.
    Simple,
    /// Is away.
    Away,
    /// Denies everything.
    Denying,
    /// Answers nothing.
    Silent,
}

impl Moody {
    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How many requests there were since the last time.
    pub(super) fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }

    async fn answer(&self, path: &Path, mode: &PutMode) -> Result<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Willing => Ok(()),
            Mood::Simple if matches!(mode, PutMode::Overwrite) => Ok(()),
            Mood::Simple => {
                Err(Error::NotImplemented { operation: "conditions".into(), implementer: "test".into() })
            }
            Mood::Away => Err(Error::Generic { store: "test", source: "it is away".into() }),
            Mood::Denying => {
                Err(Error::PermissionDenied { path: path.to_string(), source: "you may not".into() })
            }
            Mood::Silent => pending().await,
        }
    }
}

impl fmt::Display for Moody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("moody")
    }
}

#[async_trait]
impl ObjectStore for Moody {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.answer(path, &options.mode).await?;
        self.objects.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.answer(path, &PutMode::Overwrite).await?;
        self.objects.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
