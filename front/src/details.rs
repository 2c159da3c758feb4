//! What a call carries beside its request, where the server asks for it: where it comes from, its
//! deadline, and values of chosen metadata keys.

use std::sync::Arc;
use std::time::Instant;

use http::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderName};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple};
use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::link::Link;
use crate::settings::Settings;
use crate::socket::Stream;

/// Where a connection comes from.
pub struct Origin {
    /// `ipv4:192.0.2.1:50000` or `ipv6:[2001:db8::1]:50000`; None for a Unix socket.
    pub peer: Option<String>,
    /// The names in the client's certificate.
    pub client_names: Vec<String>,
}

impl Origin {
    pub fn of(stream: &Stream) -> Origin {
        let tcp = match stream {
            Stream::Tcp(tcp) => Some(tcp),
            Stream::Tls(tls) => Some(tls.get_ref().0),
            Stream::Unix(_) => None,
        };
        // Fails for a client that is gone already, and whose calls get nowhere.
        let address = tcp.and_then(|tcp| tcp.peer_addr().ok());
        let peer = address.map(|mut address| {
            address.set_ip(address.ip().to_canonical());
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            format!("{family}:{address}")
        });
        let client_names = match stream {
            Stream::Tls(tls) => match tls.get_ref().1.peer_certificates() {
                Some([own, ..]) => names_in(own),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        Origin { peer, client_names }
    }

    /// As one header of a call that is passed on, which begins with what no client knows.
    pub fn as_header(&self, secret: &str) -> Option<HeaderValue> {
        let mut words = vec![secret, self.peer.as_deref().unwrap_or_default()];
        words.extend(self.client_names.iter().map(String::as_str));
        HeaderValue::try_from(words.join(" ")).ok()
    }
}

/// DNS names and URIs of a certificate. One with a space in it, which no real name has, could be
/// read as two.
fn names_in(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let names = certificate.valid_dns_names();
    names
        .chain(certificate.valid_uri_names())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(String::from)
        .collect()
}

/// What the server asks for.
pub struct Asks {
    metadata: Vec<HeaderName>,
    origin: bool,
    deadline: bool,
}

impl Asks {
    pub fn new(settings: &Settings) -> Result<Asks, InvalidHeaderName> {
        let keys = settings.details_metadata.iter();
        Ok(Asks {
            metadata: keys
                .map(|key| HeaderName::try_from(key.as_str()))
                .collect::<Result<_, _>>()?,
            origin: settings.details_origin,
            deadline: settings.details_deadline,
        })
    }

    pub fn origin(&self) -> bool {
        self.origin
    }

    /// None: nothing is asked for. What is the same as of the call before it on its connection,
    /// as nearly always, is kept and made once.
    pub fn take(&self, headers: &HeaderMap, link: &Link) -> Option<Arc<Details>> {
        if self.metadata.is_empty() && !self.origin && !self.deadline {
            return None;
        }
        let mut latest = link.details.borrow_mut();
        if let Some(latest) = latest.as_ref()
            && latest.metadata.iter().map(same).eq(self.values(headers))
        {
            return Some(latest.clone());
        }
        // Copies: a value as it came keeps all the bytes in memory that it was read with.
        let values = self.values(headers).filter_map(|(place, value)| {
            Some((place, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        });
        let details = Arc::new(Details {
            origin: link.origin().cloned(),
            metadata: values.collect(),
            described: PyOnceLock::new(),
        });
        *latest = Some(details.clone());
        Some(details)
    }

    /// Places in the list of keys, and values.
    fn values<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> impl Iterator<Item = (usize, &'a HeaderValue)> {
        let keys = self.metadata.iter().enumerate();
        keys.flat_map(|(place, key)| {
            headers
                .get_all(key)
                .into_iter()
                .map(move |value| (place, value))
        })
    }
}

fn same((place, value): &(usize, HeaderValue)) -> (usize, &HeaderValue) {
    (*place, value)
}

/// Of one call, or of several in a row on a connection.
pub struct Details {
    origin: Option<Arc<Origin>>,
    /// Places in the list of keys, and values.
    metadata: Vec<(usize, HeaderValue)>,
    described: PyOnceLock<Described>,
}

/// What Python has of it: peer, metadata and the client's names, as of `Call`. The same objects for
/// all calls that share it, so that Python sees at a glance that they are the same.
pub struct Described {
    pub peer: Option<Py<PyString>>,
    pub metadata: Py<PyTuple>,
    pub names: Py<PyTuple>,
}

/// Makes Python's values of details.
pub struct Describer {
    keys: Vec<Py<PyString>>,
    deadline: bool,
    /// The same moment on the clock here and on Python's monotonic one, which never part.
    moment: (Instant, f64),
}

impl Describer {
    pub fn new(py: Python<'_>, settings: &Settings) -> PyResult<Describer> {
        let monotonic = py.import("time")?.getattr("monotonic")?;
        let keys = settings.details_metadata.iter();
        Ok(Describer {
            keys: keys.map(|key| PyString::intern(py, key).unbind()).collect(),
            deadline: settings.details_deadline,
            moment: (Instant::now(), monotonic.call0()?.extract()?),
        })
    }

    pub fn describe<'a>(&self, py: Python<'_>, details: &'a Details) -> PyResult<&'a Described> {
        details.described.get_or_try_init(py, || {
            let pairs = details.metadata.iter().filter_map(|(place, value)| {
                // What is not printable ASCII is no value in gRPC.
                let value = PyString::new(py, value.to_str().ok()?);
                Some((self.keys[*place].bind(py).clone(), value))
            });
            let origin = details.origin.as_ref();
            let names = origin.into_iter().flat_map(|from| &from.client_names);
            let peer = origin.and_then(|from| from.peer.as_ref());
            Ok(Described {
                peer: peer.map(|peer| PyString::new(py, peer).unbind()),
                metadata: PyTuple::new(py, pairs.collect::<Vec<_>>())?.unbind(),
                names: PyTuple::new(py, names.collect::<Vec<_>>())?.unbind(),
            })
        })
    }

    /// Of the client, as Python has it; None: it has none, or it is not asked for.
    pub fn deadline_s(&self, deadline: Option<Instant>) -> Option<f64> {
        let asked = deadline.filter(|_| self.deadline);
        asked.map(|deadline| self.on_pythons_clock(deadline))
    }

    fn on_pythons_clock(&self, time: Instant) -> f64 {
        let (here, there) = self.moment;
        there + time.saturating_duration_since(here).as_secs_f64()
    }
}
