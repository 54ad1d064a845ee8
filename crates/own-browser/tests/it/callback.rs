//! The listener at the redirect URI: which code it takes, what it refuses, and what its page says.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Query;
use rstest::rstest;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use vega_domain::failure::FailureReason;
use vega_domain::ports::{CodeDelivery, ListenerProof, SignInSession};
use vega_domain::secret::{AuthorizationCode, OAuthState};
use vega_domain::sign_in::{Notice, WayBack};
use vega_testing::builders::at;

use crate::sign_in_fixture::{PROOF, SignInFixture, browse, browse_as, free_port, look_ahead};

#[tokio::test]
async fn a_browser_brings_the_code_and_its_page_says_so() {
    let uri = format!("http://localhost:{}/cb", free_port().await);
    let (fixture, mut desk) = SignInFixture::new(&uri);
    let mut session = fixture.session().await;
    let browser = async {
        let link = desk.links.recv().await.unwrap();
        assert_eq!(link.way_back, WayBack::Callback);
        assert!(link.link.expose().contains("&state=S-1"));
        let page = browse(format!("{uri}?code=mk404x&state=S-1")).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(
            page.text.contains("Signed in") && page.text.contains("PRIMARY"),
            "{page:?}"
        );
        assert!(page.text.contains("You can close this window"), "{page:?}");
        assert!(
            !page.text.contains("mk404x") && !page.text.contains("S-1"),
            "{page:?}"
        );
        assert!(page.policy.unwrap().starts_with("default-src 'none'"));
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(code.unwrap(), "mk404x");
    assert_eq!(fixture.told(), []);

    let again = browse(format!("{uri}?code=mk404x&state=S-1")).await;
    assert_eq!(again.status, 200, "a page that is loaded twice is no mistake");
    assert!(again.text.contains("Nothing was done a second time"), "{again:?}");
    session.close().await;
}

#[tokio::test]
async fn what_belongs_to_no_sign_in_is_refused_explained_and_told_once() {
    let uri = format!("http://127.0.0.1:{}/cb", free_port().await);
    let (fixture, mut desk) = SignInFixture::new(&uri);
    fixture.journal.opens("S-old", "WEBSOCKET1").await;
    fixture.journal.closes("S-old").await;
    let mut session = fixture.session().await;
    let browser = async {
        desk.links.recv().await.unwrap();
        for (query, status, words) in [
            ("?code=mk404x&state=S-2", 400, "nobody here sent its state"),
            ("?code=mk404x&state=S-old", 410, "The sign-in for WEBSOCKET1"),
            ("?code=mk404x", 400, "lacks the code or the state"),
            ("?state=S-1", 400, "lacks the code or the state"),
            ("?code=a&code=b&state=S-1", 400, "lacks the code or the state"),
            ("?code=&state=S-1", 400, "lacks the code or the state"),
            ("/other?code=mk404x&state=S-1", 404, "at another address"),
        ] {
            let page = browse(format!("{uri}{query}")).await;
            assert_eq!(page.status, status, "{query}: {page:?}");
            assert!(page.text.contains(words), "{query}: {page:?}");
        }
        let rebound = browse_as(format!("{uri}?code=evil&state=S-1"), Some("evil.example")).await;
        assert_eq!(rebound.status, 404, "{rebound:?}");
        assert_eq!(browse(format!("{uri}?code=mk404x&state=S-1")).await.status, 200);
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(
        code.unwrap(),
        "mk404x",
        "the right one is accepted after all of them"
    );
    assert_eq!(fixture.told(), [Notice::ForeignRedirect]);
    let audited = fixture.journal.refused();
    assert_eq!(audited.len(), 6, "{audited:?}");
    assert_eq!(audited[0], "no sign-in sent its state");
    assert_eq!(audited[1], "the sign-in for WEBSOCKET1 had ended");
    assert_eq!(audited[2], "it lacked a code or a state");
    session.close().await;
}

#[tokio::test]
async fn another_process_may_bring_the_code() {
    let port = free_port().await;
    let taken = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (fixture, mut desk) = SignInFixture::new(&format!("http://127.0.0.1:{port}/cb"));
    let mut session = fixture.session().await;
    let server = async {
        use vega_domain::ports::CodeDelivery as _;
        let link = desk.links.recv().await.unwrap();
        let why = format!("another program listens at port {port}");
        assert_eq!(link.way_back, WayBack::PasteOnly { why });
        let (state, code) = ("S-1".to_owned(), "mk404x".to_owned());
        let (state, code) = (OAuthState::new(state), AuthorizationCode::new(code));
        let now = chrono::DateTime::UNIX_EPOCH;
        fixture.journal.deliver_code(&state, &code, now).await.unwrap();
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), server);
    assert_eq!(code.unwrap(), "mk404x");
    session.close().await;
    drop(taken);
}

#[tokio::test]
async fn the_port_is_free_when_the_session_is_closed() {
    let port = free_port().await;
    let uri = format!("http://localhost:{port}/cb");
    let (fixture, mut desk) = SignInFixture::new(&uri);
    let mut session = fixture.session().await;
    for (api, state) in [("PRIMARY", "S-1"), ("WEBSOCKET1", "S-2")] {
        let browser = async {
            let link = desk.links.recv().await.unwrap();
            assert_eq!(link.way_back, WayBack::Callback, "{api}");
            browse(format!("{uri}?code=mk404x&state={state}")).await;
        };
        let (code, ()) = tokio::join!(fixture.sign_in(&mut session, api, state), browser);
        code.unwrap();
    }
    session.close().await;
    tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
}

#[tokio::test]
async fn what_one_sign_in_refused_is_not_told_in_the_next() {
    let uri = format!("http://127.0.0.1:{}/cb", free_port().await);
    let (fixture, mut desk) = SignInFixture::new(&uri);
    let mut session = fixture.session().await;
    for state in ["S-1", "S-2"] {
        let browser = async {
            desk.links.recv().await.unwrap();
            for _ in 0..(if state == "S-1" { 3 } else { 0 }) {
                browse(format!("{uri}?code=x&state=y")).await;
            }
            browse(format!("{uri}?code=mk404x&state={state}")).await;
        };
        let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", state), browser);
        code.unwrap();
        assert_eq!(fixture.told(), [Notice::ForeignRedirect], "{state}");
    }
    session.close().await;
}

/// `localhost` is two addresses, and a browser may take either.
#[tokio::test]
async fn another_uri_at_the_same_port_gets_the_address_that_it_lacks() {
    let port = free_port().await;
    let (mut fixture, mut desk) = SignInFixture::new(&format!("http://127.0.0.1:{port}/cb"));
    let mut session = fixture.session().await;
    for (host, state) in [("127.0.0.1", "S-1"), ("localhost", "S-2")] {
        let uri = format!("http://{host}:{port}/cb");
        fixture.is_registered_at(&uri);
        let browser = async {
            let link = desk.links.recv().await.unwrap();
            assert_eq!(link.way_back, WayBack::Callback, "{host}");
            if host == "localhost" {
                drop(tokio::net::TcpStream::connect(("::1", port)).await.unwrap());
            }
            browse(format!("{uri}?code=mk404x&state={state}")).await;
        };
        let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", state), browser);
        code.unwrap();
    }
    session.close().await;
}

/// A browser that only looks ahead must not use anything up.
#[tokio::test]
async fn only_a_get_brings_a_code() {
    let uri = format!("http://127.0.0.1:{}/cb", free_port().await);
    let (fixture, mut desk) = SignInFixture::new(&uri);
    let mut session = fixture.session().await;
    let browser = async {
        desk.links.recv().await.unwrap();
        assert_eq!(look_ahead(format!("{uri}?code=ahead&state=S-1")).await, 405);
        assert_eq!(browse(format!("{uri}?code=mk404x&state=S-1")).await.status, 200);
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(code.unwrap(), "mk404x");
    session.close().await;
}

/// A session that has signed in at `localhost:port`, and a client at each of its addresses that never ends its request.
async fn with_slow_clients(port: u16) -> (Box<dyn SignInSession>, Vec<TcpStream>) {
    let uri = format!("http://localhost:{port}/cb");
    let (fixture, mut desk) = SignInFixture::new(&uri);
    let mut session = fixture.session().await;
    let browser = async {
        desk.links.recv().await.unwrap();
        let mut clients = Vec::new();
        for address in ["127.0.0.1", "::1"] {
            let mut client = TcpStream::connect((address, port)).await.unwrap();
            client.write_all(b"GET /cb HTTP/1.1\r\nHost: loc").await.unwrap();
            clients.push(client);
        }
        browse(format!("{uri}?code=mk404x&state=S-1")).await;
        clients
    };
    let (code, clients) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    code.unwrap();
    (session, clients)
}

#[tokio::test]
async fn slow_clients_hold_the_end_up_once_and_not_each() {
    let port = free_port().await;
    let (session, _clients) = with_slow_clients(port).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    session.close().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
}

#[tokio::test]
async fn a_session_that_is_dropped_listens_no_more() {
    let port = free_port().await;
    let (session, _clients) = with_slow_clients(port).await;
    drop(session);
    // What is aborted ends the next time it would run.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::net::TcpListener::bind(("::1", port)).await.unwrap();
}

/// An OTP was spent on it, and no other code comes.
#[rstest]
#[case::for_a_moment(3, Ok("mk404x"), 200)]
#[case::for_good(u32::MAX, Err(FailureReason::Storage), 503)]
#[tokio::test]
async fn a_code_waits_for_a_database_that_takes_nothing(
    #[case] full_for: u32,
    #[case] ends: Result<&str, FailureReason>,
    #[case] status: u16,
) {
    let uri = format!("http://localhost:{}/cb", free_port().await);
    let (fixture, mut desk) = SignInFixture::new(&uri);
    fixture.journal.is_full_for(full_for);
    let mut session = fixture.session().await;
    let browser = async {
        desk.links.recv().await.unwrap();
        let page = browse(format!("{uri}?code=mk404x&state=S-1")).await;
        assert_eq!(page.status, status, "{page:?}");
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(code.as_deref().map_err(|failure| failure.reason), ends);
    session.close().await;
}

/// Whoever listens at `port` and answers `/livez` so.
async fn listens_there(
    port: u16,
    says: impl Fn(&str) -> String + Clone + Send + Sync + 'static,
) -> JoinHandle<()> {
    let live = async move |Query(asked): Query<BTreeMap<String, String>>| says(&asked["challenge"]);
    let named = axum::Router::new().route("/livez", axum::routing::get(live));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async { axum::serve(listener, named).await.unwrap() })
}

/// It takes the code for whoever waits.
#[tokio::test]
async fn where_our_vega_server_listens_nobody_else_must() {
    let port = free_port().await;
    let uri = format!("http://127.0.0.1:{port}/cb");
    let serving = listens_there(port, move |challenge| {
        let proof = PROOF.answer(
            challenge,
            &std::net::SocketAddr::from(([127, 0, 0, 1], port)).into(),
        );
        format!(r#"{{"v":1,"program":"vega-server","version":"0.1.0","proof":"{proof}"}}"#)
    });
    let serving = serving.await;
    let (fixture, mut desk) = SignInFixture::new(&uri);
    let mut session = fixture.session().await;
    let brings = async {
        let link = desk.links.recv().await.unwrap();
        assert_eq!(link.way_back, WayBack::Callback);
        let state = OAuthState::new("S-1");
        let code = AuthorizationCode::new("mk404x");
        fixture.journal.deliver_code(&state, &code, at(0)).await.unwrap();
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), brings);
    assert_eq!(code.unwrap(), "mk404x");
    session.close().await;
    serving.abort();
}

/// A code that came back would be its own.
#[rstest]
#[case::only_says_so(
    r#"{"v":1,"program":"vega-server","version":"0.1.0"}"#,
    "calls itself vega-server"
)]
#[case::has_another_key(
    r#"{"v":1,"program":"vega-server","version":"0.1.0","proof":"00"}"#,
    "calls itself vega-server"
)]
#[case::is_something_else("a page", "another program")]
#[tokio::test]
async fn a_program_that_cannot_prove_itself_is_named_and_not_waited_for(
    #[case] says: &'static str,
    #[case] words: &str,
) {
    let port = free_port().await;
    let uri = format!("http://127.0.0.1:{port}/cb");
    let serving = listens_there(port, |_| says.to_owned()).await;
    let (fixture, mut desk) = SignInFixture::new(&uri);
    let mut session = fixture.session().await;
    let pastes = async {
        let link = desk.links.recv().await.unwrap();
        let WayBack::PasteOnly { why } = &link.way_back else {
            panic!("it is believed: {link:?}");
        };
        assert!(why.contains(words) && why.contains(&port.to_string()), "{why}");
        desk.keyboard
            .send(format!("{uri}?code=mk404x&state=S-1"))
            .unwrap();
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), pastes);
    assert_eq!(code.unwrap(), "mk404x");
    session.close().await;
    serving.abort();
}

