//! The server that a command line may ask at its socket. Decides which one is believed: of a user with accounts, the one that proves that it has
//! this installation's key and database; of a user without any, who named somebody else's socket, the one that nobody but its owner can have put
//! there. Asks for no token itself.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Uid;
use thiserror::Error;
use tokio::time::timeout;
use vega_listening::SocketConnection;
use vega_persistence::{
    DatabasePlace, FileError, KeySource, KeyedListenerProof, Place, refuse_if_others_than_may_change,
};

use crate::settings::Settings;
use crate::settings::environment::Environment;
use crate::settings::settings_error::SettingsError;
use crate::settings::socket::SocketSection;
use crate::settings::sources::Sources;

/// A server of this machine answers in a fraction of it; whoever does not has other things to do.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// The server at a socket.
#[derive(Debug, Clone)]
pub struct ServerAtSocket {
    path: PathBuf,
    known_by: KnownBy,
}

/// What a server is believed by.
#[derive(Debug, Clone)]
enum KnownBy {
    /// It has this key and this database.
    Proof(DatabasePlace, KeySource),
    /// Nobody but the folder's owner and root can have made its socket.
    Place,
}

/// Why there is no server to ask.
#[derive(Debug, Error)]
pub enum NoServer {
    /// Nobody listens there, or nobody answers.
    #[error("no server answers at the socket {}: {source}", path.display())]
    Away {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody does who is not known to be Vega's server.
    #[error("whoever listens at the socket {} is not believed: {why}", path.display())]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// What speaks against it.
        why: String,
    },
}

impl ServerAtSocket {
    /// That of the installation with these settings; `None` where it has no socket.
    pub fn of_installation(settings: &Settings) -> Option<Self> {
        Some(Self {
            path: settings.socket.path.clone()?,
            known_by: KnownBy::Proof(settings.database_place.clone(), settings.key_source.clone()),
        })
    }

