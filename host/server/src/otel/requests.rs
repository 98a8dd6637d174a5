//! The span of an answered request: of kind server, until the head of the answer.

use std::sync::Arc;

use http::Method;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SpanData};

use super::runs::{Place, Plan, span, time};
use crate::spans::EndedRequest;

/// Methods that clients cannot make up.
const KNOWN: [Method; 7] =
    [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS, Method::PATCH];

impl Plan {
    /// The span of a request, if its trace is exported.
    pub(super) fn request(&self, request: &EndedRequest) -> Option<SpanData> {
        let ids = RandomIdGenerator::default();
        let place = Place::new(request.parent, || ids.new_trace_id(), ids.new_span_id());
        if !self.exports(&place, request.parent) {
            return None;
        }
        let method = KNOWN.iter().find(|known| **known == request.method).map(Method::as_str);
        let text = |text: &Arc<str>| Value::String(StringValue::from(Arc::clone(text)));
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.unwrap_or("_OTHER")),
            KeyValue::new("http.route", text(&request.route)),
            KeyValue::new("http.response.status_code", i64::from(request.status)),
            KeyValue::new("hostel.request.id", text(&request.id)),
        ];
        // A refused request is no error of the server.
        let is_error = request.status >= 500;
        if is_error {
            attributes.push(KeyValue::new("error.type", request.status.to_string()));
        }
        let status = if is_error { Status::error("") } else { Status::Unset };
        let mut span =
            span(place, format!("{} {}", method.unwrap_or("HTTP"), request.route), SpanKind::Server);
        span.start_time = time(request.began);
        span.end_time = time(request.began.after(request.took));
        span.attributes = attributes;
        span.status = status;
        Some(span)
    }
}
