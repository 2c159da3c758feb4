//! How calls end: an answer, or a status with its message and trailers.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::held::Part;
use crate::message::{PREFIX_BYTES, percent_encoded};

/// Status codes of gRPC that the front itself sends.
pub mod status {
    pub const DEADLINE_EXCEEDED: u16 = 4;
    pub const RESOURCE_EXHAUSTED: u16 = 8;
    pub const UNIMPLEMENTED: u16 = 12;
    pub const INTERNAL: u16 = 13;
    pub const UNAVAILABLE: u16 = 14;
}

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// Trailing metadata that tells when to repeat a call, by its name in quotad and in gRPC.
const RETRY_AFTER: [&str; 2] = ["quotad-retry-after-ms", "grpc-retry-pushback-ms"];
/// As `RETRY_AFTER_MS` of quotad/errors.py.
const RETRY_AFTER_MS: &str = "250";
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// How a call fails.
#[derive(Clone)]
pub struct Failure {
    pub code: u16,
    pub message: Cow<'static, str>,
    /// Trailing metadata; names and values that cannot be headers are left out.
    pub metadata: Vec<(String, String)>,
}

impl Failure {
    pub fn new(code: u16, message: impl Into<Cow<'static, str>>) -> Failure {
        Failure {
            code,
            message: message.into(),
            metadata: Vec::new(),
        }
    }

    /// Adds how long to wait before the call is repeated: nothing was done, and there may be room then.
    pub fn for_now(mut self) -> Failure {
        for name in RETRY_AFTER {
            self.metadata.push((name.into(), RETRY_AFTER_MS.into()));
        }
        self
    }
}

/// Of a call for which there is no place.
pub fn too_many_calls(calls_max: usize) -> Failure {
    let message = format!("more than {calls_max} calls are under way");
    Failure::new(status::RESOURCE_EXHAUSTED, message).for_now()
}

/// The parts of an answer that are the same for every call.
pub struct Replies {
    head: Response<()>,
    trailers: HeaderMap,
}

impl Replies {
    pub fn new() -> Replies {
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
        Replies {
            head: head(),
            trailers,
        }
    }

    /// Answers a call; one that is gone is ignored.
    pub fn answer(&self, respond: &mut SendResponse<Part>, framed: Part) {
        // Each of these fails only when the stream is gone.
        if let Ok(mut stream) = respond.send_response(self.head.clone(), false) {
            let _ = stream.send_data(framed, false);
            let _ = stream.send_trailers(self.trailers.clone());
        }
    }
}

/// A message with the prefix that gRPC puts before it.
pub fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

/// Ends a call with a status; one that is gone is ignored.
pub fn fail(respond: &mut SendResponse<Part>, failure: &Failure) {
    let mut response = head();
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, failure.code.into());
    let message = HeaderValue::from_maybe_shared(percent_encoded(&failure.message));
    headers.insert(GRPC_MESSAGE, message.expect("only printable ASCII is left"));
    if failure.code == status::UNIMPLEMENTED {
        headers.insert(GRPC_ACCEPT_ENCODING, IDENTITY);
    }
    for (name, value) in &failure.metadata {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        ) {
            headers.append(name, value);
        }
    }
    let _ = respond.send_response(response, true);
}

/// Ends what is not a call of gRPC at all.
pub fn refuse_http(respond: &mut SendResponse<Part>, code: StatusCode) {
    let mut response = Response::new(());
    *response.status_mut() = code;
    let _ = respond.send_response(response, true);
}

fn head() -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}
