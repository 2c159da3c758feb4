//! What the I/O thread and the threads of Python have in common.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_rustls::rustls::ServerConfig;

use crate::calls::Outbox;
use crate::counters::Counters;
use crate::details::Asks;
use crate::inbox::Inbox;
use crate::settings::Settings;

/// How far the front is on its way to its end.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Stage {
    Serving,
    /// New calls are refused, open ones are answered.
    Draining,
    /// Open calls are refused too, and connections end when their answers have left.
    Closing,
}

pub struct Shared {
    pub settings: Settings,
    pub asks: Asks,
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub counters: Arc<Counters>,
    /// None: in the clear.
    tls: Mutex<Option<Arc<ServerConfig>>>,
    stage: AtomicU8,
    /// How long answers may take to leave at the end.
    grace: Mutex<Duration>,
}

impl Shared {
    pub fn new(settings: Settings, asks: Asks) -> Shared {
        Shared {
            settings,
            asks,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            counters: Arc::default(),
            tls: Mutex::default(),
            stage: AtomicU8::new(Stage::Serving as u8),
            grace: Mutex::default(),
        }
    }

    /// Serves TLS, to connections that come from here on.
    pub fn use_tls(&self, config: Arc<ServerConfig>) {
        *self.tls.lock().unwrap_or_else(|e| e.into_inner()) = Some(config);
    }

    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    pub fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Closing,
        }
    }

    pub fn drain(&self) {
        self.inbox.drain();
        self.stage.fetch_max(Stage::Draining as u8, Relaxed);
        self.outbox.filled.notify_one();
    }

    pub fn close(&self, grace: Duration) {
        self.drain();
        *self.grace.lock().unwrap_or_else(|e| e.into_inner()) = grace;
        self.stage.store(Stage::Closing as u8, Relaxed);
        self.outbox.filled.notify_one();
    }

    pub fn grace(&self) -> Duration {
        *self.grace.lock().unwrap_or_else(|e| e.into_inner())
    }
}
