//! Which process has a port, as far as this user may see it.

use std::fmt;
use std::net::SocketAddr;

/// Whoever has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A process that this user may look into.
    Process {
        /// Its number.
        id: i32,
        /// Its name, in plain characters.
        program: String,
    },
    /// A process that this user may not look into.
    OfUser {
        /// Whose.
        uid: u32,
    },
    /// It cannot be found out.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { id, program } => write!(f, "{program} (process {id})"),
            Self::OfUser { uid } => write!(f, "a program that cannot be looked into (of user id {uid})"),
            Self::Unknown => f.write_str("another program"),
        }
    }
}

/// Who listens at `address`, or at all addresses of its port.
#[cfg(target_os = "linux")]
pub fn holder_of(address: SocketAddr) -> Holder {
    use procfs::net::{TcpState, tcp, tcp6};
    let entries = [tcp(), tcp6()].into_iter().flatten().flatten();
    let mut listening = entries.filter(|entry| {
        let local = entry.local_address;
        let is_there =
            local.ip().to_canonical() == address.ip().to_canonical() || local.ip().is_unspecified();
        entry.state == TcpState::Listen && local.port() == address.port() && is_there
    });
    match listening.next() {
        Some(entry) => process_with(entry.inode).unwrap_or(Holder::OfUser { uid: entry.uid }),
        None => Holder::Unknown,
    }
}

/// Elsewhere nobody says.
#[cfg(not(target_os = "linux"))]
pub fn holder_of(_address: SocketAddr) -> Holder {
    Holder::Unknown
}

/// The process that has this socket open.
#[cfg(target_os = "linux")]
fn process_with(inode: u64) -> Option<Holder> {
    use procfs::process::{FDTarget, all_processes};
    let mut processes = all_processes().ok()?.flatten();
    let has_it = |process: &procfs::process::Process| {
        let files = process.fd().ok().into_iter().flatten().flatten();
        files
            .into_iter()
            .any(|file| matches!(file.target, FDTarget::Socket(found) if found == inode))
    };
    let process = processes.find(has_it)?;
    let name = process.stat().map(|stat| stat.comm).unwrap_or_default();
    Some(Holder::Process {
        id: process.pid,
        program: plain(&name),
    })
}

/// The name is the process's own choice, and goes to a terminal.
#[cfg(target_os = "linux")]
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    match name {
        "" => "a program without a name".into(),
        name => name.chars().map(plain).collect(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn the_process_that_listens_is_named() {
        for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let listener = TcpListener::bind((ip, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let holder = holder_of(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            let ours = i32::try_from(std::process::id()).unwrap();
            assert!(
                matches!(&holder, Holder::Process { id, program } if *id == ours && !program.is_empty()),
                "{holder:?}"
            );
            drop(listener);
            let after = holder_of(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            assert_eq!(after, Holder::Unknown);
        }
    }

    #[test]
    fn a_name_is_shown_in_plain_characters() {
        assert_eq!(plain("nc\u{1b}[2J\u{202e}x"), "nc?[2J?x");
        assert_eq!(plain(""), "a program without a name");
    }
}
