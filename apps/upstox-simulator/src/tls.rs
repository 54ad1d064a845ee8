//! The simulator over TLS, under the broker's own host names: a test authority with a certificate for them, and a
//! listener that shakes hands. Only who trusts the authority's file takes the simulator for the broker.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    connection::{Connection, CuttableListener, CuttableStream},
    names,
};

const AUTHORITY: &str = "authority.pem";
const CERTIFICATE: &str = "upstox.pem";
const KEY: &str = "upstox.key";

/// Who vouches for the simulator, with what the simulator shows. Both are files in one folder.
#[derive(Debug, Clone)]
pub struct TestAuthority {
    file: PathBuf,
    server: Arc<ServerConfig>,
}

impl TestAuthority {
    /// The one of this folder. It is made if the folder has none, so that several simulators, one after another, can
    /// have the same.
    pub fn of_folder(folder: &Path) -> anyhow::Result<TestAuthority> {
        let file = folder.join(AUTHORITY);
        if !file.exists() {
            make(folder)
                .with_context(|| format!("could not make a test authority in {}", folder.display()))?;
        }
        let server =
            load(folder).with_context(|| format!("the certificate in {} is of no use", folder.display()))?;
        Ok(TestAuthority {
            file,
            server: Arc::new(server),
        })
    }

    /// The certificate that clients have to trust, as a PEM file.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "Test authority of upstox-simulator");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let mut params = CertificateParams::new(names::ALL.map(str::to_owned))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "upstox-simulator");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;

    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(KEY), key.serialize_pem())?;
    std::fs::write(folder.join(CERTIFICATE), certificate.pem())?;
    // The last one: where it is, the others are.
    std::fs::write(folder.join(AUTHORITY), authority.pem())?;
    Ok(())
}

fn load(folder: &Path) -> anyhow::Result<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(folder.join(CERTIFICATE))?;
    let key = PrivateKeyDer::from_pem_file(folder.join(KEY))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(config)
}

/// Accepts connections that have shaken hands. Another one that is slow at it, or fails, holds up nobody.
pub(crate) struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<CuttableStream>, SocketAddr)>,
}

impl TlsListener {
    pub(crate) fn new(mut tcp: CuttableListener, authority: &TestAuthority) -> io::Result<TlsListener> {
        let address = tcp.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::clone(&authority.server));
        let (sender, ready) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let (stream, peer) = tokio::select! {
                    accepted = tcp.accept() => accepted,
                    () = sender.closed() => return,
                };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    match acceptor.accept(stream).await {
                        Ok(stream) => drop(sender.send((stream, peer)).await),
                        Err(error) => tracing::warn!(%error, "no TLS with a caller"),
                    }
                });
            }
        });
        Ok(TlsListener { address, ready })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<CuttableStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TlsStream<CuttableStream>, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The task that accepts ends after this listener only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Connection {
        stream.io().get_ref().0.connection()
    }
}
