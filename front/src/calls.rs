//! Calls that wait for their answers, on the I/O thread, and the answers on their way to it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use tokio::sync::Notify;

use crate::held::{Part, Share};
use crate::reply::Failure;

/// Whether a client still wants its answer; shared with the thread that takes the call.
pub struct Ticket {
    gone: AtomicBool,
    /// Of the connection.
    resets: Arc<AtomicU32>,
}

impl Ticket {
    pub fn new(resets: Arc<AtomicU32>) -> Ticket {
        Ticket {
            gone: AtomicBool::default(),
            resets,
        }
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    pub fn give_up(&self) {
        self.gone.store(true, Relaxed);
    }
}

/// HTTP/2 wakes who waits for the end of a stream that has no answer yet for one reason: the
/// client has reset it, or the connection is gone.
impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.give_up();
        self.resets.fetch_add(1, Relaxed);
    }
}

/// A call that was handed to Python.
pub struct Open {
    pub respond: SendResponse<Part>,
    /// Of the bytes that its connection holds.
    pub share: Share,
    pub ticket: Arc<Ticket>,
    pub deadline: Option<Instant>,
}

enum Slot {
    Free,
    Taken(Open),
}

/// Open calls by their ids: the place in a list, and how often that place was used.
#[derive(Default)]
pub struct Calls {
    slots: Vec<(u32, Slot)>,
    free: Vec<u32>,
}

impl Calls {
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn insert(&mut self, open: Open) -> u64 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, Slot::Free));
            (self.slots.len() - 1) as u32
        });
        let (turn, slot) = &mut self.slots[place as usize];
        *turn = turn.wrapping_add(1);
        *slot = Slot::Taken(open);
        u64::from(*turn) << 32 | u64::from(place)
    }

    /// Takes a call out; None: it has ended already.
    pub fn remove(&mut self, id: u64) -> Option<Open> {
        let place = id as u32;
        let (turn, slot) = self.slots.get_mut(place as usize)?;
        if *turn != (id >> 32) as u32 {
            return None;
        }
        match std::mem::replace(slot, Slot::Free) {
            Slot::Free => None,
            Slot::Taken(open) => {
                self.free.push(place);
                Some(open)
            }
        }
    }

    /// Takes out every call whose deadline has passed.
    pub fn remove_late(&mut self, now: Instant) -> Vec<Open> {
        self.remove_if(|open| open.deadline.is_some_and(|deadline| deadline <= now))
    }

    pub fn remove_all(&mut self) -> Vec<Open> {
        self.remove_if(|_| true)
    }

    fn remove_if(&mut self, mut is_over: impl FnMut(&Open) -> bool) -> Vec<Open> {
        let ids: Vec<u64> = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(place, (turn, slot))| match slot {
                Slot::Taken(open) if is_over(open) => Some(u64::from(*turn) << 32 | place as u64),
                _ => None,
            })
            .collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }
}

/// What becomes of a call.
pub enum Answer {
    /// A message with its prefix.
    Message(Bytes),
    Failed(Box<Failure>),
    /// Its deadline has passed before Python took it.
    Late,
    /// Its client has given it up.
    GivenUp,
}

/// Answers on their way to the I/O thread.
#[derive(Default)]
pub struct Outbox {
    answers: Mutex<Vec<(u64, Answer)>>,
    pub filled: Notify,
}

impl Outbox {
    /// Hands answers over; one wake-up for all of them.
    pub fn put(&self, answers: &mut Vec<(u64, Answer)>) {
        self.lock().append(answers);
        self.filled.notify_one();
    }

    pub fn put_one(&self, id: u64, answer: Answer) {
        self.lock().push((id, answer));
        self.filled.notify_one();
    }

    pub fn take(&self) -> Vec<(u64, Answer)> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Answer)>> {
        self.answers.lock().unwrap_or_else(|e| e.into_inner())
    }
}
