//! Where calls wait for Python: a queue that is filled by the I/O thread and emptied by the
//! decision threads.
//!
//! A waiting thread sleeps in a condition variable, without a time-out, a yield or a spin: on a
//! busy machine each of those hands somebody else a time slice before a lone call is looked at.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use bytes::Bytes;

use crate::calls::Ticket;
use crate::details::Details;

/// A call as it came.
pub struct Waiting {
    pub id: u64,
    /// Index of its method in the list of the settings.
    pub method: u32,
    pub payload: Bytes,
    pub deadline: Option<Instant>,
    pub details: Option<Arc<Details>>,
    pub ticket: Arc<Ticket>,
}

#[derive(Default)]
struct State {
    calls: VecDeque<Waiting>,
    /// Threads that sleep.
    asleep: usize,
    /// Of these, threads that were woken and have not come yet.
    called: usize,
    draining: bool,
}

#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

impl Inbox {
    /// Lets calls wait, and wakes a thread unless one is on its way. False: a drain has begun, and
    /// the calls are left where they are.
    pub fn put(&self, fresh: &mut Vec<Waiting>) -> bool {
        let mut state = self.lock();
        if state.draining {
            return false;
        }
        state.calls.extend(fresh.drain(..));
        self.call(state);
        true
    }

    /// Sleeps until a call waits; false: a drain has begun, and none is left.
    pub fn wait(&self) -> bool {
        let mut state = self.lock();
        loop {
            if !state.calls.is_empty() {
                return true;
            }
            if state.draining {
                return false;
            }
            state.asleep += 1;
            state = self.arrived.wait(state).unwrap_or_else(|e| e.into_inner());
            state.asleep -= 1;
            state.called = state.called.saturating_sub(1);
        }
    }

    /// Takes the oldest calls; the thread that does holds the interpreter, so that calls that came
    /// while it waited for its turn are taken along.
    pub fn take(&self, calls_max: usize) -> Vec<Waiting> {
        let mut state = self.lock();
        let count = state.calls.len().min(calls_max);
        let taken = state.calls.drain(..count).collect();
        self.call(state);
        taken
    }

    /// Lets no further call in; threads that wait return when none is left.
    pub fn drain(&self) {
        self.lock().draining = true;
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn call(&self, mut state: MutexGuard<'_, State>) {
        if !state.calls.is_empty() && state.called == 0 && state.asleep > 0 {
            state.called = 1;
            drop(state); // or the thread would wake up only to wait for the lock
            self.arrived.notify_one();
        }
    }
}
