//! A client of the HTTP API. A request that can be repeated is repeated while the connection is lost.

use std::error::Error;
use std::io;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hostel::ErrorKind;
use hostel_wire::without_number;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::address::Address;
use super::refusal::{Refusal, Trouble, foreign, refused};
use super::request::Request;
use crate::problem::Problem;
use crate::ui::Ui;

/// The longest time to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest time without a byte of an answer. The longest wait of the server is a minute.
const SILENCE: Duration = Duration::from_secs(120);

/// The slowest that the body of a request is sent and processed, for example compiled: 32 KiB per second.
const BYTES_PER_SECOND: u64 = 32 << 10;

/// After this time of silence the system asks whether the other side is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long a lost server is looked for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pauses between two tries: the first, after which they double, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The most items of a page of a list.
pub(crate) const PAGE_ITEMS: usize = 500;

/// The most bytes of an answer.
const ANSWER_BYTES: usize = 1 << 30;

/// The most bytes of an error.
const ERROR_BYTES: usize = 1 << 20;

/// The most bytes of a line of a stream.
const LINE_BYTES: usize = 64 << 20;

/// A client of one server.
pub(crate) struct Client {
    http: reqwest::Client,
    address: Address,
    /// Whether the server has answered a request: only then is a lost connection worth another try.
    has_answered: AtomicBool,
    ui: Arc<Ui>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// The address of the next page.
    #[serde(default = "none")]
    pub(crate) next: Option<String>,
    /// How far the server looked, if it did not look at everything.
    #[serde(default = "none")]
    pub(crate) scanned_to: Option<String>,
}

const fn none() -> Option<String> {
    None
}

impl<T> Page<T> {
    /// The place at which the next page begins, by the name of the parameter.
    pub(crate) fn cursor(&self, name: &str) -> Option<String> {
        let (_, query) = self.next.as_deref()?.split_once('?')?;
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.into_iter().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    content_type: String,
    pub(crate) body: Vec<u8>,
}

/// What `/info` says of a server.
#[derive(Debug, Deserialize)]
struct Info {
    version: String,
    #[serde(default)]
    features: Vec<String>,
}

/// An answer that goes on, line by line.
pub(super) struct Lines {
    response: Response,
    rest: Vec<u8>,
    is_over: bool,
}

impl Client {
    pub(super) fn new(ui: Arc<Ui>, address: Address) -> Result<Self, Problem> {
        if address.is_exposed() {
            let base = &address.base;
            ui.warning(&format!("the connection to {base} is not encrypted: others may read the token"));
        }
        // If it fails, there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("hostel/", env!("CARGO_PKG_VERSION")))
            // The token is for this address alone.
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .tcp_keepalive(KEEP_ALIVE);
        let http = if address.is_local { http.no_proxy() } else { http };
        // Without TLS there is no need to read the certificates of the system.
        let is_plain = address.base.scheme() == "http";
        let http = if is_plain { http.tls_certs_only([]) } else { http };
        let http = http.build().map_err(|error| {
            Problem::new(ErrorKind::Internal, format!("no client for HTTP: {}", cause(&error)))
        })?;
        Ok(Self { http, address, has_answered: AtomicBool::new(false), ui })
    }

    /// Sends a request, and reads the answer from JSON.
    pub(crate) async fn call<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Problem> {
        let answer = self.send(request).await?;
        self.read(&answer)
    }

    /// All items of a list, page by page, until `take` returns `false`.
    pub(crate) async fn pages<T: DeserializeOwned, E: From<Problem>>(
        &self,
        request: &Request,
        mut take: impl FnMut(Page<T>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut request = request.clone();
        loop {
            let page: Page<T> = self.call(&request).await?;
            let next = page.next.as_deref().map(|next| request.at(next));
            if !take(page)? {
                return Ok(());
            }
            let Some(next) = next else { return Ok(()) };
            request = next;
        }
    }

    /// Sends a request. One that can be repeated is repeated while the connection is lost, or the server asks to come back.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, Problem> {
        Ok(self.send_unless_refused(request).await??)
    }

    /// The same for a request that begins a run. The outer error says that the server has refused it, so there is no run; the inner
    /// one, that there may be one.
    pub(super) async fn send_unless_refused(
        &self,
        request: &Request,
    ) -> Result<Result<Answer, Trouble>, Problem> {
        match self.try_send(request).await {
            Err(Trouble::Refused(refusal)) => Err(self.refusal(request, refusal).await),
            sent => Ok(sent),
        }
    }

