//! TLS: whom we trust, who we say that we are, and what a handshake showed.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::timing::{NoSessions, note_certificate, note_tls_version};
use crate::step::{HttpWanted, Tls};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// What a step names as certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or a key is not what it should be.
    #[error("the {0} cannot be read as PEM")]
    Pem(&'static str),
    /// They do not belong together, or are of a kind that is not known.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
    /// The trusted authorities cannot be used.
    #[error("the trusted authorities cannot be used: {0}")]
    Roots(#[from] rustls::client::VerifierBuilderError),
}

/// The system's authorities and Mozilla's, so that a bare container works too.
pub(super) fn usual_roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
}

/// TLS 1.2 and 1.3 by rustls with ring; certificates are always verified.
pub(super) fn config(
    usual: &Arc<RootCertStore>,
    own: Option<&Tls>,
    http: HttpWanted,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match own.and_then(|own| own.ca.as_ref()) {
        Some(pem) => Arc::new(authorities(pem)?),
        None => Arc::clone(usual),
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Noting(verifier)));
    let mut config = match own.and_then(|own| own.identity.as_ref()) {
        Some((certificate, key)) => config.with_client_auth_cert(chain(certificate)?, private_key(key)?)?,
        None => config.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::store(Arc::new(NoSessions));
    config.alpn_protocols = match http {
        HttpWanted::Any => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        HttpWanted::One => vec![b"http/1.1".to_vec()],
        HttpWanted::Two => vec![b"h2".to_vec()],
    };
    Ok(config)
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(pem)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = read.map_err(|_| TlsError::Pem("certificate"))?;
    if chain.is_empty() {
        return Err(TlsError::Pem("certificate"));
    }
    Ok(chain)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsError::Pem("key"))
}

/// Verifies as usual, and notes what was verified.
#[derive(Debug)]
struct Noting(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        if let Ok((_, certificate)) = x509_parser::parse_x509_certificate(end_entity) {
            let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let left_s = certificate.validity().not_after.timestamp().saturating_sub(now_s);
            note_certificate(left_s / SECONDS_PER_DAY);
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        note_tls_version(12);
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        note_tls_version(13);
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
