//! What the server's settings say about the front; read once, at its start.

use pyo3::prelude::*;

/// A dictionary of Python's with exactly these keys.
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
    /// Most calls that one connection may have open.
    pub streams_max: u32,
    /// Most calls that wait for Python or for an answer, of all connections together.
    pub calls_max: usize,
    /// Largest header list of a call, in bytes.
    pub header_bytes_max: u32,
    /// Longest time for a client to greet and for a request to arrive whole, in milliseconds.
    pub handshake_timeout_ms: u64,
}
