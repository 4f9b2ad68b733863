//! A certificate authority of our own, and the TLS servers that it vouches for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::corpus::TlsSetup;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Who signs, and the files that cases name.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    stranger: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
}

impl Authority {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let (issuer, certificate) = authority("Backstop's tests");
        let (stranger, unknown) = authority("Nobody we know");
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).expect("a root");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("ca.pem", &certificate.pem());
        write("unknown.pem", &unknown.pem());
        let key = KeyPair::generate().expect("a key");
        let mut params = valid_for(CertificateParams::default(), 365);
        params.distinguished_name.push(DnType::CommonName, "smoke test");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        write("cert.pem", &params.signed_by(&key, &issuer).expect("signed").pem());
        write("key.pem", &key.serialize_pem());
        Self {
            folder,
            issuer,
            stranger,
            roots: Arc::new(roots),
        }
    }

    /// Where a file of it is: `ca.pem`, `cert.pem`, `key.pem`, and `unknown.pem`, an authority of nothing that matters.
    pub fn file(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    /// What accepts TLS connections; with `mutual` only from clients that the authority vouches for.
    pub fn server(&self, setup: &TlsSetup, mutual: bool) -> TlsAcceptor {
        let versions: Vec<&'static SupportedProtocolVersion> = setup
            .versions
            .iter()
            .map(|version| match version.as_str() {
                "1.2" => &rustls::version::TLS12,
                "1.3" => &rustls::version::TLS13,
                other => panic!("TLS {other}"),
            })
            .collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(setup.names.clone()).expect("names");
        let issuer = if setup.stranger { &self.stranger } else { &self.issuer };
        let certificate = valid_for(params, setup.days).signed_by(&key, issuer).expect("signed");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .expect("versions");
        let config = if mutual {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), provider).build();
            config.with_client_cert_verifier(verifier.expect("a verifier"))
        } else {
            config.with_no_client_auth()
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = config
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("a certificate");
        config.alpn_protocols = setup.alpn.iter().map(|name| name.clone().into_bytes()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, rcgen::Certificate) {
    let key = KeyPair::generate().expect("a key");
    let mut params = valid_for(CertificateParams::default(), 3650);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("signed");
    (Issuer::new(params, key), certificate)
}

/// Valid since long ago, for so many days and half a day from now.
#[expect(clippy::disallowed_methods, reason = "certificates are compared with the real time")]
fn valid_for(mut params: CertificateParams, days: i64) -> CertificateParams {
    let now = SystemTime::now();
    let length = DAY * u32::try_from(days.unsigned_abs()).expect("few days");
    let end = if days < 0 { now - length } else { now + length + DAY / 2 };
    params.not_before = (now - 1000 * DAY).into();
    params.not_after = end.into();
    params
}
