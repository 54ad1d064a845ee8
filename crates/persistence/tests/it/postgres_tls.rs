//! A database on a server that is not this machine's: it must prove who it is, and it asks for a password. An address that no program
//! takes for this machine leads to a server here.

use std::path::PathBuf;
use std::sync::LazyLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rstest::rstest;
use vega_persistence::{DataSource, DatabasePlace, OpenError};
use vega_testing::PostgresServer;

const PASSWORD: &str = "CANARY-password";
/// Leads to this machine.
const ELSEWHERE: &str = "0.0.0.0";

/// An authority, and a server with a certificate of it.
struct Remote {
    server: PostgresServer,
    authority: String,
    database: String,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl Remote {
    fn with_certificate_for(host: &str) -> Self {
        let authority = authority("ours");
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let server = PostgresServer::over_tls(&certificate.pem(), &key.serialize_pem(), PASSWORD);
        let socket = server.fresh_database();
        let name = socket.rsplit_once("@/").unwrap().1;
        Self {
            database: name.split_once('?').unwrap().0.to_owned(),
            authority: authority.pem(),
            server,
        }
    }

    fn url(&self, host: &str) -> String {
        format!("postgres://vega@{host}:{}/{}", self.server.port(), self.database)
    }
}

static REMOTE: LazyLock<Remote> = LazyLock::new(|| Remote::with_certificate_for(ELSEWHERE));

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn authority(&self, pem: &str) -> PathBuf {
        let file = self.0.path().join("authority.pem");
        std::fs::write(&file, pem).unwrap();
        file
    }

    async fn open(&self, url: &str, ca: Option<PathBuf>, password: &str) -> Result<DataSource, OpenError> {
        let place = DatabasePlace {
            ca,
            folder: self.0.path().join("data"),
            ..DatabasePlace::from(url)
        };
        let place = place.with_password(password.into());
        DataSource::open(&place, &self.0.path().join("config/vega.key")).await
    }
}

fn is_refused_for_good(refused: Result<DataSource, OpenError>, words: &[&str]) {
    let refused = refused.unwrap_err();
    assert!(!refused.is_away(), "nobody waits for it: {refused}");
    let said = refused.to_string();
    for part in words {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("CANARY"), "{said}");
}

#[tokio::test]
async fn a_server_that_proves_who_it_is_is_used_with_its_password() {
    let (remote, home) = (&*REMOTE, Home::new());
    let opened = home
        .open(
            &remote.url(ELSEWHERE),
            Some(home.authority(&remote.authority)),
            PASSWORD,
        )
        .await;
    let data = opened.unwrap();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND datname = current_database()";
    let socket = format!("postgres://vega@/{}?host=", remote.database);
    let count: u32 = remote.server.ask(&socket, encrypted).parse().unwrap();
    assert!(count > 0, "the connections are encrypted");
    data.close().await;
}

#[rstest]
#[case::public_ones(None)]
#[case::another_one(Some(()))]
#[tokio::test]
async fn a_server_of_another_authority_is_refused(#[case] another: Option<()>) {
    let (remote, home) = (&*REMOTE, Home::new());
    let ca = another.map(|()| home.authority(&authority("theirs").pem()));
    let refused = home.open(&remote.url(ELSEWHERE), ca, PASSWORD).await;
    is_refused_for_good(refused, &["certificate", "VEGA__DATABASE__CA"]);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let remote = Remote::with_certificate_for("db.example");
    let home = Home::new();
    let ca = Some(home.authority(&remote.authority));
    let refused = home.open(&remote.url(ELSEWHERE), ca, PASSWORD).await;
    is_refused_for_good(refused, &["valid for name", "db.example"]);
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let remote = Remote::with_certificate_for(ELSEWHERE);
    remote.server.speaks_tls(false);
    let home = Home::new();
    let ca = Some(home.authority(&remote.authority));
    let refused = home.open(&remote.url(ELSEWHERE), ca, PASSWORD).await;
    is_refused_for_good(refused, &["TLS"]);
}

#[rstest]
#[case::last("127.0.0.1:1", true)]
#[case::first("127.0.0.1:1", false)]
#[tokio::test]
async fn a_host_that_may_come_back_is_waited_for_beside_one_that_proves_nothing(
    #[case] down: &str,
    #[case] is_last: bool,
) {
    let (remote, home) = (&*REMOTE, Home::new());
    let other = format!("{ELSEWHERE}:{}", remote.server.port());
    let hosts = if is_last {
        format!("{other},{down}")
    } else {
        format!("{down},{other}")
    };
    let url = format!("postgres://vega@{hosts}/{}", remote.database);
    let refused = home.open(&url, None, PASSWORD).await.unwrap_err();
    assert!(refused.is_away(), "{refused}");
}

#[tokio::test]
async fn a_file_of_certificates_that_is_not_there_is_named() {
    let home = Home::new();
    let missing = home.0.path().join("missing.pem");
    let refused = home
        .open("postgres://vega@0.0.0.0:1/desk", Some(missing), PASSWORD)
        .await;
    is_refused_for_good(refused, &["missing.pem"]);
}

#[rstest]
#[case::wrong("CANARY-another")]
#[case::none("")]
#[tokio::test]
async fn a_password_that_is_not_the_users_is_refused(#[case] password: &str) {
    let (remote, home) = (&*REMOTE, Home::new());
    let ca = Some(home.authority(&remote.authority));
    let refused = home.open(&remote.url(ELSEWHERE), ca, password).await;
    is_refused_for_good(refused, &["VEGA__DATABASE__PASSWORD_FILE"]);
}
