//! Reading the one message of a unary request.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::RecvStream;
use http::request::Parts;

use crate::held::Share;
use crate::message::{Body, Wrong, parse_timeout};
use crate::reply::{Failure, status};

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

/// Why there is no message.
pub enum Broken {
    /// The client has given the call up, or its connection is gone.
    Gone,
    Refused(Failure),
}

/// A message that is still arriving.
pub struct Reading {
    stream: RecvStream,
    body: Body,
    bytes_max: usize,
    share: Share,
}

impl Reading {
    pub fn new(stream: RecvStream, bytes_max: usize, share: Share) -> Reading {
        Reading {
            stream,
            body: Body::new(bytes_max),
            bytes_max,
            share,
        }
    }

    /// The message, once the client has sent all of it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        while let Some(part) = ready!(self.stream.poll_data(cx)) {
            let Ok(part) = part else {
                return Poll::Ready(Err(Broken::Gone));
            };
            // Fails only when the stream is gone, which the next look shows.
            let _ = self.stream.flow_control().release_capacity(part.len());
            let has_room = self.share.grow(part.len());
            if let Err(wrong) = self.body.add(part) {
                return Poll::Ready(Err(self.refused(wrong)));
            }
            if !has_room {
                return Poll::Ready(Err(Broken::Refused(no_room())));
            }
        }
        Poll::Ready(self.body.finish().map_err(|wrong| self.refused(wrong)))
    }

    /// What the message holds, for as long as its call is open.
    pub fn into_share(self) -> Share {
        self.share
    }

    fn refused(&self, wrong: Wrong) -> Broken {
        Broken::Refused(match wrong {
            Wrong::TooLarge(size) => Failure::new(
                status::RESOURCE_EXHAUSTED,
                format!("request of {size} bytes is larger than {}", self.bytes_max),
            ),
            Wrong::NotOneMessage => Failure::new(
                status::INTERNAL,
                "the request is not exactly one message of gRPC",
            ),
            Wrong::Compressed => Failure::new(
                status::INTERNAL,
                "the request is marked as compressed, and its headers name no encoding",
            ),
        })
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

/// Why a call is refused whose connection holds too much.
pub fn no_room() -> Failure {
    Failure::new(
        status::RESOURCE_EXHAUSTED,
        "too many bytes of requests and of answers that were not read are held",
    )
    .for_now()
}
