//! A PostgreSQL server for tests: one for all processes of a test run, in a folder of its own, reached through a socket that only
//! this user and the server's can open. It is started by whoever needs it first and ends soon after the last one that uses it. Who
//! lets a server crash has one alone.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Ends the server when nobody uses it any more, and removes what is left of it: who uses it holds a shared lock on the file `users`.
const ENDS_IT: &str = r#"
cd "$1"
while sleep 5; do
    exec 9<starts
    flock 9
    if flock --nonblock users true; then
        "$2" -D data -m fast -w stop
        "$2" -D data status || { rm -rf "$3"; exit; }
    fi
    exec 9<&-
done
"#;

/// The name of a socket has a port too.
const PORT: u16 = 5432;

/// What every server is started with: it is reached through its socket alone, unless its own settings say more.
const OPTIONS: &str = "-c listen_addresses= -c unix_socket_directories=.. -c max_connections=400";

/// Where Debian keeps the programs of each version, and what to install.
const PROGRAMS: &str = "/usr/lib/postgresql";
const MISSING: &str =
    "PostgreSQL 15 or newer is missing: `cargo xtask test` installs it, or `apt install postgresql`";

/// A server that runs.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    port: u16,
    programs: PathBuf,
    /// What it is started with.
    options: String,
    /// Nobody else uses it.
    is_alone: bool,
    /// Held for its lock.
    _user: File,
}

