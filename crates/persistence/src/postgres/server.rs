//! Which database on which server a URL names. Decides what a URL may say; nothing is connected to here.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use url::Url;
use zeroize::Zeroizing;

/// Where the server listens unless the URL says otherwise.
const PORT: u16 = 5432;
/// What the file that stands for the database is called in its folder.
const NAME: &str = "vega";

/// Whether a URL names a database on a server.
pub(crate) fn is_of_server(url: &str) -> bool {
    without_scheme(url).is_some()
}

fn without_scheme(url: &str) -> Option<&str> {
    url.strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
}

/// A database on a server.
#[derive(Clone)]
pub(crate) struct Server {
    /// Where the server may be: one of them has the database.
    pub(crate) hosts: Vec<Address>,
    pub(crate) user: String,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) database: String,
    /// The certificates of who vouches for the server, in place of the public ones.
    pub(crate) ca: Option<PathBuf>,
}

/// One address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Network {
        host: String,
        port: u16,
    },
    /// The folder of its socket on this machine.
    Socket {
        folder: PathBuf,
        port: u16,
    },
}

impl Address {
    /// Whether only processes of this machine can answer there.
    pub(crate) fn is_this_machine(&self) -> bool {
        match self {
            Self::Socket { .. } => true,
            Self::Network { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Network { host, port } => write!(f, "{host}:{port}"),
            Self::Socket { folder, .. } => write!(f, "{}", folder.display()),
        }
    }
}

/// Without the password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        write!(
            f,
            "postgres://{}@{}/{}",
            self.user,
            hosts.join(","),
            self.database
        )
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a URL names no database on a server. The text follows the URL, and quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadServerUrl {
    /// No user.
    NoUser,
    /// No host.
    NoHost,
    /// No database.
    NoDatabase,
    /// A host that is none.
    Host,
    /// A password that others would see.
    Password,
    /// TLS that proves nothing.
    WeakTls,
    /// Something that Vega does not know.
    Parameter,
}

impl BadServerUrl {
    /// What is wrong and what to do.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoUser => "names no user. Write it before the host, as in postgres://vega@db.example/vega",
            Self::NoHost => "names no host. Write it after the user, as in postgres://vega@db.example/vega",
            Self::NoDatabase => {
                "names no database. Write its name after the host, as in postgres://vega@db.example/vega"
            }
            Self::Host => {
                "names a host that is none. Write a name or an address, with a port after a colon where it is not 5432; several \
                 with commas between"
            }
            Self::Password => {
                "holds a password, which would be shown wherever the URL is. Put the password into a file for this user alone \
                 and name it with VEGA__DATABASE__PASSWORD_FILE"
            }
            Self::WeakTls => {
                "asks for an sslmode that does not prove who answers. Take it out: Vega always asks for verify-full, unless \
                 the server is on this machine"
            }
            Self::Parameter => {
                "has a parameter that Vega does not know. Take out what stands after the question mark"
            }
        }
    }
}

impl fmt::Display for BadServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl std::error::Error for BadServerUrl {}

impl Server {
    /// The server that this URL names, without password and authority.
    pub(crate) fn of(url: &str) -> Result<Self, BadServerUrl> {
        let rest = without_scheme(url).unwrap_or_default();
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').ok_or(BadServerUrl::NoUser)?;
        if user.contains(':') {
            return Err(BadServerUrl::Password);
        }
        let mut server = Self {
            hosts: Vec::new(),
            user: decoded(user),
            password: None,
            database: decoded(database),
            ca: None,
        };
        let mut socket = None;
        for (name, value) in url::form_urlencoded::parse(parameters.as_bytes()) {
            match (&*name, &*value) {
                ("sslmode", "verify-full") => {}
                ("sslmode", _) => return Err(BadServerUrl::WeakTls),
                ("host", folder) if Path::new(folder).is_absolute() => socket = Some(PathBuf::from(folder)),
                _ => return Err(BadServerUrl::Parameter),
            }
        }
        if server.user.is_empty() {
            return Err(BadServerUrl::NoUser);
        }
        if server.database.is_empty() {
            return Err(BadServerUrl::NoDatabase);
        }
        server.hosts = match (socket, hosts) {
            (Some(folder), "") => vec![Address::Socket { folder, port: PORT }],
            (None, "") => return Err(BadServerUrl::NoHost),
            (Some(_), _) => return Err(BadServerUrl::Host),
            (None, hosts) => hosts.split(',').map(address).collect::<Result<_, _>>()?,
        };
        Ok(server)
    }

