//! What is held in memory for clients: parts of requests, requests until they are answered, and
//! answers until they are on their way. Counted for each connection and for all of them.

use std::cell::Cell;
use std::rc::Rc;

use bytes::{Buf, Bytes};

/// How much all connections may hold for each that one of them may.
const CONNECTIONS_FULL: usize = 4;

/// Bytes held for all connections.
pub struct Total {
    bytes: Cell<usize>,
    bytes_max: usize,
}

impl Total {
    pub fn new(bytes_max: usize) -> Total {
        Total {
            bytes: Cell::default(),
            bytes_max,
        }
    }
}

/// Bytes held for one connection. Every call on it has a share, so that the number of shares says
/// whether there is any.
pub struct Account {
    bytes: Cell<usize>,
    total: Rc<Total>,
}

impl Account {
    pub fn new(total: Rc<Total>) -> Rc<Account> {
        Rc::new(Account {
            bytes: Cell::default(),
            total,
        })
    }

    /// Whether there is no room for more.
    pub fn is_full(&self) -> bool {
        self.bytes.get() > self.total.bytes_max / CONNECTIONS_FULL
            || self.total.bytes.get() > self.total.bytes_max
    }

    fn add(&self, more: usize) {
        self.bytes.set(self.bytes.get() + more);
        self.total.bytes.set(self.total.bytes.get() + more);
    }

    fn take_off(&self, fewer: usize) {
        self.bytes.set(self.bytes.get() - fewer);
        self.total.bytes.set(self.total.bytes.get() - fewer);
    }
}

/// A share of what is held; given back when it is dropped.
pub struct Share {
    account: Rc<Account>,
    bytes: usize,
}

impl Share {
    pub fn new(account: &Rc<Account>) -> Share {
        Share {
            account: account.clone(),
            bytes: 0,
        }
    }

    /// Holds more; false: there is no room for it.
    pub fn grow(&mut self, more: usize) -> bool {
        self.account.add(more);
        self.bytes += more;
        !self.account.is_full()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.account.take_off(self.bytes);
    }
}

/// Bytes for a client that are counted until HTTP/2 has taken them.
pub struct Part {
    bytes: Bytes,
    _share: Option<Share>,
}

impl Part {
    pub fn new(bytes: Bytes, mut share: Share) -> Part {
        share.grow(bytes.len());
        Part {
            bytes,
            _share: Some(share),
        }
    }
}

impl From<Bytes> for Part {
    /// Of a stream whose windows bound it.
    fn from(bytes: Bytes) -> Part {
        Part {
            bytes,
            _share: None,
        }
    }
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