impl PostgresServer {
    /// The server of this test run.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(|| {
            // A socket's path has no room for a long one.
            let folder = format!("vega-tests-postgres-{}", user_id());
            Self::in_folder(&std::env::temp_dir().join(folder), PORT, None, Self::is_made_anew)
        })
    }

    /// A server for this process alone, with settings of its own (`-c name=value`). It ends when it is dropped.
    pub fn alone(settings: &str) -> Self {
        Self::alone_at(PORT, settings)
    }

    fn alone_at(port: u16, settings: &str) -> Self {
        Self::alone_made_by(port, settings, Self::is_made_anew)
    }

    fn alone_made_by(port: u16, settings: &str, makes: impl FnOnce(&Self)) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("vega-postgres-{}-{number}", std::process::id());
        Self::in_folder(&std::env::temp_dir().join(folder), port, Some(settings), makes)
    }

    /// One that is reached over TCP too: there it speaks TLS with this certificate and key, and asks its user for this password.
    pub fn over_tls(certificate: &str, key: &str, password: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Self::alone_at(port, &format!("-p {port} -c listen_addresses=127.0.0.1"));
        for (file, text) in [
            ("server.crt", certificate),
            ("server.key", key),
            (
                "pg_hba.conf",
                "local all all trust\nhost all all 127.0.0.0/8 scram-sha-256\n",
            ),
        ] {
            server.writes(&format!("data/{file}"), text);
        }
        server.sql("postgres", &format!("ALTER USER vega PASSWORD '{password}'"));
        server.speaks_tls(true);
        server
    }

    /// Whether it speaks TLS from now on.
    pub fn speaks_tls(&self, speaks: bool) {
        self.sql("postgres", &format!("ALTER SYSTEM SET ssl = {speaks}"));
        self.crash();
        self.start_again();
    }

    /// Writes a file of the server's user, in the server's folder.
    pub(crate) fn writes(&self, file: &str, text: &str) {
        let write = r#"umask 077 && printf '%s' "$2" > "$1""#;
        self.runs_to_its_end(&["sh", "-c", write, "sh", file, text]);
    }

    /// Runs a command as the server's user, in the server's folder.
    pub(crate) fn runs_to_its_end(&self, command: &[&str]) {
        self.run_as_server(command).expect(command[0]);
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The port in the name of its socket.
    pub(crate) fn socket_port(&self) -> u16 {
        self.port
    }

    /// Where it listens over TCP, if it does.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts a server there, unless one runs.
    fn in_folder(folder: &Path, port: u16, settings: Option<&str>, makes: impl FnOnce(&Self)) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder, private).unwrap();
        let starts = File::create(folder.join("starts")).unwrap();
        starts.lock().unwrap();
        let user = File::create(folder.join("users")).unwrap();
        user.lock_shared().unwrap();
        let server = Self {
            folder: folder.to_owned(),
            port,
            programs: programs(),
            options: format!("{OPTIONS} {}", settings.unwrap_or_default()),
            is_alone: settings.is_some(),
            _user: user,
        };
        if !server.runs() {
            server.start(makes);
        }
        server
    }

    fn is_made_anew(&self) {
        let made = ["initdb", "-D", "data", "-U", "vega", "-A", "trust", "-E", "UTF8"];
        let made = [&made[..], &["--locale=C", "-k", "--no-sync"]].concat();
        self.run_as_server(&made).expect("initdb");
    }

    /// A server that follows this one, and may take its place. It ends when it is dropped.
    #[must_use]
    pub fn standby(&self) -> Self {
        let settings = "-c hot_standby=on -c wal_retrieve_retry_interval=100ms";
        Self::alone_made_by(PORT, settings, |standby| {
            let copied = ["pg_basebackup", "-D", "data", "-R", "-U", "vega", "-c", "fast"];
            let port = self.port.to_string();
            let from = ["--no-sync", "-h", self.folder.to_str().unwrap(), "-p", &port];
            standby
                .run_as_server(&[&copied[..], &from].concat())
                .expect("pg_basebackup");
        })
    }

    /// Acknowledges from now on only what this standby has too.
    pub fn waits_for(&self, standby: &Self) {
        // The standby's own settings stay as they are: it waits for nobody when it takes the place.
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        self.wait_for(
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
            "1",
        );
        standby.catches_up_with(self);
    }

    /// This standby gets nothing more of what the server commits.
    pub fn stops_following(&self) {
        self.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
        self.sql("postgres", "SELECT pg_reload_conf()");
        self.wait_for("SELECT count(*) FROM pg_stat_wal_receiver", "0");
    }

    /// Waits until this standby has what the server has committed.
    pub fn catches_up_with(&self, server: &Self) {
        let place = server.question("postgres", "SELECT pg_current_wal_lsn()");
        let has_it = format!("SELECT pg_last_wal_replay_lsn() >= '{place}'::pg_lsn");
        self.wait_for(&has_it, "t");
    }

    /// Lets this standby take the place of the server that it follows.
    pub fn promote(&self) {
        let promoted = ["pg_ctl", "-D", "data", "-w", "promote"];
        self.run_as_server(&promoted).expect("pg_ctl promote");
    }

    fn wait_for(&self, question: &str, answer: &str) {
        for _ in 0..600 {
            if self.question("postgres", question) == answer {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("never {answer}: {question}");
    }

    fn runs(&self) -> bool {
        let status = self.run_as_server(&["pg_ctl", "-D", "data", "status"]);
        status.status.success()
    }

    fn start(&self, makes: impl FnOnce(&Self)) {
        let _ = std::fs::remove_dir_all(self.folder.join("data"));
        if is_root() {
            let given = Command::new("chown").arg("postgres").arg(&self.folder).output();
            assert!(given.unwrap().status.success());
        }
        makes(self);
        self.start_again();
        let data = self.folder.join("data");
        // It goes on when this process has ended, and forks for that.
        let ends = Command::new("setsid")
            .arg("--fork")
            .args(self.as_server(&["sh", "-c", ENDS_IT, "ends"]))
            .arg(&self.folder)
            .arg(self.programs.join("pg_ctl"))
            // The folder of all processes stays for the locks in it.
            .arg(if self.is_alone { &self.folder } else { &data })
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(ends.unwrap().success());
    }

    /// Starts it where it was made, after it ended in whatever way.
    pub fn start_again(&self) {
        let start = [
            "pg_ctl",
            "-D",
            "data",
            "-l",
            "log",
            "-w",
            "-o",
            &self.options,
            "start",
        ];
        self.run_as_server(&start).expect("pg_ctl start");
    }

    /// Ends it at once, as `pg_ctl stop -m immediate` does: what it has not made durable is gone.
    pub fn crash(&self) {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let id = file.lines().next().unwrap();
        let asked = Command::new("kill").args(["-QUIT", id]).status();
        assert!(asked.unwrap().success());
        while self.runs() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// The socket that it listens at.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// A command as the server's user: PostgreSQL refuses to run as root.
    fn as_server(&self, command: &[&str]) -> Vec<String> {
        let mut words = Vec::new();
        if is_root() {
            words.extend(["runuser", "-u", "postgres", "--"].map(String::from));
        }
        let program = self.programs.join(command[0]);
        words.push(if program.exists() {
            program.to_str().unwrap().to_owned()
        } else {
            command[0].to_owned()
        });
        words.extend(command[1..].iter().map(|word| (*word).to_owned()));
        words
    }

    fn run_as_server(&self, command: &[&str]) -> Ran {
        let words = self.as_server(command);
        let output = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output();
        Ran(output.unwrap())
    }

    /// The URL of a new database with nothing in it.
    pub fn fresh_database(&self) -> String {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {name}"));
        self.sql("postgres", &format!("CREATE DATABASE {name} STRATEGY file_copy"));
        format!("postgres://vega@/{name}?host={}", self.folder.display())
    }

    /// Runs statements past Vega in the database of this URL.
    pub fn change(&self, url: &str, statements: &str) {
        self.sql(database_of(url), statements);
    }

    /// The statements that make the database of this URL anew, without those of `psql`.
    pub fn dump(&self, url: &str) -> String {
        let ran = Command::new(self.programs.join("pg_dump"))
            .args(["--inserts", "--no-owner", "-U", "vega", "-h"])
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), database_of(url)])
            .output();
        let ran = Ran(ran.unwrap());
        ran.expect("pg_dump");
        let text = String::from_utf8(ran.stdout.clone()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('\\'));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    /// Runs the statements of a file in the database of this URL.
    pub fn restore(&self, url: &str, file: &Path) {
        let include = format!("\\i {}", file.display());
        self.sql(database_of(url), &include);
    }

    /// What the database says to statements that it refuses.
    pub fn refusal(&self, url: &str, statements: &str) -> String {
        let ran = self.psql(database_of(url), statements);
        assert!(!ran.status.success(), "it took {statements}");
        String::from_utf8_lossy(&ran.stderr).into_owned()
    }

    /// What the database says to a question, one line per row.
    pub fn ask(&self, url: &str, question: &str) -> String {
        self.question(database_of(url), question)
    }

    fn question(&self, database: &str, question: &str) -> String {
        let ran = self.psql(database, question);
        ran.expect(question);
        String::from_utf8(ran.stdout.clone()).unwrap().trim().to_owned()
    }

    fn sql(&self, database: &str, statements: &str) {
        self.psql(database, statements).expect(statements);
    }

    fn psql(&self, database: &str, statements: &str) -> Ran {
        let host = self.folder.to_str().unwrap();
        let ran = Command::new(self.programs.join("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                host,
                "-p",
                &self.port.to_string(),
                "-U",
                "vega",
                "-d",
                database,
                "-c",
                statements,
            ])
            .output();
        Ran(ran.unwrap())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.is_alone {
            // Whoever ends it otherwise looks on, and would leave a file in the folder.
            let starts = File::open(self.folder.join("starts"));
            let _held = starts.map(|starts| starts.lock().map(|()| starts));
            let _ = self.run_as_server(&["pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop"]);
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn database_of(url: &str) -> &str {
    let (_, rest) = url.rsplit_once("@/").unwrap();
    rest.split_once('?').unwrap().0
}

struct Ran(Output);

impl std::ops::Deref for Ran {
    type Target = Output;

    fn deref(&self) -> &Output {
        &self.0
    }
}

impl Ran {
    fn expect(&self, what: &str) {
        assert!(self.0.status.success(), "{what}: {:?}", self.0);
    }
}

fn is_root() -> bool {
    user_id() == "0"
}

fn user_id() -> String {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

/// The folder with the programs of the newest version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir(PROGRAMS).expect(MISSING);
    let versions =
        versions.filter_map(|version| version.ok()?.file_name().into_string().ok()?.parse::<u32>().ok());
    let newest = versions.max().filter(|newest| *newest >= 15).expect(MISSING);
    Path::new(PROGRAMS).join(newest.to_string()).join("bin")
}
