//! A server that speaks S3, over a directory, on a port of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::super::RemoteCache;

/// The only bucket.
pub(super) const BUCKET: &str = "results";

/// Runs on the runtime of the test until it is dropped, and its connections with it.
pub(super) struct Server {
    dir: TempDir,
    address: SocketAddr,
    _connections: JoinSet<()>,
}

/// How much of S3 it speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    All,
    /// All but conditions on puts.
    Unconditionally,
}

impl Server {
    pub(super) async fn start(speaks: Speaks) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(dir.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("key", "secret"));
        // It looks at a condition and then writes, as two steps; one request after the other makes them one.
        let service = Arc::new(Mutex::new(service.build()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.spawn(serve(connection, Arc::clone(&service), speaks));
            }
        });
        Self { dir, address, _connections: connections }
    }

    /// The setting with which it is reached.
    pub(super) fn cache(&self, bucket: &str, secret: &str) -> RemoteCache {
        cache(self.address, bucket, secret)
    }

    /// The files that it keeps objects in.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(&self.dir.path().join(BUCKET), &mut files);
        files
    }
}

/// The setting for a server at this address.
pub(super) fn cache(address: SocketAddr, bucket: &str, secret: &str) -> RemoteCache {
    let options = [
        ("AWS_ENDPOINT_URL", format!("http://{address}")),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
    ];
    RemoteCache::from_url(&format!("s3://{bucket}/some/prefix"), options).unwrap()
}

async fn serve(connection: TcpStream, service: Arc<Mutex<S3Service>>, speaks: Speaks) {
    let answer = service_fn(|request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move {
            let has_condition =
                ["if-match", "if-none-match"].iter().any(|name| request.headers().contains_key(*name));
            if speaks == Speaks::Unconditionally && has_condition {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
                return Ok::<_, Infallible>(response);
            }
            Ok(service.lock().await.call(request.map(Body::from)).await.unwrap())
        }
    });
    // Fails when the client goes away, which it may.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), answer).await;
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}
