//! The I/O thread: accepts connections, sends answers, looks after what takes too long.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::SendResponse;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::calls::{Answer, Calls, Open, Ticket};
use crate::connection::{self, Link};
use crate::inbox::Waiting;
use crate::listen::Listening;
use crate::proxy::Behind;
use crate::reply::{self, Failure, Replies, status};
use crate::shared::{Shared, Stage};
use crate::socket::{Socket, Stream};

/// How often deadlines are looked at, while there are connections.
const TICK: Duration = Duration::from_millis(100);

/// How long to wait after a connection could not be accepted: without file descriptors left, the
/// next attempt fails at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What belongs to the I/O thread.
pub struct Front {
    pub shared: Arc<Shared>,
    pub behind: Behind,
    pub replies: Replies,
    calls: RefCell<Calls>,
    /// Calls that came in this turn and do not wait in the inbox yet.
    fresh: RefCell<Vec<Waiting>>,
    links: RefCell<Vec<Rc<Link>>>,
    /// A connection was accepted or has ended.
    changed: Notify,
    stopping: Failure,
    told_stage: Cell<Stage>,
}

impl Front {
    fn new(shared: Arc<Shared>) -> Front {
        let settings = &shared.settings;
        let (message, reason) = settings.stopping.clone();
        Front {
            behind: Behind::new(settings.behind.clone()),
            replies: Replies::new(),
            calls: RefCell::default(),
            fresh: RefCell::default(),
            links: RefCell::default(),
            changed: Notify::new(),
            stopping: Failure {
                code: status::UNAVAILABLE,
                message: message.into(),
                metadata: vec![("quotad-reason".into(), reason)],
            },
            told_stage: Cell::new(Stage::Serving),
            shared,
        }
    }

    /// Takes a call in that has arrived whole; it waits in the inbox after `hand_over`.
    pub fn admit(
        &self,
        mut respond: SendResponse<Bytes>,
        method: u32,
        payload: Bytes,
        deadline: Option<Instant>,
    ) {
        let counters = &self.shared.counters;
        let mut calls = self.calls.borrow_mut();
        let calls_max = self.shared.settings.calls_max;
        if calls.len() >= calls_max {
            counters.calls_refused.add(1);
            let message = format!("more than {calls_max} calls are under way");
            return reply::fail(
                &mut respond,
                &Failure::new(status::RESOURCE_EXHAUSTED, message),
            );
        }
        let ticket = Arc::new(Ticket::default());
        let waker = Waker::from(ticket.clone());
        if respond
            .poll_reset(&mut Context::from_waker(&waker))
            .is_ready()
        {
            return counters.calls_given_up.add(1);
        }
        counters.calls.add(1);
        counters.calls_open.add(1);
        let id = calls.insert(Open {
            respond,
            ticket: ticket.clone(),
            deadline,
        });
        self.fresh.borrow_mut().push(Waiting {
            id,
            method,
            payload,
            deadline,
            ticket,
        });
    }

    /// Puts the calls of this turn into the inbox, or refuses them.
    pub fn hand_over(&self) {
        let mut fresh = self.fresh.borrow_mut();
        if fresh.is_empty() || self.shared.inbox.put(&mut fresh) {
            return;
        }
        for call in fresh.drain(..) {
            self.shared.counters.calls_refused.add(1);
            self.end(call.id, |open| {
                reply::fail(&mut open.respond, &self.stopping)
            });
        }
    }

    fn end(&self, id: u64, how: impl FnOnce(&mut Open)) {
        if let Some(mut open) = self.calls.borrow_mut().remove(id) {
            self.shared.counters.calls_open.take_off(1);
            how(&mut open);
        }
    }

    fn send_answers(&self) {
        for (id, answer) in self.shared.outbox.take() {
            match answer {
                Answer::Message(framed) => {
                    self.end(id, |open| self.replies.answer(&mut open.respond, framed));
                }
                Answer::Failed(failure) => {
                    self.end(id, |open| reply::fail(&mut open.respond, &failure));
                }
                Answer::Late => self.end(id, end_late),
                Answer::GivenUp => {
                    self.shared.counters.calls_given_up.add(1);
                    self.end(id, |_| ());
                }
            }
        }
    }

