//! The I/O thread: accepts connections, sends answers, looks after what takes too long.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::accept::{self, Listener};
use crate::calls::{Answer, Calls, Open, Ticket};
use crate::connection::Arriving;
use crate::held::{Part, Total};
use crate::inbox::Waiting;
use crate::link::Link;
use crate::listen::Listening;
use crate::proxy::Behind;
use crate::reply::{self, Failure, Replies, status};
use crate::shared::{Shared, Stage};

/// How often deadlines are looked at, while there are connections.
const TICK: Duration = Duration::from_millis(100);
/// How many of these pass between two looks at the connections: a second.
const TICKS_PER_LOOK: u32 = 10;

/// What belongs to the I/O thread.
pub struct Front {
    pub shared: Arc<Shared>,
    pub behind: Behind,
    pub replies: Replies,
    calls: RefCell<Calls>,
    /// Calls that came in this turn and do not wait in the inbox yet.
    fresh: RefCell<Vec<Waiting>>,
    links: RefCell<Vec<Rc<Link>>>,
    /// Connections by where they come from.
    peers: RefCell<HashMap<Option<IpAddr>, usize>>,
    held: Rc<Total>,
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
            peers: RefCell::default(),
            held: Rc::new(Total::new(settings.held_bytes_max)),
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
    pub fn admit(&self, call: Arriving, payload: Bytes, link: &Link) {
        let Arriving {
            reading,
            mut respond,
            method,
            deadline,
            details,
        } = call;
        let counters = &self.shared.counters;
        let mut calls = self.calls.borrow_mut();
        let calls_max = self.shared.settings.calls_max;
        if calls.len() >= calls_max {
            counters.calls_refused.add(1);
            return reply::fail(&mut respond, &reply::too_many_calls(calls_max));
        }
        let ticket = Arc::new(Ticket::new(link.resets.clone()));
        let waker = Waker::from(ticket.clone());
        if respond
            .poll_reset(&mut Context::from_waker(&waker))
            .is_ready()
        {
            link.count_reset();
            return counters.calls_given_up.add(1);
        }
        counters.calls.add(1);
        counters.calls_open.add(1);
        let id = calls.insert(Open {
            respond,
            share: reading.into_share(),
            ticket: ticket.clone(),
            deadline,
        });
        self.fresh.borrow_mut().push(Waiting {
            id,
            method,
            payload,
            deadline,
            details,
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
            self.end(call.id, |mut open| {
                reply::fail(&mut open.respond, &self.stopping)
            });
        }
    }

    fn end(&self, id: u64, how: impl FnOnce(Open)) {
        if let Some(open) = self.calls.borrow_mut().remove(id) {
            self.shared.counters.calls_open.take_off(1);
            how(open);
        }
    }

    fn send_answers(&self) {
        for (id, answer) in self.shared.outbox.take() {
            match answer {
                Answer::Message(framed) => {
                    self.end(id, |mut open| {
                        let part = Part::new(framed, open.share);
                        self.replies.answer(&mut open.respond, part);
                    });
                }
                Answer::Failed(failure) => {
                    self.end(id, |mut open| reply::fail(&mut open.respond, &failure));
                }
                Answer::Late => self.end(id, |mut open| end_late(&mut open)),
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

    /// A place for a connection; None: there are too many, in all or from its address.
    pub fn add_link(&self, peer: Option<IpAddr>) -> Option<Rc<Link>> {
        let settings = &self.shared.settings;
        let mut peers = self.peers.borrow_mut();
        let of_peer = peers.get(&peer).copied().unwrap_or_default();
        if self.links_open() >= settings.connections_max
            || (peer.is_some() && of_peer >= settings.connections_per_peer_max)
        {
            self.shared.counters.connections_refused.add(1);
            return None;
        }
        peers.insert(peer, of_peer + 1);
        let age_max = settings.connection_age_max();
        let link = Rc::new(Link::new(peer, &self.held, age_max));
        self.links.borrow_mut().push(link.clone());
        self.shared.counters.connections.add(1);
        self.shared.counters.connections_open.add(1);
        self.changed.notify_waiters();
        Some(link)
    }

    pub fn remove_link(&self, link: &Rc<Link>) {
        self.links
            .borrow_mut()
            .retain(|each| !Rc::ptr_eq(each, link));
        if let Entry::Occupied(mut count) = self.peers.borrow_mut().entry(link.peer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        self.shared.counters.connections_open.take_off(1);
        self.changed.notify_waiters();
    }

    fn links_open(&self) -> usize {
        self.links.borrow().len()
    }

    /// Asks clients to open further calls elsewhere; their connections end with the last call.
    fn end_links(&self) {
        for link in self.links.borrow().iter() {
            link.leave();
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
                acceptors.push(spawn_local(accept::run(front.clone(), listener)));
            }
            (acceptors, None)
        }
        Listening::Unix(listener, path) => {
            let listener = Listener::Unix(UnixListener::from_std(listener)?);
            (
                vec![spawn_local(accept::run(front.clone(), listener))],
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
        for _ in 0..TICKS_PER_LOOK {
            sleep(TICK).await;
            front.end_late_calls();
        }
        let now = Instant::now();
        for link in front.links.borrow().iter() {
            link.look_after(now, &front.shared.settings);
        }
    }
}
