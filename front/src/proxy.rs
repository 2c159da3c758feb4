//! Calls that are not for the decision threads, passed on as they are to the server behind.
//!
//! Both sides keep their flow control: a part is taken from one side's window when the other side
//! has room for it, so that a slow reader holds up nothing but its own call.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::{Buf, Bytes};
use h2::client::{self, SendRequest};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::HeaderName;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Request, Response};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::task::spawn_local;

use crate::held::Part;
use crate::link::Link;
use crate::reply::{self, Failure, status};
use crate::serve::Front;

/// What one answer may hold back in this process.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// No bound of its own: a client that does not read must not hold up the answers of others.
const CONNECTION_WINDOW_BYTES: u32 = (1 << 31) - 1;

/// The server behind; all clients' calls share one connection to it.
pub struct Behind {
    path: String,
    sender: RefCell<Option<SendRequest<Bytes>>>,
    connecting: Mutex<()>,
    calls: Cell<usize>,
}

/// A call under way at the server behind.
struct Passing<'a>(&'a Behind);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.calls.set(self.0.calls.get() - 1);
    }
}

impl Behind {
    pub fn new(path: String) -> Behind {
        Behind {
            path,
            sender: RefCell::default(),
            connecting: Mutex::default(),
            calls: Cell::default(),
        }
    }

    /// Counts a call in; None: there are too many, and HTTP/2 would let it wait for one to end.
    fn admit(&self, calls_max: usize) -> Option<Passing<'_>> {
        if self.calls.get() >= calls_max {
            return None;
        }
        self.calls.set(self.calls.get() + 1);
        Some(Passing(self))
    }

    /// A place for one call; connects first where that is needed.
    async fn sender(&self) -> Result<SendRequest<Bytes>, h2::Error> {
        if let Some(sender) = self.present().await {
            return Ok(sender);
        }
        let _alone = self.connecting.lock().await;
        if let Some(sender) = self.present().await {
            return Ok(sender); // another call has connected meanwhile
        }
        let socket = UnixStream::connect(&self.path)
            .await
            .map_err(|_| h2::Error::from(Reason::REFUSED_STREAM))?;
        let (sender, connection) = client::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .handshake(socket)
            .await?;
        spawn_local(async move {
            let _ = connection.await; // its calls learn of its end by themselves
        });
        *self.sender.borrow_mut() = Some(sender.clone());
        sender.ready().await
    }

    async fn present(&self) -> Option<SendRequest<Bytes>> {
        let sender = self.sender.borrow().clone()?;
        sender.ready().await.ok()
    }
}

/// Passes a call on, and its answer back, until either side ends it.
pub async fn pass_on(
    front: Rc<Front>,
    link: Rc<Link>,
    head: Parts,
    body: RecvStream,
    mut respond: SendResponse<Part>,
) {
    let _share = link.call(); // for as long as the call is open
    let calls_max = front.shared.settings.calls_max;
    let Some(_passing) = front.behind.admit(calls_max) else {
        front.shared.counters.calls_refused.add(1);
        return reply::fail(&mut respond, &reply::too_many_calls(calls_max));
    };
    let Ok(mut sender) = front.behind.sender().await else {
        return unavailable(&mut respond);
    };
    let Ok((answer, mut onward)) =
        sender.send_request(onward_head(head, &front, &link), body.is_end_stream())
    else {
        return unavailable(&mut respond);
    };
    let up = async {
        if !body.is_end_stream() {
            let _ = copy(body, &mut onward).await; // how the call ends is for the answer to say
        }
        pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = up => {}
        () = pass_back(answer, &mut respond, &link) => {}
    }
}

fn unavailable(respond: &mut SendResponse<Part>) {
    let message = "this part of the server is not there now; try again";
    reply::fail(
        respond,
        &Failure::new(status::UNAVAILABLE, message).for_now(),
    );
}

fn onward_head(head: Parts, front: &Front, link: &Link) -> Request<()> {
    let mut uri = head.uri.into_parts();
    // Either may be missing in what a client sends, and a client of ours must send both.
    uri.scheme.get_or_insert(Scheme::HTTP);
    uri.authority
        .get_or_insert(Authority::from_static("localhost"));
    uri.path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    let mut request = Request::new(());
    *request.method_mut() = head.method;
    *request.uri_mut() = Uri::from_parts(uri).expect("a scheme, an authority and a path");
    *request.headers_mut() = head.headers;
    if let Some(origin) = link.origin() {
        let (name, secret) = &front.shared.settings.origin_header;
        if let (Ok(name), Some(value)) = (
            HeaderName::try_from(name.as_str()),
            origin.as_header(secret),
        ) {
            request.headers_mut().insert(name, value);
        }
    }
    request
}

async fn pass_back(answer: client::ResponseFuture, respond: &mut SendResponse<Part>, link: &Link) {
    let mut answer = pin!(answer);
    // None: the client has given the call up; dropping the other side's streams resets them.
    let answer = poll_fn(|cx| match respond.poll_reset(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => answer.as_mut().poll(cx).map(Some),
    })
    .await;
    let (head, body) = match answer {
        None => return link.count_reset(),
        Some(Ok(answer)) => answer.into_parts(),
        Some(Err(error)) => return respond.send_reset(reason_of(&error)),
    };
    let is_whole = body.is_end_stream();
    let Ok(mut back) = respond.send_response(Response::from_parts(head, ()), is_whole) else {
        return;
    };
    if !is_whole && let Err(error) = copy(body, &mut back).await {
        back.send_reset(reason_of(&error));
    }
}

fn reason_of(error: &h2::Error) -> Reason {
    error.reason().unwrap_or(Reason::INTERNAL_ERROR)
}

/// Copies data and trailers; an error of either side ends it.
async fn copy<B: Buf + From<Bytes>>(
    mut from: RecvStream,
    to: &mut SendStream<B>,
) -> Result<(), h2::Error> {
    while let Some(part) = next(&mut from, to, RecvStream::poll_data).await? {
        let size = part.len();
        send(part, to).await?;
        from.flow_control().release_capacity(size)?;
    }
    match next(&mut from, to, |from, cx| {
        from.poll_trailers(cx).map(Result::transpose)
    })
    .await?
    {
        Some(trailers) => to.send_trailers(trailers),
        None => to.send_data(Bytes::new().into(), true),
    }
}

/// What comes next from one side, unless the other ends the stream before.
async fn next<T, B: Buf>(
    from: &mut RecvStream,
    to: &mut SendStream<B>,
    poll: impl Fn(&mut RecvStream, &mut std::task::Context<'_>) -> Poll<Option<Result<T, h2::Error>>>,
) -> Result<Option<T>, h2::Error> {
    poll_fn(|cx| match to.poll_reset(cx) {
        Poll::Ready(reset) => Poll::Ready(Err(reset.map_or_else(|error| error, h2::Error::from))),
        Poll::Pending => poll(from, cx).map(Option::transpose),
    })
    .await
}

async fn send<B: Buf + From<Bytes>>(
    mut part: Bytes,
    to: &mut SendStream<B>,
) -> Result<(), h2::Error> {
    while !part.is_empty() {
        to.reserve_capacity(part.len());
        match poll_fn(|cx| to.poll_capacity(cx)).await {
            None => return Err(Reason::CANCEL.into()),
            Some(granted) => {
                let size = granted?.min(part.len());
                to.send_data(part.split_to(size).into(), false)?;
            }
        }
    }
    Ok(())
}
