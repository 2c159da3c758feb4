//! Addresses: `HOST:PORT`, `[IPV6]:PORT` and `unix:PATH`, and the sockets that wait on them.

use std::io::{self, Error};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// Sockets that listen and are not part of a runtime yet.
pub enum Listening {
    /// One for each address that the host's name stands for.
    Tcp(Vec<std::net::TcpListener>),
    /// The file is removed at the end.
    Unix(std::os::unix::net::UnixListener, PathBuf),
}

impl Listening {
    /// Listens on a target; with port 0 the kernel chooses.
    pub fn new(target: &str, reuse_port: bool) -> io::Result<Listening> {
        if let Some(path) = target.strip_prefix("unix:") {
            return bind_unix(PathBuf::from(path));
        }
        let mut addresses: Vec<SocketAddr> = target.to_socket_addrs()?.collect();
        addresses.dedup();
        let mut listeners: Vec<std::net::TcpListener> = Vec::with_capacity(addresses.len());
        let mut failed = Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
        for mut address in addresses {
            if let Some(first) = listeners.first() {
                // One port for all addresses of a name, also where the kernel chose it.
                address.set_port(first.local_addr()?.port());
            }
            match bind_tcp(address, reuse_port) {
                Ok(listener) => listeners.push(listener),
                // `localhost` stands for an IPv6 address also where there is no IPv6.
                Err(error) if is_absent(&error) => failed = error,
                Err(error) => return Err(error),
            }
        }
        if listeners.is_empty() {
            return Err(failed);
        }
        Ok(Listening::Tcp(listeners))
    }

    /// The port that it really got; 0 where it has none.
    pub fn port(&self) -> u16 {
        match self {
            Listening::Tcp(listeners) => listeners
                .first()
                .and_then(|listener| listener.local_addr().ok())
                .map_or(0, |address| address.port()),
            Listening::Unix(..) => 0,
        }
    }
}

fn is_absent(error: &Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(97 /* EAFNOSUPPORT */)
}

fn bind_tcp(address: SocketAddr, reuse_port: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if let IpAddr::V6(ip) = address.ip() {
        // `[::]` takes IPv4 too, as everywhere; the addresses of a name are bound one by one.
        socket.set_only_v6(!ip.is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: PathBuf) -> io::Result<Listening> {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    if let Ok(found) = std::fs::symlink_metadata(&path) {
        // Left over from a process that ended without removing it; never taken from a living one.
        if found.file_type().is_socket() && UnixStream::connect(&path).is_err() {
            std::fs::remove_file(&path)?;
        }
    }
    let listener = UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    Ok(Listening::Unix(listener, path))
}
