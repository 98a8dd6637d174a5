//! How a server ends.

use std::fs::File;
use std::path::Path;

use hostel::journal::{Journal, JournalError, LimitScope, RunLimit, SqliteJournal};
use hostel::{ErrorKind, Host};
use hostel_server::{Server, ServerError, Settings};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::client::Request;

/// Why a server ends after something was done to the files of its journal while it served.
async fn ends_after(settings: Settings, harm: impl FnOnce(&Path)) -> (TempDir, ServerError) {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let host = Host::builder().max_workers(1).max_instances(8);
    let server = Server::open(dir.path(), host, address, settings).unwrap();
    let serving = tokio::spawn(server.serve(listener, std::future::pending()));
    // It answers when it has started.
    let ready = tokio::task::spawn_blocking(move || Request::new(address, "GET", "/healthz").send());
    assert_eq!(ready.await.unwrap().status, 200);
    harm(dir.path());
    (dir, serving.await.unwrap().unwrap_err())
}

/// With a worker and without one.
fn both() -> [Settings; 2] {
    [true, false].map(|executes| {
        let mut settings = Settings::default();
        settings.executes = executes;
        settings
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_journal_is_removed_ends_with_an_error() {
    for settings in both() {
        let remove = |dir: &Path| std::fs::remove_file(dir.join("journal-1.db")).unwrap();
        let (dir, error) = ends_after(settings, remove).await;
        let journal = dir.path().join("journal-1.db");
        assert!(matches!(&error, ServerError::Gone { path } if *path == journal), "{error}");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_is_emptied_ends_with_an_error() {
    for settings in both() {
        let empty = |dir: &Path| {
            let other = SqliteJournal::open(dir).unwrap();
            let write = |most| {
                let limit = RunLimit { max_running: Some(most), rate: None };
                other.set_limit(&LimitScope::Tag("a".into()), limit)
            };
            write(1).unwrap();
            let log = File::options().write(true).open(dir.join("journal-1.db-wal")).unwrap();
            log.set_len(0).unwrap();
            // This process still has the log's pages in memory, so it would go on without an error.
            write(2).unwrap_err();
        };
        let (_dir, error) = ends_after(settings, empty).await;
        let is_damaged = |error: &JournalError| matches!(error, JournalError::DamagedFile { .. });
        assert!(
            matches!(&error, ServerError::Gone { .. })
                || matches!(&error, ServerError::Failed(error) if is_damaged(error)),
            "{error}"
        );
    }
}
