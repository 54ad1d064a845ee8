//! A socket in the file system, for programs of this machine. Decides whose file may be replaced and who may connect; who calls is the
//! kernel's word, and what a caller may do is the program's. That nobody else may change its folder is the program's to see to.

use std::collections::VecDeque;
use std::fs::{File, Permissions, TryLockError};
use std::io::{Error, ErrorKind, Result, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::unistd::Uid;
use tokio::net::{UnixListener, UnixStream};
use vega_domain::ports::ListenerAddress;

use crate::caller_program::program_of;

/// So many connections that were refused stay open until others are refused.
const REFUSED_STAY: usize = 16;
/// For this user alone.
const OWN: u32 = 0o600;
/// For a group too.
const OF_GROUP: u32 = 0o660;

/// Who is at the other end of a connection to a local socket, by the kernel's word at the moment when it was made. Nothing that is
/// sent can change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCaller {
    /// Its user.
    pub uid: u32,
    /// Its first group.
    pub gid: u32,
    /// Its process. Another program may have this number by now.
    pub pid: Option<i32>,
    /// The name of its systemd unit or executable, where the kernel tells.
    pub program: Option<Arc<str>>,
}

impl LocalCaller {
    /// Whether it is a program of the user that this one runs as.
    pub fn is_own_user(&self) -> bool {
        self.uid == Uid::effective().as_raw()
    }
}

/// Whether a caller is let in; every other one is told the problem, as JSON, and closed before its first byte is read. It may take note
/// of them.
pub type Admits = Arc<dyn Fn(&LocalCaller) -> std::result::Result<(), Vec<u8>> + Send + Sync>;

/// The socket, until it is dropped.
pub struct LocalSocket {
    listener: UnixListener,
    admits: Admits,
    nameless: Nameless,
    refused: RefusedConnections,
    /// Its full path without links, where it has a name.
    resolved: Option<PathBuf>,
    /// Removed in the end; `None` where the file is a service manager's.
    file: Option<OwnFile>,
}

/// The file of a socket that was made here.
struct OwnFile {
    path: PathBuf,
    /// Whoever has this lock may replace the socket's file.
    _lock: File,
}

impl LocalSocket {
    /// Listens at `path`, in a folder that is there. A socket's file that is left of a process that died is replaced. With `group` that
    /// group may connect, too.
    ///
    /// # Errors
    ///
    /// `AddrInUse` where another process listens there, `AlreadyExists` where the file is no socket; otherwise what the system says.
    pub fn bind(path: &Path, group: Option<u32>, admits: Admits) -> Result<Self> {
        let lock = locked(&path.with_added_extension("lock"))?;
        match path.symlink_metadata() {
            Ok(left) if left.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => {
                let words = "there is a file that is no socket";
                return Err(Error::new(ErrorKind::AlreadyExists, words));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        let socket = Self {
            listener,
            admits,
            nameless: Nameless::of_this_process(),
            refused: RefusedConnections::default(),
            resolved: Some(resolved(path)),
            file: Some(OwnFile {
                path: path.to_owned(),
                _lock: lock,
            }),
        };
        // Until then the kernel's word alone keeps others out.
        if let Some(group) = group {
            chown(path, None, Some(group)).map_err(|error| {
                let words =
                    format!("it cannot be given to the group {group}, of which this user must be: {error}");
                Error::other(words)
            })?;
        }
        let mode = if group.is_some() { OF_GROUP } else { OWN };
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
        Ok(socket)
    }

    /// Listens at the socket that a service manager made and handed over, if it did (`LISTEN_FDS`, as systemd does). Its file, mode and
    /// group are the manager's. To be called once.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where what was handed over is no socket of the file system; otherwise what the system says.
    pub fn handed_over(admits: Admits) -> Result<Option<Self>> {
        let mut handed_over = listenfd::ListenFd::from_env();
        if handed_over.len() > 1 {
            let words = format!(
                "the service manager handed {} sockets over, and Vega takes one",
                handed_over.len()
            );
            return Err(Error::new(ErrorKind::InvalidInput, words));
        }
        let Some(listener) = handed_over.take_unix_listener(0)? else {
            return Ok(None);
        };
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let address = listener.local_addr()?;
        Ok(Some(Self {
            listener,
            admits,
            nameless: Nameless::of_this_process(),
            refused: RefusedConnections::default(),
            resolved: address.as_pathname().map(resolved),
            file: None,
        }))
    }

    /// Where it is.
    pub fn path(&self) -> Option<PathBuf> {
        let address = self.listener.local_addr().ok()?;
        address.as_pathname().map(Path::to_owned)
    }

    /// Where it is, as whoever calls and whoever listens both know it.
    pub(crate) fn address(&self) -> Option<ListenerAddress> {
        self.resolved.clone().map(ListenerAddress::Socket)
    }

    /// The next connection, and who made it; `None` where that one is not let in, or is gone already.
    pub(crate) async fn accept(&self) -> Result<Option<(UnixStream, LocalCaller)>> {
        let (stream, _) = self.listener.accept().await?;
        let Ok(caller) = stream.peer_cred() else {
            return Ok(None);
        };
        let mut caller = LocalCaller {
            uid: caller.uid(),
            gid: caller.gid(),
            pid: caller.pid(),
            program: None,
        };
        if self.nameless.includes(&caller) {
            return Ok(None);
        }
        match (self.admits)(&caller) {
            Ok(()) => {
                caller.program = caller.pid.and_then(program_of).map(Arc::from);
                Ok(Some((stream, caller)))
            }
            Err(problem) => {
                self.refused.add(stream, &problem);
                Ok(None)
            }
        }
    }
}

/// The full path of a socket without links, by which both ends of it know it.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Connections that were refused. The last ones stay open, at this end for nothing more: whoever is still sending when its
/// connection is closed cannot read why.
#[derive(Default)]
struct RefusedConnections(Mutex<VecDeque<std::os::unix::net::UnixStream>>);

impl RefusedConnections {
    /// Answers whatever is asked with 403 and this problem. Waits for nobody: an empty connection takes so little at once.
    fn add(&self, stream: UnixStream, problem: &[u8]) {
        let head = format!(
            "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            problem.len()
        );
        // Whoever is gone already needs no answer.
        let Ok(mut stream) = stream.into_std() else {
            return;
        };
        let told = stream.write_all(&[head.as_bytes(), problem].concat());
        if told.and_then(|()| stream.shutdown(Shutdown::Write)).is_err() {
            return;
        }
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= REFUSED_STAY {
            open.pop_front();
        }
        open.push_back(stream);
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // Under the lock: nobody has put another one there.
            let _ = std::fs::remove_file(&file.path);
        }
    }
}

/// The numbers that the kernel gives to users and groups which this process cannot see: from a user namespace, all others have one
/// number, which may be that of an account too. Where everybody is seen there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Nameless {
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Nameless {
    fn of_this_process() -> Self {
        let number = |map: &str, overflow: &str| {
            let read = |path| std::fs::read_to_string(path).unwrap_or_default();
            overflow_number(&read(map), &read(overflow))
        };
        Self {
            uid: number("/proc/self/uid_map", "/proc/sys/kernel/overflowuid"),
            gid: number("/proc/self/gid_map", "/proc/sys/kernel/overflowgid"),
        }
    }

    fn includes(self, caller: &LocalCaller) -> bool {
        self.uid == Some(caller.uid) || self.gid == Some(caller.gid)
    }
}

/// From the map of a namespace, and the number for whoever is not in it.
fn overflow_number(map: &str, overflow: &str) -> Option<u32> {
    let sees_all = map.split_whitespace().eq(["0", "0", "4294967295"]);
    if map.is_empty() || sees_all {
        return None;
    }
    overflow.trim().parse().ok()
}

/// Held as long as the file is open.
fn locked(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(OWN);
    let file = options.custom_flags(nix::libc::O_NOFOLLOW).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::AddrInUse.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use rstest::rstest;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    fn bind(path: &Path, admits: bool) -> Result<LocalSocket> {
        let admits = move |_: &LocalCaller| admits.then_some(()).ok_or_else(|| b"{\"words\":1}".to_vec());
        LocalSocket::bind(path, None, Arc::new(admits))
    }

    #[tokio::test]
    async fn the_kernel_says_who_calls() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vega.sock");
        let socket = bind(&path, true).unwrap();
        assert_eq!(mode(&path), 0o600);
        let (accepted, connected) = tokio::join!(socket.accept(), UnixStream::connect(&path));
        let (_stream, caller) = accepted.unwrap().unwrap();
        assert!(caller.is_own_user(), "{caller:?}");
        assert_eq!(caller.pid, i32::try_from(std::process::id()).ok());
        connected.unwrap();
    }

