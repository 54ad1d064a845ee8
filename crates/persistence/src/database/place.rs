//! Where a database is, and what is needed to get there.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::postgres::server::{BadServerUrl, Server, is_of_server};

/// Where a database is.
#[derive(Clone)]
pub struct DatabasePlace {
    /// `sqlite://PATH`, or `postgres://USER@HOST/DATABASE`.
    pub url: String,
    /// The password of the user on the server.
    pub password: Option<Zeroizing<String>>,
    /// A file with the certificates of who vouches for the server, in place of the public ones.
    pub ca: Option<PathBuf>,
    /// The folder of this machine's own files for a database on a server.
    pub folder: PathBuf,
}

impl DatabasePlace {
    /// The same with the password of the user on the server.
    #[must_use]
    pub fn with_password(self, password: String) -> Self {
        Self {
            password: Some(Zeroizing::new(password)),
            ..self
        }
    }

    /// What is wrong with its URL, if it is of a server.
    pub fn wrong_server_url(&self) -> Option<BadServerUrl> {
        is_of_server(&self.url)
            .then(|| Server::of(&self.url).err())
            .flatten()
    }

    /// The database's file; of a database on a server, the file that would be this machine's. What belongs to the database and to
    /// this machine lies beside it. `None` for a URL that names neither.
    pub fn local_file(&self) -> Option<PathBuf> {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => Some(PathBuf::from(path)),
            None => Server::of(&self.url)
                .ok()
                .map(|server| server.local_file(&self.folder)),
        }
    }
}

/// Without a password.
impl std::fmt::Debug for DatabasePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DatabasePlace").field(&self.url).finish()
    }
}

impl From<&str> for DatabasePlace {
    fn from(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            password: None,
            ca: None,
            folder: PathBuf::new(),
        }
    }
}

impl From<&String> for DatabasePlace {
    fn from(url: &String) -> Self {
        Self::from(url.as_str())
    }
}

impl From<&DatabasePlace> for DatabasePlace {
    fn from(place: &DatabasePlace) -> Self {
        place.clone()
    }
}
