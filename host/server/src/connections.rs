//! Connections: at most so many, each with bounds on the time and size of the heads of its requests.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::App;
use crate::bounds::{CONNECTIONS, HEAD_BYTES, HEAD_TIME, HEADERS, WRITE_TIME};
use crate::socket::Socket;

/// How long connections may take to end their last answers, after the time in which the server has drained.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// The time without new connections after the system has refused one, as it does without file descriptors.
const REFUSED: Duration = Duration::from_millis(100);

/// Serves connections.
pub(crate) struct Connections {
    app: Arc<App>,
    router: Router,
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Connections {
    pub(crate) fn new(app: Arc<App>, router: Router) -> Self {
        Self { app, router, places: Arc::new(Semaphore::new(CONNECTIONS)), tasks: JoinSet::new() }
    }

    /// Accepts connections until `end` completes, and then lets their answers end.
    pub(crate) async fn serve(mut self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            let places = Arc::clone(&self.places);
            // Without a place, the system keeps connections waiting.
            let accept = async {
                let place = places.acquire_owned().await;
                (listener.accept().await, place)
            };
            tokio::select! {
                () = &mut end => break,
                accepted = accept => match accepted {
                    (Ok((stream, _)), Ok(place)) => self.start(stream, place),
                    (Err(_), _) => tokio::time::sleep(REFUSED).await,
                    (Ok(_), Err(_)) => {}
                },
                Some(_) = self.tasks.join_next() => {}
            }
            self.app.metrics.connected(CONNECTIONS - self.places.available_permits());
        }
        let last = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ANSWERS, last).await.is_err() {
            self.tasks.shutdown().await;
        }
    }

    fn start(&mut self, stream: TcpStream, place: tokio::sync::OwnedSemaphorePermit) {
        // Answers are small, and each is written at once.
        _ = stream.set_nodelay(true);
        let stream = Socket::new(stream, WRITE_TIME);
        let service = TowerToHyperService::new(self.router.clone());
        let mut closing = self.app.closing.subscribe();
        self.tasks.spawn(async move {
            let _place = place;
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
            builder.max_buf_size(HEAD_BYTES).max_headers(HEADERS);
            let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
            // An error is the client's: it has gone, or sends something else than HTTP.
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
            }
            _ = connection.await;
        });
    }
}
