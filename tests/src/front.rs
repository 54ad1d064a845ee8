//! What stands between callers and a `vega-server`: nothing, its own TLS, or a real proxy with the configuration that is shipped in
//! `packaging`. Each speaks with a certificate of an authority that is made for it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::processes::{end_politely, until};

/// The name that certificates are for. It leads to this machine.
const NAME: &str = "localhost";

/// Which way callers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// In plain text, on this machine.
    Plain,
    /// Over Vega's own TLS.
    Tls,
    /// Through nginx.
    Nginx,
    /// Through Caddy.
    Caddy,
}

/// A way that is open, until it is dropped.
pub(crate) struct Way {
    /// `https://localhost:PORT`.
    pub(crate) url: String,
    /// What the server must be told.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// Whom callers trust.
    pub(crate) trust: Option<Trust>,
    front: Front,
    /// The port of the server, and of the proxy if there is one.
    ports: (u16, u16),
    folder: TempDir,
    proxy: Option<Child>,
}

/// The authority whose certificates callers take.
#[derive(Clone)]
pub(crate) struct Trust {
    pem: String,
    connector: TlsConnector,
    provider: Arc<CryptoProvider>,
}

impl Way {
    /// Where the server is to listen at `port` and callers come to `at`, if that is another one.
    pub(crate) async fn to(front: Front, port: u16) -> Result<Self> {
        let folder = TempDir::new()?;
        let listens = ("VEGA__SERVER__LISTEN", format!("127.0.0.1:{port}"));
        if front == Front::Plain {
            return Ok(Self {
                url: format!("http://127.0.0.1:{port}"),
                settings: vec![listens],
                trust: None,
                front,
                ports: (port, port),
                folder,
                proxy: None,
            });
        }
        let trust = Trust::make(folder.path())?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (own, url, more) = if front == Front::Tls {
            let files = [
                ("VEGA__SERVER__TLS_CERT", path("desk.pem")),
                ("VEGA__SERVER__TLS_KEY", path("desk.key")),
            ];
            (port, format!("https://{NAME}:{port}"), files)
        } else {
            let own = free_port().await?;
            let url = format!("https://{NAME}:{own}");
            let name = [
                ("VEGA__SERVER__PUBLIC_URL", url.clone()),
                ("VEGA__SERVER__PROXIES", "127.0.0.1".to_owned()),
            ];
            (own, url, name)
        };
        Ok(Self {
            url,
            settings: [vec![listens], more.into()].concat(),
            trust: Some(trust),
            front,
            ports: (port, own),
            folder,
            proxy: None,
        })
    }

    /// Starts the proxy, if there is to be one.
    pub(crate) async fn open(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let path = |name: &str| folder.join(name).display().to_string();
        let (server, own) = self.ports;
        let upstream = ("127.0.0.1:28020", format!("127.0.0.1:{server}"));
        let certificate = ("/etc/ssl/vega.example.pem", path("desk.pem"));
        let key = ("/etc/ssl/private/vega.example.key", path("desk.key"));
        let mut command = match self.front {
            Front::Plain | Front::Tls => return Ok(()),
            Front::Nginx => {
                let site = with(
                    include_str!("../../packaging/nginx/vega.conf"),
                    &[
                        upstream,
                        certificate,
                        key,
                        ("listen 443 ssl", format!("listen 127.0.0.1:{own} ssl")),
                        ("    listen [::]:443 ssl;\n", String::new()),
                        ("/var/log/nginx/error.log", path("site.log")),
                        ("server_name vega.example", format!("server_name {NAME}")),
                    ],
                )?;
                std::fs::write(folder.join("site.conf"), site)?;
                std::fs::write(folder.join("nginx.conf"), main_of_nginx(folder))?;
                // Debian keeps it where not every user's path leads.
                let debian = Path::new("/usr/sbin/nginx");
                let mut nginx = Command::new(if debian.exists() {
                    debian
                } else {
                    Path::new("nginx")
                });
                nginx.args([
                    "-e",
                    &path("error.log"),
                    "-p",
                    &path(""),
                    "-c",
                    &path("nginx.conf"),
                ]);
                nginx
            }
            Front::Caddy => {
                let site = with(
                    include_str!("../../packaging/caddy/Caddyfile"),
                    &[
                        upstream,
                        certificate,
                        key,
                        ("#tls", "tls".to_owned()),
                        ("vega.example {", format!("{NAME}:{own} {{")),
                        ("Host vega.example", format!("Host {NAME}:{own}")),
                        (
                            "\tlog {",
                            "\tadmin off\n\tauto_https disable_redirects\n\tlog {".to_owned(),
                        ),
                    ],
                )?;
                std::fs::write(folder.join("Caddyfile"), site)?;
                let mut caddy = Command::new("caddy");
                caddy.args(["run", "--adapter", "caddyfile", "--config", &path("Caddyfile")]);
                caddy.env("HOME", folder);
                caddy
            }
        };
        let log = std::fs::File::create(folder.join("proxy.log"))?;
        let proxy = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!(
                    "{:?} cannot be started: install the package of this name",
                    self.front
                )
            })?;
        self.proxy = Some(proxy);
        let listens = until(async || TcpStream::connect(("127.0.0.1", own)).await.is_ok());
        let told = || {
            ["proxy.log", "error.log"]
                .map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default())
        };
        ensure!(listens.await, "{:?} does not listen: {:?}", self.front, told());
        Ok(())
    }

    /// The port at which the server listens.
    pub(crate) fn server_port(&self) -> u16 {
        self.ports.0
    }

    /// The port to which callers come.
    pub(crate) fn port(&self) -> u16 {
        self.ports.1
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // It ends its own children, where it is asked.
        if let Some(proxy) = &self.proxy {
            let _ = end_politely(proxy);
        }
    }
}

/// The text with each of these put in another's place. What is shipped must have it.
fn with(text: &str, replaced: &[(&str, String)]) -> Result<String> {
    let mut text = text.to_owned();
    for (shipped, own) in replaced {
        ensure!(text.contains(shipped), "the configuration lacks {shipped}");
        text = text.replace(shipped, own);
    }
    Ok(text)
}

/// What distributions have around sites, with everything in one folder.
fn main_of_nginx(folder: &Path) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nevents {{ worker_connections 512; }}\n\
         http {{\n{temporary}include {folder}/site.conf;\n}}\n"
    )
}

pub(crate) async fn free_port() -> Result<u16> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    Ok(listener.local_addr()?.port())
}

impl Trust {
    /// An authority, and a certificate of its for `localhost` in `desk.pem` and `desk.key`.
    fn make(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([NAME.to_owned()])?.signed_by(&key, &authority)?;
        std::fs::write(folder.join("desk.pem"), certificate.pem())?;
        std::fs::write(folder.join("desk.key"), key.serialize_pem())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            pem: authority.pem(),
            connector: TlsConnector::from(Arc::new(config)),
            provider,
        })
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// For a client that trusts this authority alone.
    pub(crate) fn tls_config(&self) -> Result<TlsConfig> {
        let authority = Certificate::from_pem(self.pem.as_bytes())?;
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .unversioned_rustls_crypto_provider(Arc::clone(&self.provider))
            .build())
    }

    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(NAME)?;
        let connected = tokio::time::timeout(Duration::from_mins(1), self.connector.connect(name, stream));
        Ok(connected.await.context("no handshake")??)
    }
}
