//! The HTTP client of object stores, with a bound on what a service says about an error: it is collected in memory.

use std::fmt::Debug;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};

/// The most bytes of an answer that reports an error. What follows is not read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// Makes such clients.
#[derive(Debug, Default)]
pub(super) struct BoundedConnector(ReqwestConnector);

#[derive(Debug)]
struct Bounded<S>(S);

/// What an async method of a trait returns.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpConnector for BoundedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Bounded(self.0.connect(options)?)))
    }
}

impl HttpService for Bounded<HttpClient> {
    fn call<'s, 'a>(&'s self, request: HttpRequest) -> Answer<'a>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let (head, body) = self.0.execute(request).await?.into_parts();
            let body = if head.status.is_success() { body } else { beginning(body).await?.into() };
            Ok(HttpResponse::from_parts(head, body))
        })
    }
}

/// The first bytes of a body.
async fn beginning(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let (mut parts, mut beginning) = (body.bytes_stream(), BytesMut::new());
    while beginning.len() < MAX_ERROR_BYTES
        && let Some(part) = parts.try_next().await?
    {
        beginning.extend_from_slice(&part);
    }
    beginning.truncate(MAX_ERROR_BYTES);
    Ok(beginning.freeze())
}
