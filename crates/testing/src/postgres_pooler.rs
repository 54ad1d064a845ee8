//! PgBouncer between a test and its server, in a folder of the server's. It ends when it is dropped.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::postgres::PostgresServer;

/// Far longer than it takes.
const STARTS: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// A pooler that runs.
#[derive(Debug)]
pub struct PostgresPooler {
    port: u16,
    pid_file: PathBuf,
}

impl PostgresPooler {
    /// Before this server, with lines of its own in the section `[pgbouncer]`.
    pub fn before(server: &PostgresServer, lines: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let name = format!("pooler-{port}");
        let (folder, server_port) = (server.folder().display(), server.socket_port());
        let settings = format!(
            "[databases]\n* = host={folder} port={server_port} user=vega\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\nlogfile = {name}.log\npidfile = {name}.pid\n{lines}\n"
        );
        server.writes(&format!("{name}.ini"), &settings);
        server.runs_to_its_end(&["pgbouncer", "--daemon", &format!("{name}.ini")]);
        let pid_file = server.folder().join(format!("{name}.pid"));
        let mut waited = Duration::ZERO;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(waited < STARTS, "the pooler does not listen");
            std::thread::sleep(LOOK);
            waited += LOOK;
        }
        Self { port, pid_file }
    }

    /// The URL through it of the database that has this one on its server.
    pub fn url(&self, url: &str) -> String {
        let (_, rest) = url.rsplit_once("@/").unwrap();
        let (database, _) = rest.split_once('?').unwrap();
        format!("postgres://vega@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for PostgresPooler {
    fn drop(&mut self) {
        let id = std::fs::read_to_string(&self.pid_file).unwrap_or_default();
        // The server may have taken its folder along.
        if let Ok(id) = id.trim().parse::<u32>() {
            let _ = Command::new("kill").arg(id.to_string()).status();
        }
    }
}
