//! TLS by rustls: certificates in, a configuration out. It is swapped whole, so that connections that
//! stand keep theirs and new ones get the latest.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};

/// Makes a configuration of texts in PEM.
///
/// # Arguments
///
/// * `client_ca`: whose certificates clients must show; None: they need none.
///
/// # Errors
///
/// In one line, beginning with the setting that is wrong.
pub fn configure(
    cert: &[u8],
    key: &[u8],
    client_ca: Option<&[u8]>,
) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(cert).map_err(|why| format!("tls_cert: {why}"))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| "tls_key: there is no private key in PEM in it".to_string())?;
    let provider = Arc::new(ring::default_provider());
    let building = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("tls_cert: {error}"))?;
    let building = match client_ca {
        None => building.with_no_client_auth(),
        Some(text) => {
            let refuse = |why: String| format!("tls_client_ca: {why}");
            let mut roots = RootCertStore::empty();
            for root in certificates(text).map_err(refuse)? {
                roots.add(root).map_err(|error| refuse(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .map_err(|error| refuse(error.to_string()))?;
            building.with_client_cert_verifier(verifier)
        }
    };
    let mut config = building
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => "tls_key: it does not fit the certificate".to_string(),
            error => format!("tls_cert: {error}"),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    match CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err("there is no certificate in PEM in it".to_string()),
    }
}
