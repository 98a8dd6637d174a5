//! A collector of traces: a socket that takes spans as protobuf over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// So long a test waits for spans.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Takes,
    /// With this status.
    Refuses(u16),
    /// Not at all.
    IsSilent,
}

/// A request with spans.
#[derive(Debug)]
pub(crate) struct Exported {
    /// The head: its lines, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A collector. It goes on until the test ends.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    requests: Receiver<Exported>,
}

impl Collector {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let sender = Arc::new(sender);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = Arc::clone(&sender);
                thread::spawn(move || serve(&stream, manner, &sender));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    /// The next request.
    #[track_caller]
    pub(crate) fn next(&self) -> Exported {
        self.requests.recv_timeout(PATIENCE).expect("a request with spans comes within 60 seconds")
    }

    /// All that came, after the end of the server that has sent it.
    pub(crate) fn all(&self) -> Vec<Exported> {
        self.requests.try_iter().collect()
    }

    /// Takes requests until one of these spans is there, and returns all spans.
    #[track_caller]
    pub(crate) fn until(&self, is_there: impl Fn(&Span) -> bool) -> Vec<Span> {
        let (until, mut spans) = (Instant::now() + PATIENCE, Vec::new());
        while !spans.iter().any(&is_there) {
            assert!(Instant::now() < until, "the span does not come: {spans:?}");
            spans.extend(self.next().spans());
        }
        spans
    }
}

impl Exported {
    pub(crate) fn decoded(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.body.as_slice()).unwrap()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let resources = self.decoded().resource_spans.into_iter();
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

/// An attribute as text.
pub(crate) fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    text(found.value.as_ref()?)
}

fn text(value: &AnyValue) -> Option<String> {
    Some(match value.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::ArrayValue(array) => array.values.iter().filter_map(text).collect::<Vec<_>>().join(","),
        Value::BoolValue(_)
        | Value::KvlistValue(_)
        | Value::BytesValue(_)
        | Value::StringValueStrindex(_) => {
            panic!("{value:?}")
        }
    })
}

/// Reads requests until the connection ends.
fn serve(stream: &TcpStream, manner: Manner, sender: &Sender<Exported>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        // The test may have ended.
        _ = sender.send(Exported { head, body });
        let status = match manner {
            Manner::Takes => 200,
            Manner::Refuses(status) => status,
            Manner::IsSilent => continue,
        };
        let answer = format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n");
        if { stream }.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
