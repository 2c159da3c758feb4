//! What the server's settings say about the front; read once, at its start.

use std::time::Duration;

use pyo3::prelude::*;

/// A dictionary of Python's with exactly these keys. Times of 0 stand for never.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Settings {
    /// Full paths of the calls that are handed to Python; everything else is passed on.
    pub methods: Vec<String>,
    /// Path of the Unix socket that everything else is passed on to.
    pub behind: String,
    /// Whether other processes listen on the same port.
    pub reuse_port: bool,
    /// Status message of calls that come after a drain has begun, and their reason word.
    pub stopping: (String, String),
    /// Largest request, in bytes; refused before any of it is stored.
    pub message_bytes_max: usize,
    /// Most connections at once; further ones are closed.
    pub connections_max: usize,
    /// Most of them from one address.
    pub connections_per_peer_max: usize,
    /// Most calls that one connection may have open.
    pub streams_max: u32,
    /// Most calls that wait for Python or for an answer, of all connections together.
    pub calls_max: usize,
    /// Largest header list of a call, in bytes.
    pub header_bytes_max: u32,
    /// Most bytes of requests and answers that are held, of all connections together.
    pub held_bytes_max: usize,
    /// Calls that a connection may reset in a second; beyond, its new calls are refused.
    pub resets_max: u32,
    /// Longest time for a client to greet, to send a request whole, to answer a ping and to leave.
    pub client_timeout_ms: u64,
    /// How long a connection may be without calls.
    pub idle_timeout_ms: u64,
    /// How long nothing may be heard of a client before it is pinged.
    pub keepalive_ms: u64,
    /// How old a connection may become.
    pub connection_age_max_ms: u64,
    /// Metadata keys whose values calls carry.
    pub details_metadata: Vec<String>,
    /// Whether calls carry where they come from.
    pub details_origin: bool,
    /// Whether calls carry their deadlines.
    pub details_deadline: bool,
    /// Name of the header with the origin of a call that is passed on, and what its value begins with.
    pub origin_header: (String, String),
}

impl Settings {
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms)
    }

    pub fn idle(&self) -> Option<Duration> {
        unless_zero(self.idle_timeout_ms)
    }

    pub fn keepalive(&self) -> Option<Duration> {
        unless_zero(self.keepalive_ms)
    }

    pub fn connection_age_max(&self) -> Option<Duration> {
        unless_zero(self.connection_age_max_ms)
    }
}

fn unless_zero(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}
