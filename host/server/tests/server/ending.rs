//! How a server ends.

use hostel::{ErrorKind, Host};
use hostel_server::{Server, ServerError, Settings};
use tokio::net::TcpListener;

use crate::client::Request;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_journal_is_removed_ends_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let host = Host::builder().max_workers(1).max_instances(8);
    let server = Server::open(dir.path(), host, address, Settings::default()).unwrap();
    let serving = tokio::spawn(server.serve(listener, std::future::pending()));
    // It answers when it has started.
    let ready = tokio::task::spawn_blocking(move || Request::new(address, "GET", "/healthz").send());
    assert_eq!(ready.await.unwrap().status, 200);
    let journal = dir.path().join("journal-1.db");
    std::fs::remove_file(&journal).unwrap();
    let error = serving.await.unwrap().unwrap_err();
    assert!(matches!(&error, ServerError::Gone { path } if *path == journal), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