    #[tokio::test]
    async fn whoever_is_not_let_in_is_told_so_and_closed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vega.sock");
        let socket = bind(&path, false).unwrap();
        let (accepted, connected) = tokio::join!(socket.accept(), UnixStream::connect(&path));
        assert!(accepted.unwrap().is_none());
        let mut told = String::new();
        let read = tokio::io::AsyncReadExt::read_to_string(&mut connected.unwrap(), &mut told).await;
        read.unwrap();
        assert!(told.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{told}");
        assert!(told.ends_with("\r\n\r\n{\"words\":1}"), "{told}");
    }

    #[tokio::test]
    async fn a_second_one_is_refused_and_what_a_dead_one_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vega.sock");
        let first = bind(&path, true).unwrap();
        let refused = bind(&path, true).map(drop).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        assert!(path.exists(), "the first one's is there still");
        drop(first);
        assert!(!path.exists(), "it took its file away");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as after a death");
        bind(&path, true).unwrap();
    }

    #[tokio::test]
    async fn what_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vega.sock");
        std::fs::write(&path, "notes").unwrap();
        let refused = bind(&path, true).map(drop).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "notes");
        let missing = bind(&folder.path().join("a/vega.sock"), true).map(drop);
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_group_may_connect() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vega.sock");
        let own = nix::unistd::Gid::effective().as_raw();
        let _socket = LocalSocket::bind(&path, Some(own), Arc::new(|_| Ok(()))).unwrap();
        assert_eq!((mode(&path), path.metadata().unwrap().gid()), (0o660, own));
    }

    #[rstest]
    #[case::everybody_is_seen("         0          0 4294967295\n", None)]
    #[case::a_container("         0     100000      65536\n", Some(65_534))]
    #[case::two_ranges("0 1000 1\n1 100000 65536\n", Some(65_534))]
    #[case::no_namespaces_here("", None)]
    fn users_that_cannot_be_seen_are_nobody(#[case] map: &str, #[case] nameless: Option<u32>) {
        assert_eq!(overflow_number(map, "65534\n"), nameless);
        let caller = LocalCaller {
            uid: 65_534,
            gid: 1,
            pid: None,
            program: None,
        };
        let of_users = Nameless {
            uid: nameless,
            gid: None,
        };
        assert_eq!(of_users.includes(&caller), nameless.is_some());
    }
}
