//! A server in this process, on a port that the system chooses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use hostel::{Host, HostBuilder};
use hostel_server::{Server, Settings};
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::client::{Answer, Request};

/// A server, which ends when this is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) login: String,
    dir: Option<tempfile::TempDir>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// A server that executes runs.
    pub(crate) fn start() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self::again(tempfile::tempdir().unwrap(), settings)
    }

    /// A server on a directory that an earlier one has used.
    pub(crate) fn again(dir: tempfile::TempDir, settings: Settings) -> Self {
        Self::on(dir, settings, Host::builder())
    }

    /// A server with a host that has these settings, beside those of all tests.
    pub(crate) fn on(dir: tempfile::TempDir, settings: Settings, host: HostBuilder) -> Self {
        let (shutdown, ended) = oneshot::channel::<()>();
        let (started, has_started) = std::sync::mpsc::channel();
        let data_dir: PathBuf = dir.path().to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let host = host.max_workers(2).max_instances(8).ended_runs(0);
                let server = Server::open(&data_dir, host, address, settings).unwrap();
                started.send((address, server.login_url().unwrap())).unwrap();
                server.serve(listener, async { _ = ended.await }).await.unwrap();
            });
        });
        let (address, login) = has_started.recv().unwrap();
        let token = std::fs::read_to_string(dir.path().join("token")).unwrap().trim().to_owned();
        Self { address, token, login, dir: Some(dir), shutdown: Some(shutdown), thread: Some(thread) }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    /// A request with the first token.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        self.bearer(&self.token, method, path)
    }

    /// A request with this token.
    pub(crate) fn bearer(&self, token: &str, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path).header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send()
    }

    pub(crate) fn post(&self, path: &str, body: &Json) -> Answer {
        self.request("POST", path).json(body).send()
    }

    /// Uploads a component, and returns its digest.
    pub(crate) fn upload(&self, file: &str) -> String {
        self.upload_bytes(std::fs::read(file).unwrap())
    }

    /// Uploads a component, and returns its digest.
    pub(crate) fn upload_bytes(&self, bytes: Vec<u8>) -> String {
        let digest = hostel::Digest::of(&bytes).to_string();
        let answer = self.request("PUT", &format!("/api/v1/components/{digest}")).wasm(bytes).send();
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        digest
    }

    /// A token with these scopes.
    pub(crate) fn token_with(&self, name: &str, scopes: &[&str]) -> String {
        let answer = self.post("/api/v1/tokens", &serde_json::json!({ "name": name, "scopes": scopes }));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    /// The same, and returns its directory.
    pub(crate) fn stop_and_keep(mut self) -> tempfile::TempDir {
        self.end();
        self.dir.take().unwrap()
    }

    fn end(&mut self) {
        drop(self.shutdown.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.into_iter().for_each(|ended| ended.unwrap());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
