//! How a program says where its server is. Everything that can be wrong with that is told here, before the first call.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use tokio::runtime::Handle;

use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::server::address::Address;
use crate::server::calls::Calls;
use crate::server::key_file::KeyFile;
use crate::server::kind::Kind;
use crate::server::runtime_dir::runtime_dir;
use crate::server::server_tokens::ServerTokens;
use crate::server::shared_memory::SharedMemory;
use crate::server::timing::Timing;

const LONGEST_CONSUMER: usize = 64;
const LONGEST_API: usize = 128;

/// A Vega server. Tokens of several APIs share its connections.
#[derive(Clone)]
pub struct Server {
    http: reqwest::Client,
    address: Address,
    key: Option<KeyFile>,
    consumer: Option<HeaderValue>,
    clock: Arc<dyn Clock>,
    timing: Timing,
}

/// Where a server is, and who calls.
pub struct ServerBuilder {
    address: String,
    key_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    consumer: Option<String>,
    clock: Arc<dyn Clock>,
    timing: Timing,
}

impl Server {
    /// The server at the path of a socket, at `http://127.0.0.1:PORT`, or at `https://HOST:PORT`.
    ///
    /// ```
    /// # use vega_client::{Error, Server};
    /// let server = Server::at("/run/vega/vega.sock").consumer("strategy-a").build()?;
    /// let refused = Server::at("http://10.0.0.5:28020").key_file("trader.key").build();
    /// assert!(refused.unwrap_err().to_string().ends_with("Use https"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn at(address: impl Into<String>) -> ServerBuilder {
        ServerBuilder {
            address: address.into(),
            key_file: None,
            ca_file: None,
            consumer: None,
            clock: Arc::new(SystemClock),
            timing: Timing::default(),
        }
    }

    /// The server of this user on this machine, at the socket `$XDG_RUNTIME_DIR/vega/vega.sock`. It asks for no key.
    pub fn local() -> Result<ServerBuilder, Error> {
        let folder = runtime_dir().ok_or_else(|| {
            Error::setup("XDG_RUNTIME_DIR is not set, so this user has no socket of Vega's: name the server with Server::at")
        })?;
        Ok(Self::at(folder.join("vega/vega.sock").display().to_string()))
    }

    /// The token of this API, kept fresh from now on by a task of the tokio runtime of the caller, which ends with the last handle. Clone
    /// the result rather than call this twice.
    pub fn tokens(&self, api: &str) -> Result<ServerTokens, Error> {
        self.tokens_of(api, Kind::Trade)
    }

    /// The analytics token of this API's account, in the same way. It only reads market data, and lives for a year: over 03:30, and
    /// through a morning on which nobody signs in. The access key or the `[[socket]]` rule needs the scope `read:API`.
    pub fn read_tokens(&self, api: &str) -> Result<ServerTokens, Error> {
        self.tokens_of(api, Kind::Read)
    }

    fn tokens_of(&self, api: &str, kind: Kind) -> Result<ServerTokens, Error> {
        let is_name = (1..=LONGEST_API).contains(&api.len())
            && api.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(Error::setup(format!(
                "{api:?} is no name of an API: give one such as PRIMARY"
            )));
        }
        let api = api.to_ascii_uppercase();
        let runtime = Handle::try_current().map_err(|_| {
            Error::setup("there is no tokio runtime here: call Server::tokens inside of the one that lives as long as the program")
        })?;
        let calls = Calls {
            http: self.http.clone(),
            server: self.address.name(),
            origin: self.address.origin().to_owned(),
            key: self.key.clone(),
            consumer: self.consumer.clone(),
            api: api.clone(),
            kind,
            timing: self.timing.clone(),
        };
        let memory = SharedMemory::new(&api, Arc::clone(&self.clock));
        Ok(ServerTokens::follow(calls, memory, runtime))
    }
}

impl ServerBuilder {
    /// The file with the access key: its first line is the key, or `Authorization: Bearer KEY`. Needed but at a socket.
    #[must_use]
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_file = Some(path.into());
        self
    }

    /// The certificates, in PEM, of the only authorities that may speak for an https server; without it those of the system may.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// The name under which the server shows this program: at most 64 letters, digits, `.`, `_` and `-`.
    #[must_use]
    pub fn consumer(mut self, name: impl Into<String>) -> Self {
        self.consumer = Some(name.into());
        self
    }

    /// [`current`](crate::TokenSource::current) waits so long for the first answer; 10 s if nothing is said here.
    #[must_use]
    pub fn first_answer_within(mut self, wait: Duration) -> Self {
        self.timing.first_answer = wait;
        self
    }

    /// Another source of time, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    #[cfg(test)]
    pub(crate) fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Reads the files and makes the client. Calls nobody yet.
    pub fn build(self) -> Result<Server, Error> {
        let address = Address::read(&self.address)?;
        let key = self.key_file.as_deref().map(KeyFile::at).transpose()?;
        if key.is_none() && !matches!(address, Address::Socket(_)) {
            return Err(Error::setup(format!(
                "a server at {} wants an access key: make one with `vega key add`, and name its file with key_file",
                address.name()
            )));
        }
        Ok(Server {
            http: client(&address, self.ca_file.as_deref(), &self.timing)?,
            consumer: self.consumer.as_deref().map(consumer).transpose()?,
            address,
            key,
            clock: self.clock,
            timing: self.timing,
        })
    }
}

fn client(address: &Address, ca_file: Option<&Path>, timing: &Timing) -> Result<reqwest::Client, Error> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("vega-client/", env!("CARGO_PKG_VERSION")))
        // A key goes where it was told to go.
        .redirect(Policy::none())
        .connect_timeout(timing.connect);
    let client = match (address, ca_file) {
        // No certificate is asked for: reading all of them takes longer than anything else here.
        (Address::Socket(path), None) => client.no_proxy().tls_certs_only([]).unix_socket(path.as_path()),
        (Address::Loopback(_), None) => client.no_proxy().tls_certs_only([]),
        (Address::Tls(_), None) => client,
        (Address::Tls(_), Some(file)) => client.tls_certs_only(certificates(file)?),
        (Address::Socket(_) | Address::Loopback(_), Some(_)) => {
            return Err(Error::setup(format!(
                "{} shows no certificate, so a CA file is for nothing there: use https, or take it out",
                address.name()
            )));
        }
    };
    client
        .build()
        .map_err(|error| Error::setup(format!("no HTTP client can be made: {error}")))
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, Error> {
    let path = file.display();
    let pem = std::fs::read(file)
        .map_err(|error| Error::setup(format!("the CA file {path} cannot be read: {error}")))?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(Error::setup(format!(
            "there is no certificate in the CA file {path}: it must hold one at least, in PEM"
        )));
    }
    Ok(certificates)
}

fn consumer(name: &str) -> Result<HeaderValue, Error> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = (1..=LONGEST_CONSUMER).contains(&name.len()) && name.chars().all(is_allowed);
    let header = is_name.then(|| HeaderValue::from_str(name).ok()).flatten();
    header.ok_or_else(|| {
        Error::setup(format!(
            "{name:?} is no name of a consumer: it may have {LONGEST_CONSUMER} letters, digits, dots, hyphens and underscores"
        ))
    })
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address.name())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").finish_non_exhaustive()
    }
}