    /// The same, for callers that tell refusals apart.
    pub(crate) async fn try_send(&self, request: &Request) -> Result<Answer, Trouble> {
        let mut patience = Patience::default();
        loop {
            let trouble = match self.once(request).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            if !(request.is_repeatable && self.may_pass(&trouble, &mut patience).await) {
                return Err(trouble);
            }
        }
    }

    /// Sends a request whose answer goes on, once.
    pub(super) async fn stream(&self, request: &Request) -> Result<Lines, Trouble> {
        let response = self.head(request).await?;
        Ok(Lines { response, rest: Vec::new(), is_over: false })
    }

    /// Waits before another try, if the server has answered before and the trouble may pass.
    pub(super) async fn may_pass(&self, trouble: &Trouble, patience: &mut Patience) -> bool {
        if !self.has_answered.load(Ordering::Relaxed) {
            return false;
        }
        let (asked, why) = match trouble {
            Trouble::Lost(problem) => (Duration::ZERO, problem),
            Trouble::Later(problem, after) => (*after, problem),
            Trouble::Refused(_) | Trouble::Foreign(_) => return false,
        };
        let Some(pause) = patience.pause(asked) else { return false };
        if patience.tries == 1 && matches!(trouble, Trouble::Lost(_)) {
            self.ui.note(&format!("{why}; trying again"));
        }
        sleep(pause).await;
        true
    }

    async fn once(&self, request: &Request) -> Result<Answer, Trouble> {
        let mut response = self.head(request).await?;
        let status = response.status().as_u16();
        let content_type = content_type(&response);
        let body = self.body(&mut response, ANSWER_BYTES).await?;
        Ok(Answer { status, content_type, body })
    }

    /// Sends a request, and reads the head of the answer, which is a success.
    async fn head(&self, request: &Request) -> Result<Response, Trouble> {
        let bearer = format!("Bearer {}", self.address.token.text);
        let sent = self.http.request(request.method.clone(), request.url(&self.address.base));
        let mut sent = sent.header(AUTHORIZATION, bearer).header(ACCEPT, "application/json, */*");
        if let Some((ty, body)) = &request.body {
            sent = sent.header(CONTENT_TYPE, *ty).body(body.clone());
        }
        let most = answer_time(request.body.as_ref().map_or(0, |(_, body)| body.len()));
        let answered = timeout(most, sent.send()).await.map_err(|_| self.silent(most))?;
        let mut response = answered.map_err(|error| self.lost(&error))?;
        if response.status().is_success() {
            self.has_answered.store(true, Ordering::Relaxed);
            return Ok(response);
        }
        let status = response.status();
        let retry_after = retry_after(&response);
        let content_type = content_type(&response);
        if status.is_redirection() {
            return Err(Trouble::Foreign(self.redirected(&response)));
        }
        let body = self.body(&mut response, ERROR_BYTES).await?;
        let trouble = refused(&self.address, status.as_u16(), &content_type, retry_after, &body);
        if matches!(trouble, Trouble::Refused(_) | Trouble::Later(..)) {
            self.has_answered.store(true, Ordering::Relaxed);
        }
        Err(trouble)
    }

    /// The next part of an answer; `None` at its end.
    async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, Trouble> {
        let chunk = timeout(SILENCE, response.chunk()).await.map_err(|_| self.silent(SILENCE))?;
        chunk.map_err(|error| self.lost(&error))
    }

