//! One connection of a client: takes its calls in, and keeps its bytes moving.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::RecvStream;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::proxy;
use crate::reply::{self, Failure, status};
use crate::request::{self, Broken, Reading};
use crate::serve::Front;
use crate::socket::Socket;

/// What a stream may send before it is read; a single message need not wait for more.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// What a connection may send before it is read.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Calls that are reset before anything has looked at them, which happens when a burst of them
/// arrives in one piece. The default of HTTP/2's library, 20, ends the connection and with it the
/// calls of everyone who shares it.
const RESETS_AT_ONCE_MAX: usize = 10_000;

/// What others may ask of a connection.
#[derive(Default)]
pub struct Link {
    task: RefCell<Option<Waker>>,
    is_ending: Cell<bool>,
}

impl Link {
    /// Asks the client for no further calls, and ends the connection with the last of those it has.
    pub fn end_gracefully(&self) {
        self.is_ending.set(true);
        if let Some(task) = self.task.borrow_mut().take() {
            task.wake();
        }
    }
}

/// Serves a connection until it ends.
pub async fn serve(front: Rc<Front>, socket: Socket, link: &Rc<Link>) {
    let settings = &front.shared.settings;
    let patience = Duration::from_millis(settings.handshake_timeout_ms);
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(settings.streams_max)
        .max_header_list_size(settings.header_bytes_max)
        .max_pending_accept_reset_streams(RESETS_AT_ONCE_MAX);
    let greeting = timeout(patience, builder.handshake(socket));
    let Ok(Ok(http2)) = greeting.await else {
        return;
    };
    Connection {
        front: front.clone(),
        http2,
        link: link.clone(),
        is_ending: false,
    }
    .await;
}

struct Connection {
    front: Rc<Front>,
    http2: server::Connection<Socket, Bytes>,
    link: Rc<Link>,
    is_ending: bool,
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.follow_link(cx);
        let progress = loop {
            match self.http2.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => begin(&self.front, request, respond),
                // A connection that broke needs no more than one that was closed.
                Poll::Ready(Some(Err(_)) | None) => break Poll::Ready(()),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.front.hand_over();
        progress
    }
}

impl Connection {
    fn follow_link(&mut self, cx: &Context<'_>) {
        if !self.is_ending && self.link.is_ending.get() {
            self.is_ending = true;
            self.http2.graceful_shutdown();
        }
        let mut task = self.link.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
    }
}

fn begin(front: &Rc<Front>, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        return reply::refuse_http(&mut respond, StatusCode::METHOD_NOT_ALLOWED);
    }
    let content_type = head.headers.get(CONTENT_TYPE);
    if !content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
        return reply::refuse_http(&mut respond, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let path = head.uri.path();
    let methods = &front.shared.settings.methods;
    // A handful of paths of different lengths: comparing them costs less than a hash.
    let Some(method) = methods.iter().position(|each| each == path) else {
        front.shared.counters.calls_passed_on.add(1);
        spawn_local(proxy::pass_on(front.clone(), head, body, respond));
        return;
    };
    let deadline = match request::check_head(&head) {
        Ok(deadline) => deadline,
        Err(failure) => return refuse(front, &mut respond, &failure),
    };
    let mut arriving = Arriving {
        reading: Reading::new(body, front.shared.settings.message_bytes_max),
        respond,
        method: method as u32,
        deadline,
    };
    // Nearly always the message has come together with its headers.
    match arriving
        .reading
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(message) => arriving.end(front, message),
        Poll::Pending => {
            spawn_local(arriving.finish(front.clone()));
        }
    }
}

fn refuse(front: &Front, respond: &mut SendResponse<Bytes>, failure: &Failure) {
    front.shared.counters.calls_refused.add(1);
    reply::fail(respond, failure);
}

/// A call whose message is on its way.
struct Arriving {
    reading: Reading,
    respond: SendResponse<Bytes>,
    method: u32,
    deadline: Option<Instant>,
}

impl Arriving {
    async fn finish(mut self, front: Rc<Front>) {
        let longest = Duration::from_millis(front.shared.settings.handshake_timeout_ms);
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
            .filter(|left| *left < longest);
        let whole = poll_fn(|cx| self.reading.poll(cx));
        match timeout(left.unwrap_or(longest), whole).await {
            Ok(message) => self.end(&front, message),
            Err(_) => {
                let failure = Failure::new(
                    status::DEADLINE_EXCEEDED,
                    "the request has not arrived whole in time",
                );
                refuse(&front, &mut self.respond, &failure);
            }
        }
        front.hand_over();
    }

    fn end(mut self, front: &Front, message: Result<Bytes, Broken>) {
        match message {
            Ok(message) => front.admit(self.respond, self.method, message, self.deadline),
            Err(Broken::Refused(failure)) => refuse(front, &mut self.respond, &failure),
            Err(Broken::Gone) => front.shared.counters.calls_given_up.add(1),
        }
    }
}