    fn end_late_calls(&self) {
        let late = self.calls.borrow_mut().remove_late(Instant::now());
        for mut open in late {
            self.shared.counters.calls_open.take_off(1);
            open.ticket.give_up();
            end_late(&mut open);
        }
    }

    fn refuse_open_calls(&self) {
        let left = self.calls.borrow_mut().remove_all();
        for mut open in left {
            self.shared.counters.calls_open.take_off(1);
            open.ticket.give_up();
            reply::fail(&mut open.respond, &self.stopping);
        }
    }

    fn add_link(&self) -> Rc<Link> {
        let link = Rc::new(Link::default());
        self.links.borrow_mut().push(link.clone());
        self.shared.counters.connections.add(1);
        self.shared.counters.connections_open.add(1);
        self.changed.notify_waiters();
        link
    }

    fn remove_link(&self, link: &Rc<Link>) {
        self.links
            .borrow_mut()
            .retain(|each| !Rc::ptr_eq(each, link));
        self.shared.counters.connections_open.take_off(1);
        self.changed.notify_waiters();
    }

    fn links_open(&self) -> usize {
        self.links.borrow().len()
    }

    /// Asks clients to open further calls elsewhere; their connections end with the last call.
    fn end_links(&self) {
        for link in self.links.borrow().iter() {
            link.end_gracefully();
        }
    }
}

fn end_late(open: &mut Open) {
    reply::fail(
        &mut open.respond,
        &Failure::new(status::DEADLINE_EXCEEDED, "the deadline has passed"),
    );
}

/// Serves until the front is closed; the body of the I/O thread.
pub fn run(shared: Arc<Shared>, listening: Listening) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    LocalSet::new().block_on(&runtime, serve(Rc::new(Front::new(shared)), listening))
}

async fn serve(front: Rc<Front>, listening: Listening) -> io::Result<()> {
    let (mut acceptors, path) = match listening {
        Listening::Tcp(listeners) => {
            let mut acceptors = Vec::with_capacity(listeners.len());
            for listener in listeners {
                let listener = Listener::Tcp(TcpListener::from_std(listener)?);
                acceptors.push(spawn_local(accept(front.clone(), listener)));
            }
            (acceptors, None)
        }
        Listening::Unix(listener, path) => {
            let listener = Listener::Unix(UnixListener::from_std(listener)?);
            (
                vec![spawn_local(accept(front.clone(), listener))],
                Some(path),
            )
        }
    };
    let ticking = spawn_local(tick(front.clone()));
    while front.shared.stage() < Stage::Closing {
        front.shared.outbox.filled.notified().await;
        front.send_answers();
        if front.shared.stage() == Stage::Draining && front.told_stage.get() == Stage::Serving {
            front.told_stage.set(Stage::Draining);
            front.end_links();
        }
    }
    stop_all(&mut acceptors).await;
    ticking.abort();
    front.refuse_open_calls();
    front.end_links();
    // Those that do not read their answers are cut off after the grace.
    let _ = timeout(front.shared.grace(), wait_for_links(&front)).await;
    if let Some(path) = path {
        let _ = std::fs::remove_file(path); // gone already: somebody has cleaned up
    }
    Ok(())
}

async fn stop_all(tasks: &mut Vec<JoinHandle<()>>) {
    for task in tasks.drain(..) {
        task.abort();
        let _ = task.await; // its listener is closed now
    }
}

async fn wait_for_links(front: &Front) {
    while front.links_open() > 0 {
        front.changed.notified().await;
    }
}

async fn tick(front: Rc<Front>) {
    loop {
        if front.links_open() == 0 {
            front.changed.notified().await;
        }
        sleep(TICK).await;
        front.end_late_calls();
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match self {
            Listener::Tcp(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Stream::Tcp(stream)),
            Listener::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

async fn accept(front: Rc<Front>, listener: Listener) {
    loop {
        match poll_fn(|cx| listener.poll_accept(cx)).await {
            // Closed at once, so that a client can go elsewhere instead of waiting.
            Ok(_) if front.links_open() >= front.shared.settings.connections_max => {
                front.shared.counters.connections_refused.add(1);
            }
            Ok(stream) => {
                let socket = Socket::new(stream, front.shared.counters.clone());
                let link = front.add_link();
                let front = front.clone();
                spawn_local(async move {
                    connection::serve(front.clone(), socket, &link).await;
                    front.remove_link(&link);
                });
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}