/// Files that this process has open.
#[cfg(target_os = "linux")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The crowd is in this process too, so it may have more files open than a program commonly may: 1,024, of which the listener
/// leaves most to everything else.
#[cfg(target_os = "linux")]
#[rstest]
#[case::hundreds(300)]
#[case::more_than_a_process_may_have_files(1_200)]
#[tokio::test]
async fn the_code_comes_back_while_a_crowd_is_silent(#[case] crowd: usize) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let uri = format!("http://127.0.0.1:{}/cb", free_port().await);
    let (fixture, mut desk) = SignInFixture::new(&uri);
    let mut session = fixture.session().await;
    let host = uri
        .trim_start_matches("http://")
        .trim_end_matches("/cb")
        .to_owned();
    let browser = async {
        desk.links.recv().await.unwrap();
        // What the listener allows itself was settled before.
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most.min(8_192), most).unwrap();
        let before = open_files();
        let mut silent = Vec::new();
        for _ in 0..crowd {
            silent.push(TcpStream::connect(&host).await.unwrap());
        }
        let began = tokio::time::Instant::now();
        let page = browse(format!("{uri}?code=mk404x&state=S-1")).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        let of_listener = open_files() - before - silent.len();
        assert!(of_listener < 512, "{of_listener} files for a crowd of {crowd}");
        silent
    };
    let (code, silent) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(code.unwrap(), "mk404x");
    session.close().await;
    drop(silent);
}

/// Its database takes nothing yet, and the browser does not wait for that.
#[tokio::test]
async fn a_browser_that_hangs_up_leaves_its_code_behind() {
    let uri = format!("http://127.0.0.1:{}/cb", free_port().await);
    let (fixture, mut desk) = SignInFixture::new(&uri);
    fixture.journal.is_full_for(3);
    let mut session = fixture.session().await;
    let host = uri
        .trim_start_matches("http://")
        .trim_end_matches("/cb")
        .to_owned();
    let browser = async {
        desk.links.recv().await.unwrap();
        let mut stream = TcpStream::connect(&host).await.unwrap();
        let request = format!("GET /cb?code=mk404x&state=S-1 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(code.unwrap(), "mk404x");
    session.close().await;
}