    /// That of another user's installation, for a user who has no account configured and names a socket; `None` where none is named.
    ///
    /// # Errors
    ///
    /// Where settings cannot be read.
    pub fn of_another_user(environment: &Environment) -> Result<Option<Self>, SettingsError> {
        let socket = SocketSection::read(&Sources::read(environment)?)?;
        let path = socket.path.filter(|_| socket.is_named);
        Ok(path.map(|path| Self {
            path,
            known_by: KnownBy::Place,
        }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the installation behind it is this user's own.
    pub fn is_own(&self) -> bool {
        matches!(self.known_by, KnownBy::Proof(..))
    }

    /// A connection to it, which nobody else has accepted.
    ///
    /// # Errors
    ///
    /// Where there is nobody within `ANSWERS_WITHIN`, or nobody who is believed.
    pub async fn connect(&self) -> Result<SocketConnection, NoServer> {
        let away = |source| NoServer::Away {
            path: self.path.clone(),
            source,
        };
        let connecting = async {
            let connection = SocketConnection::open(&self.path).await.map_err(away)?;
            self.believed(connection).await
        };
        timeout(ANSWERS_WITHIN, connecting)
            .await
            .unwrap_or_else(|_| Err(away(ErrorKind::TimedOut.into())))
    }

    async fn believed(&self, mut connection: SocketConnection) -> Result<SocketConnection, NoServer> {
        let doubt = match &self.known_by {
            KnownBy::Proof(database, key) => {
                let is_ours = match KeyedListenerProof::of_installation(database, key) {
                    Some(proof) => connection.proves_itself(&proof).await,
                    None => false,
                };
                let words = "it does not prove that it has this installation's key and database";
                (!is_ours).then(|| words.to_owned())
            }
            KnownBy::Place => doubt_of_place(&self.path, connection.listener()).err(),
        };
        match doubt {
            None => Ok(connection),
            Some(why) => Err(NoServer::Stranger {
                path: self.path.clone(),
                why,
            }),
        }
    }
}

/// What speaks against the user who listens at a socket: only root and the folder's owner may be able to put one there, and one of
/// them, or this user, must have done it.
fn doubt_of_place(path: &Path, listener: u32) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let owner = folder.metadata().map_err(|error| error.to_string())?.uid();
    let may_change: Result<(), FileError> = refuse_if_others_than_may_change(owner, folder, Place::Folder);
    may_change.map_err(|error| error.to_string())?;
    if [owner, Uid::effective().as_raw(), 0].contains(&listener) {
        return Ok(());
    }
    Err(format!(
        "user {listener} made it, and the folder is of user {owner}"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use axum::routing::get;
    use tokio_util::sync::CancellationToken;
    use vega_domain::ports::ListenerProof;
    use vega_listening::{Answers, CalledAt, ConnectionSlots, Door, LocalSocket, serve_at};

    use super::*;

    const OWN: u32 = 7;

    #[test]
    fn a_socket_is_believed_by_who_can_have_put_it_there() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("vega.sock");
        let own = Uid::effective().as_raw();
        let owner = folder.path().metadata().unwrap().uid();
        assert_eq!(doubt_of_place(&socket, owner), Ok(()));
        assert_eq!(doubt_of_place(&socket, own), Ok(()));
        assert_eq!(doubt_of_place(&socket, 0), Ok(()));
        let doubt = doubt_of_place(&socket, 54_321).unwrap_err();
        assert!(doubt.contains("user 54321"), "{doubt}");
        for mode in [0o777, 0o1777] {
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
            let doubt = doubt_of_place(&socket, owner).unwrap_err();
            assert!(doubt.contains(&*folder.path().to_string_lossy()), "{doubt}");
        }
        assert!(doubt_of_place(&folder.path().join("none/vega.sock"), OWN).is_err());
    }

    /// A server with this proof at this socket.
    fn listens(path: &Path, proof: Option<KeyedListenerProof>) -> CancellationToken {
        let proof = proof.map(Arc::new);
        let live = async move |called: axum::Extension<CalledAt>, axum::extract::RawQuery(query)| {
            let challenge = query.unwrap_or_default().replace("challenge=", "");
            let answer = proof.map(|proof| proof.answer(&challenge, &called.0.0));
            format!(
                r#"{{"program":"vega-server","proof":{}}}"#,
                answer.map_or("null".into(), |answer| format!("{answer:?}"))
            )
        };
        let router = axum::Router::new().route("/livez", get(live));
        let door = Door::Local(LocalSocket::bind(path, None, Arc::new(|_| Ok(()))).unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(serve_at(
            door,
            Answers::of(router),
            ConnectionSlots::default(),
            stop.clone(),
        ));
        stop
    }

    #[tokio::test]
    async fn only_who_has_the_key_and_the_database_is_of_this_installation() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        // 32 bytes of one kind.
        let key = |name: &str, bytes: &str| {
            let text = format!("vega-key-1 {}{}=\n", bytes.repeat(10), &bytes[..3]);
            std::fs::write(file(name), text).unwrap();
            std::fs::set_permissions(file(name), PermissionsExt::from_mode(0o600)).unwrap();
            KeySource::from(&file(name))
        };
        let (own, other) = (key("own", "AQEB"), key("other", "AgIC"));
        let place = |name: &str| DatabasePlace::from(&format!("sqlite://{}", file(name).display()));
        let proof = |name: &str, key: &KeySource| {
            Some(KeyedListenerProof::of_installation(&place(name), key).unwrap())
        };
        for (case, proof, is_believed) in [
            ("ours", proof("a.db", &own), true),
            ("another key", proof("a.db", &other), false),
            ("a copy of the database", proof("b.db", &own), false),
            ("one that is starting", None, false),
        ] {
            let path = file(&case.replace(' ', "-"));
            let stop = listens(&path, proof);
            let server = ServerAtSocket {
                path: path.clone(),
                known_by: KnownBy::Proof(place("a.db"), own.clone()),
            };
            let connected = server.connect().await;
            assert_eq!(connected.is_ok(), is_believed, "{case}");
            let is_stranger = matches!(connected, Err(NoServer::Stranger { .. }));
            assert_eq!(is_stranger, !is_believed, "{case}");
            stop.cancel();
        }
        let server = ServerAtSocket {
            path: file("nobody"),
            known_by: KnownBy::Place,
        };
        assert!(matches!(server.connect().await, Err(NoServer::Away { .. })));
    }

    /// It takes the connection and says nothing: the second is over before a program notices.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vega.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let key = dir.path().join("key");
        let server = ServerAtSocket {
            path,
            known_by: KnownBy::Proof(DatabasePlace::from("sqlite:///x"), KeySource::from(&key)),
        };
        let asked = tokio::time::Instant::now();
        assert!(server.connect().await.is_err());
        assert!(asked.elapsed() <= ANSWERS_WITHIN);
    }
}
