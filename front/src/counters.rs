//! What the front has seen, counted without the interpreter.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that one thread counts and any thread reads.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Only the I/O thread counts, so a load and a store do, without locking the bus.
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed) + more, Relaxed);
    }

    pub fn take_off(&self, fewer: u64) {
        self.0.store(self.0.load(Relaxed) - fewer, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Since the start, except for what is open now.
#[derive(Default)]
pub struct Counters {
    pub connections: Count,
    pub connections_open: Count,
    pub connections_refused: Count,
    pub calls: Count,
    pub calls_open: Count,
    pub calls_passed_on: Count,
    pub calls_refused: Count,
    pub calls_given_up: Count,
    pub bytes_in: Count,
    pub bytes_out: Count,
}

impl Counters {
    /// Every counter with its name.
    pub fn all(&self) -> [(&'static str, u64); 10] {
        [
            ("connections", self.connections.get()),
            ("connections_open", self.connections_open.get()),
            ("connections_refused", self.connections_refused.get()),
            ("calls", self.calls.get()),
            ("calls_open", self.calls_open.get()),
            ("calls_passed_on", self.calls_passed_on.get()),
            ("calls_refused", self.calls_refused.get()),
            ("calls_given_up", self.calls_given_up.get()),
            ("bytes_in", self.bytes_in.get()),
            ("bytes_out", self.bytes_out.get()),
        ]
    }
}