    async fn body(&self, response: &mut Response, most: usize) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        while let Some(part) = self.chunk(response).await? {
            if body.len().saturating_add(part.len()) > most {
                let problem = format!("the answer of {} has more than {most} bytes", self.address.base);
                return Err(Trouble::Foreign(Problem::new(ErrorKind::Exhausted, problem)));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    /// Reads an answer from JSON.
    pub(crate) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Problem> {
        if !answer.content_type.starts_with("application/json") {
            return Err(foreign(&self.address, answer.status, &answer.content_type));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let problem = format!("the answer of {} cannot be read: {error}", self.address.base);
            Problem::new(ErrorKind::Unavailable, problem)
                .hint(format!("is it of another version than this command, {}?", env!("CARGO_PKG_VERSION")))
        })
    }

    fn lost(&self, error: &reqwest::Error) -> Trouble {
        let base = &self.address.base;
        let cause = cause(error);
        let problem = self.unavailable(if error.is_connect() {
            format!("cannot reach the server {base}: {cause}")
        } else {
            format!("the connection to the server {base} is lost: {cause}")
        });
        let has_answered = self.has_answered.load(Ordering::Relaxed);
        let is_of_other_scheme = !has_answered
            && if base.scheme() == "http" { !error.is_connect() } else { causes(error).any(is_without_tls) };
        Trouble::Lost(if is_of_other_scheme { problem.hint(self.address.other_scheme()) } else { problem })
    }

    /// The server has sent nothing for so long.
    fn silent(&self, time: Duration) -> Trouble {
        let (base, seconds) = (&self.address.base, time.as_secs());
        Trouble::Lost(self.unavailable(format!("the server {base} has not answered for {seconds} s")))
    }

    fn unavailable(&self, problem: String) -> Problem {
        let hint = if self.address.is_local {
            "hostel serve starts one; --server and HOSTEL_SERVER name another"
        } else {
            "is the address of --server or HOSTEL_SERVER right, and does the server run?"
        };
        Problem::new(ErrorKind::Unavailable, problem).hint(hint)
    }

    fn redirected(&self, response: &Response) -> Problem {
        let to = response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("no address");
        let problem = format!("{} is not a Hostel server: it redirects to {to}", self.address.base);
        Problem::new(ErrorKind::Unavailable, problem)
            .hint("use the server's own address: the token is not sent to redirects")
    }

    /// A refusal as a problem. If the server is of another version, the problem says what it does not have.
    pub(crate) async fn refusal(&self, request: &Request, refusal: Refusal) -> Problem {
        if !refusal.is_of_another_version() {
            return refusal.problem;
        }
        let info = self.once(&Request::get(&["info"])).await;
        let info = info.ok().and_then(|answer| serde_json::from_slice::<Info>(&answer.body).ok());
        let Some(Info { version, features }) = info else {
            return foreign(&self.address, refusal.status, "application/problem+json");
        };
        let (base, own) = (&self.address.base, env!("CARGO_PKG_VERSION"));
        let feature = request.feature;
        let problem = if feature.is_empty() || features.iter().any(|has| has == feature) {
            format!("the server {base} of version {version} does not know the request: {}", refusal.problem)
        } else {
            format!("the server {base} of version {version} does not have the feature {feature}")
        };
        let hint = format!("this command has version {own}: use a server that is at least as new");
        Problem::new(ErrorKind::Unavailable, problem).hint(hint)
    }
}

impl Lines {
    /// The next line, without its end; `None` at the end.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Option<Vec<u8>>, Trouble> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.rest.drain(..=end).collect();
                line.pop();
                return Ok(Some(line));
            }
            if self.is_over {
                // A line without its end is not whole.
                return Ok(None);
            }
            match client.chunk(&mut self.response).await? {
                Some(part) if self.rest.len().saturating_add(part.len()) > LINE_BYTES => {
                    let problem = format!("a line of the server has more than {LINE_BYTES} bytes");
                    return Err(Trouble::Foreign(Problem::new(ErrorKind::Exhausted, problem)));
                }
                Some(part) => self.rest.extend_from_slice(&part),
                None => self.is_over = true,
            }
        }
    }

    /// Whether the next line has yet to come.
    pub(super) fn is_drained(&self) -> bool {
        !self.rest.contains(&b'\n')
    }
}

/// How long tries go on, counted from the first that failed.
#[derive(Debug, Default)]
pub(super) struct Patience {
    began: Option<Instant>,
    tries: u32,
}

impl Patience {
    /// The pause before the next try; `None` if there have been enough.
    fn pause(&mut self, asked: Duration) -> Option<Duration> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let (first, most) = PAUSES;
        let pause = first.saturating_mul(2_u32.saturating_pow(self.tries)).min(most).max(asked);
        self.tries = self.tries.saturating_add(1);
        (began.elapsed().saturating_add(pause) <= PATIENCE).then_some(pause)
    }
}

/// The longest time until an answer begins to a request with a body of so many bytes.
fn answer_time(body: usize) -> Duration {
    SILENCE.saturating_add(Duration::from_secs(body as u64 / BYTES_PER_SECOND))
}

fn content_type(response: &Response) -> String {
    let ty = response.headers().get(CONTENT_TYPE).and_then(|ty| ty.to_str().ok());
    ty.unwrap_or_default().chars().take(100).collect()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let is_later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    let after = response.headers().get(RETRY_AFTER).filter(|_| is_later.contains(&response.status()))?;
    after.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The innermost cause, which says most.
fn cause(error: &reqwest::Error) -> String {
    causes(error).last().map(|cause| without_number(&cause.to_string())).unwrap_or_default()
}

/// An error and its causes, the outermost first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(Some(error as &(dyn Error + 'static)), |&error| {
        // An error of I/O leaves out what it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

/// Whether the other side answers a handshake of TLS with something else, or not at all.
fn is_without_tls(error: &(dyn Error + 'static)) -> bool {
    let is_eof = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidMessage(_)))
        || error.downcast_ref().is_some_and(is_eof)
}
