//! Reading the one message of a unary request.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http::request::Parts;

use crate::held::Share;
use crate::reply::{Failure, PREFIX_BYTES, status};

/// What is checked before any of the body is looked at; returns the deadline.
pub fn check_head(head: &Parts) -> Result<Option<Instant>, Failure> {
    if let Some(encoding) = head.headers.get("grpc-encoding")
        && encoding != "identity"
    {
        return Err(Failure::new(
            status::UNIMPLEMENTED,
            "compressed requests are not supported; send them with grpc-encoding: identity",
        ));
    }
    let Some(timeout) = head.headers.get("grpc-timeout") else {
        return Ok(None);
    };
    match parse_timeout(timeout.as_bytes()) {
        Some(timeout) => Ok(Instant::now().checked_add(timeout)),
        None => Err(Failure::new(
            status::INTERNAL,
            "grpc-timeout is not a number of at most eight digits and a unit",
        )),
    }
}

/// At most eight digits and one of H, M, S, m, u, n.
fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// Why there is no message.
pub enum Broken {
    /// The client has given the call up, or its connection is gone.
    Gone,
    Refused(Failure),
}

/// A message that is still arriving.
pub struct Reading {
    body: RecvStream,
    bytes_max: usize,
    share: Share,
    /// What has come when it came in one piece, which is nearly always so.
    first: Bytes,
    /// What has come when it came in several.
    gathered: BytesMut,
}

impl Reading {
    pub fn new(body: RecvStream, bytes_max: usize, share: Share) -> Reading {
        Reading {
            body,
            bytes_max,
            share,
            first: Bytes::new(),
            gathered: BytesMut::new(),
        }
    }

    /// The message, once the client has sent all of it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        while let Some(part) = ready!(self.body.poll_data(cx)) {
            let Ok(part) = part else {
                return Poll::Ready(Err(Broken::Gone));
            };
            // Fails only when the stream is gone, which the next look shows.
            let _ = self.body.flow_control().release_capacity(part.len());
            if let Err(failure) = self.take(part) {
                return Poll::Ready(Err(Broken::Refused(failure)));
            }
        }
        Poll::Ready(self.message().map_err(Broken::Refused))
    }

    fn take(&mut self, part: Bytes) -> Result<(), Failure> {
        let has_room = self.share.grow(part.len());
        if self.first.is_empty() && self.gathered.is_empty() {
            self.first = part;
        } else {
            if self.gathered.is_empty() {
                self.gathered.extend_from_slice(&self.first);
            }
            self.gathered.extend_from_slice(&part);
        }
        let got = self.got();
        if got.len() < PREFIX_BYTES {
            return Ok(());
        }
        let size = message_size(got);
        if size > self.bytes_max {
            return Err(Failure::new(
                status::RESOURCE_EXHAUSTED,
                format!("request of {size} bytes is larger than {}", self.bytes_max),
            ));
        }
        if got.len() > PREFIX_BYTES + size {
            return Err(not_one_message());
        }
        if !has_room {
            return Err(no_room());
        }
        Ok(())
    }

    /// What the message holds, for as long as its call is open.
    pub fn into_share(self) -> Share {
        self.share
    }

    fn got(&self) -> &[u8] {
        if self.gathered.is_empty() {
            &self.first
        } else {
            &self.gathered
        }
    }

    fn message(&mut self) -> Result<Bytes, Failure> {
        let got = self.got();
        if got.len() < PREFIX_BYTES || got.len() != PREFIX_BYTES + message_size(got) {
            return Err(not_one_message());
        }
        match got[0] {
            0 => {}
            1 => {
                return Err(Failure::new(
                    status::INTERNAL,
                    "the request is marked as compressed, and its headers name no encoding",
                ));
            }
            _ => return Err(not_one_message()),
        }
        let whole = if self.gathered.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.gathered).freeze()
        };
        Ok(whole.slice(PREFIX_BYTES..))
    }
}

/// Reads what nothing is done with, up to a size; fails when the stream does.
pub async fn discard(body: &mut RecvStream, bytes_max: usize) -> Result<(), h2::Error> {
    let mut left = bytes_max;
    while let Some(part) = body.data().await {
        let size = part?.len();
        body.flow_control().release_capacity(size)?;
        let Some(fewer) = left.checked_sub(size) else {
            return Ok(());
        };
        left = fewer;
    }
    body.trailers().await.map(drop)
}

fn message_size(got: &[u8]) -> usize {
    u32::from_be_bytes([got[1], got[2], got[3], got[4]]) as usize
}

/// Why a call is refused whose connection holds too much.
pub fn no_room() -> Failure {
    Failure::new(
        status::RESOURCE_EXHAUSTED,
        "too many bytes of requests and of answers that were not read are held",
    )
}

fn not_one_message() -> Failure {
    Failure::new(
        status::INTERNAL,
        "the request is not exactly one message of gRPC",
    )
}