    /// The file that would be this machine's: what belongs to the database and to this machine lies beside it.
    pub(crate) fn local_file(&self, folder: &Path) -> PathBuf {
        folder.join(self.folder_name()).join(NAME)
    }

    /// The folder name of what this machine keeps for this database. It changes with neither hosts nor password.
    pub(crate) fn folder_name(&self) -> String {
        let plain = |text: &str| -> String {
            let plain = text.chars().map(|letter| match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
                _ => '_',
            });
            plain.collect()
        };
        format!("postgres-{}-{}", plain(&self.user), plain(&self.database))
    }
}

fn decoded(text: &str) -> String {
    // A name is written as in any URL; `+` is itself there.
    let pair = format!("name={}", text.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(_, name)| name.into_owned())
}

/// One host with its port.
fn address(text: &str) -> Result<Address, BadServerUrl> {
    let bad = || BadServerUrl::Host;
    // As a URL with a scheme whose hosts are looked at.
    let url = Url::parse(&format!("https://{text}")).map_err(|_| bad())?;
    let has_more = url.path() != "/" || !url.username().is_empty() || url.query().is_some();
    let host = url.host_str().filter(|_| !has_more).ok_or_else(bad)?;
    let port = match text.rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port.parse().map_err(|_| bad())?,
        _ => PORT,
    };
    Ok(Address::Network {
        host: host.trim_matches(['[', ']']).to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one(
        "postgres://vega@db.example/desk",
        "postgres://vega@db.example:5432/desk",
        false
    )]
    #[case::other_scheme(
        "postgresql://vega@db.example:6432/desk",
        "postgres://vega@db.example:6432/desk",
        false
    )]
    #[case::several(
        "postgres://vega@db1,db2:5433/desk",
        "postgres://vega@db1:5432,db2:5433/desk",
        false
    )]
    #[case::this_machine(
        "postgres://vega@127.0.0.1:443/desk",
        "postgres://vega@127.0.0.1:443/desk",
        true
    )]
    #[case::name_of_this_machine(
        "postgres://vega@localhost/desk",
        "postgres://vega@localhost:5432/desk",
        true
    )]
    #[case::version_6("postgres://vega@[::1]:5433/desk", "postgres://vega@[::1]:5433/desk", true)]
    #[case::socket(
        "postgres://vega@/desk?host=/run/postgresql",
        "postgres://vega@/run/postgresql/desk",
        true
    )]
    #[case::said(
        "postgres://vega@db/desk?sslmode=verify-full",
        "postgres://vega@db:5432/desk",
        false
    )]
    #[case::written_as_in_a_url("postgres://ve%40ga@db/de%20sk", "postgres://ve@ga@db:5432/de sk", false)]
    fn what_a_url_names(#[case] url: &str, #[case] shown: &str, #[case] is_this_machine: bool) {
        let server = Server::of(url).unwrap();
        assert_eq!(server.to_string(), shown);
        assert!(
            server
                .hosts
                .iter()
                .all(|host| host.is_this_machine() == is_this_machine)
        );
    }

    #[rstest]
    #[case::nobody("postgres://db/desk", BadServerUrl::NoUser)]
    #[case::nobody_there("postgres://@db/desk", BadServerUrl::NoUser)]
    #[case::nowhere("postgres://vega@/desk", BadServerUrl::NoHost)]
    #[case::nothing("postgres://vega@db", BadServerUrl::NoDatabase)]
    #[case::nothing_after("postgres://vega@db/", BadServerUrl::NoDatabase)]
    #[case::password("postgres://vega:CANARY@db/desk", BadServerUrl::Password)]
    #[case::any_certificate("postgres://vega@db/desk?sslmode=require", BadServerUrl::WeakTls)]
    #[case::no_tls("postgres://vega@db/desk?sslmode=disable", BadServerUrl::WeakTls)]
    #[case::settings("postgres://vega@db/desk?options=-c", BadServerUrl::Parameter)]
    #[case::port("postgres://vega@db:port/desk", BadServerUrl::Host)]
    #[case::port_too_great("postgres://vega@db:70000/desk", BadServerUrl::Host)]
    #[case::gap("postgres://vega@db1,,db2/desk", BadServerUrl::Host)]
    #[case::both("postgres://vega@db/desk?host=/run", BadServerUrl::Host)]
    fn what_is_refused(#[case] url: &str, #[case] why: BadServerUrl) {
        let refused = Server::of(url).unwrap_err();
        assert!(!refused.to_string().contains("CANARY"));
        assert_eq!(refused, why);
    }
}
