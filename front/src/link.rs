//! What the rest of the front knows of a connection, and what time does to it: it is pinged when
//! nothing is heard of it, and ended when it is idle, too old or silent.

use std::cell::{Cell, OnceCell, RefCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::details::{Details, Origin};
use crate::held::{Account, Share, Total};
use crate::settings::Settings;

/// What a connection is asked to do.
#[derive(Clone, Copy, PartialEq)]
pub enum Order {
    Serve,
    /// Ask the client for no further calls, and end with the last of those it has.
    Leave,
    /// End now.
    Break,
}

pub struct Link {
    /// Where it comes from; None for a Unix socket.
    pub peer: Option<IpAddr>,
    origin: OnceCell<Arc<Origin>>,
    /// Of the call that came last.
    pub details: RefCell<Option<Arc<Details>>>,
    pub account: Rc<Account>,
    /// Calls that the client has reset in this second; shared with those that it may reset.
    pub resets: Arc<AtomicU32>,
    order: Cell<Order>,
    task: RefCell<Option<Waker>>,
    is_to_ping: Cell<bool>,
    pinged: Cell<Option<Instant>>,
    heard: Cell<bool>,
    last_heard: Cell<Instant>,
    called: Cell<bool>,
    last_called: Cell<Instant>,
    asked_to_leave: Cell<Option<Instant>>,
    leaves_at: Option<Instant>,
}

impl Link {
    pub fn new(peer: Option<IpAddr>, total: &Rc<Total>, age_max: Option<Duration>) -> Link {
        let now = Instant::now();
        Link {
            peer,
            origin: OnceCell::new(),
            details: RefCell::default(),
            account: Account::new(total.clone()),
            resets: Arc::default(),
            order: Cell::new(Order::Serve),
            task: RefCell::default(),
            is_to_ping: Cell::default(),
            pinged: Cell::default(),
            heard: Cell::default(),
            last_heard: Cell::new(now),
            called: Cell::default(),
            last_called: Cell::new(now),
            asked_to_leave: Cell::default(),
            leaves_at: age_max.map(|age| now + spread(age)),
        }
    }

    /// Notes where the connection comes from.
    pub fn comes_from(&self, origin: Origin) {
        let _ = self.origin.set(origin.into()); // once, when it begins
    }

    /// Where it comes from; None: the server does not ask for it.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.get()
    }

    /// Notes that the client has sent something.
    pub fn hear(&self) {
        self.heard.set(true);
    }

    /// Notes a new call; its share is what keeps the connection from being idle.
    pub fn call(&self) -> Share {
        self.called.set(true);
        Share::new(&self.account)
    }

    /// Notes that the client has reset a call.
    pub fn count_reset(&self) {
        self.resets.fetch_add(1, Relaxed);
    }

    /// Asks the client for no further calls, and ends the connection with the last of those it has.
    pub fn leave(&self) {
        if self.order.get() == Order::Serve {
            self.asked_to_leave.set(Some(Instant::now()));
            self.give(Order::Leave);
        }
    }

    pub fn order(&self) -> Order {
        self.order.get()
    }

    /// Whether a ping is to be sent; asked once for each.
    pub fn take_ping(&self) -> bool {
        self.is_to_ping.take()
    }

    pub fn hear_pong(&self) {
        self.pinged.set(None);
    }

    /// Lets the task of the connection be woken.
    pub fn follow(&self, cx: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
    }

    /// Looks after the connection; called once a second.
    pub fn look_after(&self, now: Instant, settings: &Settings) {
        self.resets.store(0, Relaxed);
        if self.heard.take() {
            self.last_heard.set(now);
        }
        let has_calls = Rc::strong_count(&self.account) > 1;
        if self.called.take() || has_calls {
            self.last_called.set(now);
        }
        if let Some(asked) = self.asked_to_leave.get() {
            // One that has no calls left has closed its side by now, unless nobody is there.
            if !has_calls && now > asked.max(self.last_called.get()) + settings.patience() {
                self.give(Order::Break);
            }
        } else if self.leaves_at.is_some_and(|time| now > time)
            || settings
                .idle()
                .is_some_and(|idle| now > self.last_called.get() + idle)
        {
            self.leave();
        }
        match (self.pinged.get(), settings.keepalive()) {
            (Some(pinged), _) if now > pinged + settings.patience() => self.give(Order::Break),
            (None, Some(silence)) if now > self.last_heard.get() + silence => {
                self.pinged.set(Some(now));
                self.is_to_ping.set(true);
                self.wake();
            }
            _ => {}
        }
    }

    fn give(&self, order: Order) {
        self.order.set(order);
        self.wake();
    }

    fn wake(&self) {
        if let Some(task) = self.task.borrow_mut().take() {
            task.wake();
        }
    }
}

/// A time at most a tenth longer: connections of one moment do not all end at one moment.
fn spread(age: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 100;
    age + age / 1000 * random as u32
}
