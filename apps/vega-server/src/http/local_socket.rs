//! Listens at the local socket, for whom the rules let in: at the one that a service manager handed over, else at one of its own. Where
//! nobody named a socket and it cannot be had, the server goes on without it: programs of this machine reach it over HTTP.

use std::fs::DirBuilder;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use vega_api_types::ProblemCode;
use vega_bootstrap::{Place, SocketSection, refuse_if_others_may_change};
use vega_listening::{Admits, LocalSocket};

use crate::auth::local_access::LocalPrincipal;
use crate::http::listening::Refused;
use crate::http::problem::Problem;

/// The socket that was named cannot be listened at.
#[derive(Debug, Error)]
#[error("cannot listen at the socket {}: {}", path.display(), why(.source))]
pub(crate) struct NoSocket {
    path: PathBuf,
    source: Error,
}

impl NoSocket {
    /// Whether it may be otherwise at another try, although no setting was changed: a folder that somebody makes when the machine boots.
    pub(crate) fn may_pass(&self) -> bool {
        self.source.kind() == ErrorKind::NotFound
    }
}

pub(crate) fn bind(section: &SocketSection, refused: &Arc<Refused>) -> Result<Option<LocalSocket>, NoSocket> {
    let handed_over = LocalSocket::handed_over(admits(section, Arc::clone(refused)));
    let handed_over = handed_over.map_err(|source| NoSocket {
        path: "of the service manager".into(),
        source,
    })?;
    if let Some(socket) = handed_over {
        let path = socket.path().unwrap_or_default();
        tracing::info!(
            "listening at the socket {} of the service manager",
            path.display()
        );
        return Ok(Some(socket));
    }
    let Some(path) = &section.path else {
        return Ok(None);
    };
    match bind_at(path, section, Arc::clone(refused)) {
        Ok(socket) => {
            tracing::info!("listening at the socket {}", path.display());
            Ok(Some(socket))
        }
        Err(source) => {
            let path = path.clone();
            let none = NoSocket { path, source };
            if section.is_named {
                return Err(none);
            }
            tracing::warn!("{none}. Vega goes on without it");
            Ok(None)
        }
    }
}

fn bind_at(path: &Path, section: &SocketSection, refused: Arc<Refused>) -> Result<LocalSocket, Error> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !folder.exists() => {
            return Err(match error.kind() {
                // Where only root makes folders, somebody has to, at each boot.
                ErrorKind::PermissionDenied => ErrorKind::NotFound.into(),
                _ => error,
            });
        }
        _ => {}
    }
    // Whoever may change files there may put a socket of their own in the place of ours.
    refuse_if_others_may_change(folder, Place::Folder).map_err(Error::other)?;
    LocalSocket::bind(path, section.group, admits(section, refused))
}

/// Who is let in: whoever may do something.
fn admits(section: &SocketSection, refused: Arc<Refused>) -> Admits {
    let rules = section.rules.clone();
    Arc::new(move |caller| {
        if LocalPrincipal::of(caller, &rules, None).is_some() {
            return Ok(());
        }
        refused.add(format!("no rule lets user {} in at the socket", caller.uid));
        let words = format!(
            "No rule lets user {uid} in at this socket. A rule in vega.toml does: [[socket]], with user = {uid} and scopes. Or use an \
             access key, over HTTP.",
            uid = caller.uid
        );
        let problem = Problem::new(ProblemCode::NotAllowed, words);
        Err(serde_json::to_vec(problem.view()).unwrap_or_default())
    })
}

fn why(error: &Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "another vega-server has it. Stop that one, or set VEGA__SERVER__SOCKET to another file, or to \
                                 `none`"
                .into()
        }
        ErrorKind::NotFound => {
            "its folder is missing. Make it, for this user (below /run at each boot, with a line in \
                                /etc/tmpfiles.d), or set VEGA__SERVER__SOCKET to another file"
                .into()
        }
        ErrorKind::InvalidInput => {
            format!("{error}. Let the socket's unit have one ListenStream, which is a file")
        }
        ErrorKind::AlreadyExists => {
            format!("{error}. Move it away, or set VEGA__SERVER__SOCKET to another file")
        }
        _ => format!("{error}. Set VEGA__SERVER__SOCKET to another file, or to `none`"),
    }
}
