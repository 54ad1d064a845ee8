//! Where the server is. A key goes over https, to this machine's loopback, or to a socket of the file system; to nothing else.

use std::path::PathBuf;

use url::Url;

use crate::error::Error;
use crate::loopback::is_loopback;

const WANTED: &str = "Give the path of the server's socket, http://127.0.0.1:PORT, or https://HOST:PORT";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Socket(PathBuf),
    /// Of this machine, in plain text. Without a `/` at the end.
    Loopback(String),
    /// The same over TLS.
    Tls(String),
}

impl Address {
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        if let Some(path) = text
            .strip_prefix("unix:")
            .or_else(|| text.starts_with('/').then_some(text))
        {
            return match path {
                path if path.starts_with('/') => Ok(Self::Socket(path.into())),
                _ => Err(Error::setup(format!(
                    "{text} is no full path of a socket. {WANTED}"
                ))),
            };
        }
        // Its text may hold a password, so no error repeats it.
        let Ok(url) = Url::parse(text) else {
            return Err(Error::setup(format!(
                "the address of the server is no URL. {WANTED}"
            )));
        };
        if url.username() != "" || url.password().is_some() {
            return Err(Error::setup(
                "the address of the server holds a user or password: keys are kept in a file of their own",
            ));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(Error::setup(format!(
                "{url} is more than scheme, host and port. {WANTED}"
            )));
        }
        let plain = url.as_str().trim_end_matches('/').to_owned();
        match url.scheme() {
            "https" => Ok(Self::Tls(plain)),
            "http" if is_loopback(&url) => Ok(Self::Loopback(plain)),
            "http" => Err(Error::setup(format!(
                "{plain} is another machine, and over http everybody on the way could read key and tokens. Use https"
            ))),
            other => Err(Error::setup(format!(
                "{other} is no scheme of a Vega server. {WANTED}"
            ))),
        }
    }

    /// What paths are appended to.
    pub(crate) fn origin(&self) -> &str {
        match self {
            Self::Socket(_) => "http://localhost",
            Self::Loopback(origin) | Self::Tls(origin) => origin,
        }
    }

    /// As people know it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Loopback(origin) | Self::Tls(origin) => origin.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/run/vega/vega.sock", "/run/vega/vega.sock", "http://localhost")]
    #[case("unix:/run/vega.sock", "/run/vega.sock", "http://localhost")]
    #[case("http://127.0.0.1:28020", "http://127.0.0.1:28020", "http://127.0.0.1:28020")]
    #[case("http://127.9.0.1:28020/", "http://127.9.0.1:28020", "http://127.9.0.1:28020")]
    #[case("http://localhost:28020", "http://localhost:28020", "http://localhost:28020")]
    #[case("http://[::1]:28020", "http://[::1]:28020", "http://[::1]:28020")]
    #[case("https://desk.example", "https://desk.example", "https://desk.example")]
    fn an_address_is_a_socket_or_an_origin(#[case] text: &str, #[case] name: &str, #[case] origin: &str) {
        let address = Address::read(text).unwrap();
        assert_eq!((address.name().as_str(), address.origin()), (name, origin));
    }

    #[rstest]
    #[case::another_machine("http://10.0.0.5:28020", "Use https")]
    #[case::a_name_that_only_looks_local("http://localhost.example:28020", "Use https")]
    #[case::an_address_that_only_looks_local("http://127.0.0.1.example:28020", "Use https")]
    #[case::every_interface("http://0.0.0.0:28020", "Use https")]
    #[case::a_password("https://user:canary@desk.example", "a file of their own")]
    #[case::a_password_in_no_url("https://user:canary@:x:y", "is no URL")]
    #[case::a_path("https://desk.example/api", "more than scheme, host and port")]
    #[case::a_query("https://desk.example/?key=1", "more than scheme, host and port")]
    #[case::another_scheme("ftp://desk.example", "ftp is no scheme")]
    #[case::a_relative_socket("unix:vega.sock", "no full path")]
    #[case::nothing("", "is no URL")]
    fn anything_else_is_refused_with_what_to_do(#[case] text: &str, #[case] words: &str) {
        let error = Address::read(text).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("canary"), "{error}");
    }
}
