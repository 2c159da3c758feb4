//! Takes connections in.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::connection;
use crate::serve::Front;
use crate::socket::Stream;

/// How long to wait after a connection could not be accepted: without file descriptors left, the
/// next attempt fails at once.
const PAUSE: Duration = Duration::from_millis(50);

pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Option<IpAddr>)>> {
        match self {
            Listener::Tcp(listener) => listener.poll_accept(cx).map_ok(|(stream, peer)| {
                // The same whether it was reached by IPv4 or by IPv4 within IPv6.
                (Stream::Tcp(stream), Some(peer.ip().to_canonical()))
            }),
            Listener::Unix(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, _)| (Stream::Unix(stream), None)),
        }
    }
}

/// Accepts connections until the task is ended.
pub async fn run(front: Rc<Front>, listener: Listener) {
    loop {
        let Ok((stream, peer)) = poll_fn(|cx| listener.poll_accept(cx)).await else {
            sleep(PAUSE).await;
            continue;
        };
        let Some(link) = front.add_link(peer) else {
            continue; // closed at once, so that a client can go elsewhere
        };
        let front = front.clone();
        spawn_local(async move {
            connection::serve(front.clone(), stream, link.clone()).await;
            front.remove_link(&link);
        });
    }
}
