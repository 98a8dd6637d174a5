//! Connections: at most so many, each with bounds on the time and size of the heads of its requests.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::App;
use crate::bounds::{HEAD_BYTES, HEAD_TIME, HEADERS, WRITE_TIME};
use crate::peers::{Answering, Awaited, GivesWay, Peer, Peers};
use crate::socket::Socket;

/// How long connections may take to end their last answers, after the time in which the server has drained.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// The time without new connections after the system has refused one, as it does without file descriptors.
const REFUSED: Duration = Duration::from_millis(100);

/// After this time without a place, another connection is asked to give way.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Serves connections.
pub(crate) struct Connections {
    app: Arc<App>,
    router: Router,
    most: usize,
    places: Arc<Semaphore>,
    peers: Arc<Peers>,
    tasks: JoinSet<()>,
}

impl Connections {
    /// For at most `most` connections at once.
    pub(crate) fn new(app: Arc<App>, router: Router, most: usize) -> Self {
        let (places, peers) = (Arc::new(Semaphore::new(most)), Arc::default());
        Self { app, router, most, places, peers, tasks: JoinSet::new() }
    }

    /// Accepts connections until `end` completes, and then lets their answers end.
    pub(crate) async fn serve(mut self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            let accept = async {
                let (stream, _) = listener.accept().await.ok()?;
                Some((stream, place(&self.places, &self.peers).await))
            };
            let accepted = tokio::select! {
                () = &mut end => break,
                accepted = accept => accepted,
            };
            match accepted {
                Some((stream, place)) => self.start(stream, place),
                None => tokio::time::sleep(REFUSED).await,
            }
            while self.tasks.try_join_next().is_some() {}
            self.app.metrics.connected(self.most - self.places.available_permits());
        }
        let last = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(LAST_ANSWERS, last).await.is_err() {
            self.tasks.shutdown().await;
        }
    }

    fn start(&mut self, stream: TcpStream, place: Option<OwnedSemaphorePermit>) {
        // Answers are small, and each is written at once.
        _ = stream.set_nodelay(true);
        let joined = self.peers.join();
        let stream = Socket::new(stream, WRITE_TIME).of(joined.peer());
        let (router, peer) = (self.router.clone(), Arc::clone(joined.peer()));
        let service = service_fn(move |request| answer(router.clone(), Arc::clone(&peer), request));
        let (app, places, most) = (Arc::clone(&self.app), Arc::clone(&self.places), self.most);
        self.tasks.spawn(async move {
            let mut closing = app.closing.subscribe();
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
            builder.max_buf_size(HEAD_BYTES).max_headers(HEADERS);
            {
                let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
                // An error is the client's: it has gone, or sends something else than HTTP.
                let is_last = loop {
                    tokio::select! {
                        _ = connection.as_mut() => break false,
                        _ = closing.wait_for(|closing| *closing) => break true,
                        gives_way = joined.peer().asked() => match gives_way {
                            GivesWay::Now => break false,
                            GivesWay::Answered => break true,
                            GivesWay::No => {}
                        }
                    }
                };
                if is_last {
                    connection.as_mut().graceful_shutdown();
                    _ = connection.await;
                }
            }
            drop((joined, place));
            app.metrics.connected(most - places.available_permits());
        });
    }
}

/// Waits for a place for a connection, which another one gives way for if none is free; `None` if the server has ended.
async fn place(places: &Arc<Semaphore>, peers: &Peers) -> Option<OwnedSemaphorePermit> {
    loop {
        let free = Arc::clone(places).try_acquire_owned();
        if let Ok(place) = free {
            return Some(place);
        }
        peers.ask_one();
        if let Ok(place) = timeout(ASK_AGAIN, Arc::clone(places).acquire_owned()).await {
            return place.ok();
        }
    }
}

/// Answers a request of a connection.
async fn answer(
    router: Router,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<Answering<Body>>, Infallible> {
    let busy = peer.busy();
    let mut request = request.map(|body| Body::new(Awaited::new(body, &peer)));
    request.extensions_mut().insert(peer);
    let response = TowerToHyperService::new(router).call(request).await?;
    Ok(response.map(|body| Answering::new(body, busy)))
}
