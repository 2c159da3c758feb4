//! One connection of a client: takes its calls in, and keeps its bytes moving.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use http::request::Parts;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::details::{Details, Origin};
use crate::held::Part;
use crate::link::{Link, Order};
use crate::proxy;
use crate::reply::{self, Failure, status};
use crate::request::{self, Broken, Reading};
use crate::serve::Front;
use crate::socket::{Socket, Stream};

/// What a stream may send before it is read; a single message need not wait for more.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// What a connection may send before it is read.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Calls that are reset before anything has looked at them, which happens when a burst of them
/// arrives in one piece; more end the connection. The library's default, 20, would end the calls
/// of everyone who shares a connection with a hasty caller.
const RESETS_AT_ONCE_MAX: usize = 10_000;

/// Serves a connection until it ends.
pub async fn serve(front: Rc<Front>, stream: Stream, link: Rc<Link>) {
    let settings = &front.shared.settings;
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(settings.streams_max)
        .max_header_list_size(settings.header_bytes_max)
        .max_pending_accept_reset_streams(RESETS_AT_ONCE_MAX);
    let greeting = async {
        let stream = match (stream, front.shared.tls()) {
            (Stream::Tcp(stream), Some(config)) => Stream::Tls(Box::new(
                TlsAcceptor::from(config).accept(stream).await.ok()?,
            )),
            (stream, _) => stream,
        };
        if front.shared.asks.origin() {
            link.comes_from(Origin::of(&stream));
        }
        let socket = Socket::new(stream, front.shared.counters.clone(), link.clone());
        builder.handshake(socket).await.ok()
    };
    let Ok(Some(mut http2)) = timeout(settings.patience(), greeting).await else {
        return;
    };
    Connection {
        pings: http2.ping_pong(),
        http2,
        is_leaving: false,
        calls: Caller { front, link },
    }
    .await;
}

struct Connection {
    http2: server::Connection<Socket, Part>,
    pings: Option<PingPong>,
    is_leaving: bool,
    calls: Caller,
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.calls.link.follow(cx);
        match self.calls.link.order() {
            Order::Break => return Poll::Ready(()),
            Order::Leave if !self.is_leaving => {
                self.is_leaving = true;
                self.http2.graceful_shutdown();
            }
            _ => {}
        }
        self.ping(cx);
        let progress = loop {
            match self.http2.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.calls.begin(request, respond),
                // A connection that broke needs no more than one that was closed.
                Poll::Ready(Some(Err(_)) | None) => break Poll::Ready(()),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.calls.front.hand_over();
        progress
    }
}

impl Connection {
    fn ping(&mut self, cx: &mut Context<'_>) {
        let Some(pings) = &mut self.pings else {
            return;
        };
        if self.calls.link.take_ping() {
            // Fails only while another one is under way, which is as good.
            let _ = pings.send_ping(Ping::opaque());
        }
        if pings.poll_pong(cx).is_ready() {
            self.calls.link.hear_pong();
        }
    }
}

/// Begins the calls of one connection.
#[derive(Clone)]
struct Caller {
    front: Rc<Front>,
    link: Rc<Link>,
}

impl Caller {
    fn begin(&self, request: Request<RecvStream>, mut respond: SendResponse<Part>) {
        let (head, body) = request.into_parts();
        if let Err(code) = check_http(&head) {
            if body.is_end_stream() {
                return reply::refuse_http(&mut respond, code);
            }
            spawn_local(self.clone().refuse_once_read(body, respond, code));
            return;
        }
        let settings = &self.front.shared.settings;
        if let Err(failure) = self.check_bounds() {
            return self.refuse(&mut respond, &failure);
        }
        let path = head.uri.path();
        // A handful of paths of different lengths: comparing them costs less than a hash.
        let Some(method) = settings.methods.iter().position(|each| each == path) else {
            let (front, link) = (self.front.clone(), self.link.clone());
            front.shared.counters.calls_passed_on.add(1);
            spawn_local(proxy::pass_on(front, link, head, body, respond));
            return;
        };
        let deadline = match request::check_head(&head) {
            Ok(deadline) => deadline,
            Err(failure) => return self.refuse(&mut respond, &failure),
        };
        let mut arriving = Arriving {
            reading: Reading::new(body, settings.message_bytes_max, self.link.call()),
            respond,
            method: method as u32,
            deadline,
            details: self.front.shared.asks.take(&head.headers, &self.link),
        };
        // Nearly always the message has come together with its headers.
        match arriving
            .reading
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(message) => self.end(arriving, message),
            Poll::Pending => {
                spawn_local(self.clone().wait_for(arriving));
            }
        }
    }

    fn check_bounds(&self) -> Result<(), Failure> {
        let resets_max = self.front.shared.settings.resets_max;
        if self.link.resets.load(Relaxed) > resets_max {
            return Err(Failure::new(
                status::RESOURCE_EXHAUSTED,
                format!("more than {resets_max} calls of this connection were reset in a second"),
            )
            .for_now());
        }
        if self.link.account.is_full() {
            return Err(request::no_room());
        }
        Ok(())
    }

    async fn wait_for(self, mut arriving: Arriving) {
        let longest = self.front.shared.settings.patience();
        let left = arriving
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
            .filter(|left| *left < longest);
        let whole = poll_fn(|cx| arriving.reading.poll(cx));
        match timeout(left.unwrap_or(longest), whole).await {
            Ok(message) => self.end(arriving, message),
            Err(_) => {
                let late = "the request has not arrived whole in time";
                let failure = Failure::new(status::DEADLINE_EXCEEDED, late);
                self.refuse(&mut arriving.respond, &failure);
            }
        }
        self.front.hand_over();
    }

    /// Answers what is no call after all of it has come: what is wrong with the rest of it is for
    /// HTTP/2 to refuse, and clients of HTTP need not read an answer while they send.
    async fn refuse_once_read(
        self,
        mut body: RecvStream,
        mut respond: SendResponse<Part>,
        code: StatusCode,
    ) {
        let settings = &self.front.shared.settings;
        let _share = self.link.call(); // for as long as it is open
        let bytes_max = settings.message_bytes_max;
        let read = timeout(settings.patience(), request::discard(&mut body, bytes_max)).await;
        if !matches!(read, Ok(Err(_))) {
            reply::refuse_http(&mut respond, code);
        }
    }

    fn end(&self, mut call: Arriving, message: Result<Bytes, Broken>) {
        match message {
            Ok(payload) => self.front.admit(call, payload, &self.link),
            Err(Broken::Refused(failure)) => self.refuse(&mut call.respond, &failure),
            Err(Broken::Gone) => {
                self.link.count_reset();
                self.front.shared.counters.calls_given_up.add(1);
            }
        }
    }

    fn refuse(&self, respond: &mut SendResponse<Part>, failure: &Failure) {
        self.front.shared.counters.calls_refused.add(1);
        reply::fail(respond, failure);
    }
}

/// What is not a call of gRPC is refused in the words of HTTP.
fn check_http(head: &Parts) -> Result<(), StatusCode> {
    if head.method != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    match head.headers.get(CONTENT_TYPE) {
        Some(value) if value.as_bytes().starts_with(b"application/grpc") => Ok(()),
        _ => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
    }
}

/// A call whose message is on its way.
pub struct Arriving {
    pub reading: Reading,
    pub respond: SendResponse<Part>,
    pub method: u32,
    pub deadline: Option<Instant>,
    pub details: Option<Arc<Details>>,
}
