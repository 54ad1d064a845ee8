//! The listener at the redirect URI: which code it takes, what it refuses, and what its page says.

use vega_domain::sign_in::{Notice, WayBack};

use crate::world::{World, browse, browse_as, free_port};

#[tokio::test]
async fn a_browser_brings_the_code_and_its_page_says_so() {
    let uri = format!("http://localhost:{}/cb", free_port().await);
    let (world, mut desk) = World::new(&uri);
    let mut session = world.session().await;
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
    let (code, ()) = tokio::join!(world.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(code.unwrap(), "mk404x");
    assert_eq!(world.told(), []);

    let again = browse(format!("{uri}?code=mk404x&state=S-1")).await;
    assert_eq!(again.status, 200, "a page that is loaded twice is no mistake");
    assert!(again.text.contains("Nothing was done a second time"), "{again:?}");
    session.close().await;
}

#[tokio::test]
async fn what_belongs_to_no_sign_in_is_refused_explained_and_told_once() {
    let uri = format!("http://127.0.0.1:{}/cb", free_port().await);
    let (world, mut desk) = World::new(&uri);
    world.journal.opens("S-old", "WEBSOCKET1");
    world.journal.closes("S-old");
    let mut session = world.session().await;
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
    let (code, ()) = tokio::join!(world.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(
        code.unwrap(),
        "mk404x",
        "the right one is accepted after all of them"
    );
    assert_eq!(world.told(), [Notice::ForeignRedirect]);
    let audited = world.journal.audited();
    assert_eq!(audited.len(), 6, "{audited:?}");
    assert_eq!(audited[0], "redirect_refused: no sign-in sent its state");
    assert_eq!(
        audited[1],
        "redirect_refused: the sign-in for WEBSOCKET1 had ended"
    );
    assert_eq!(audited[2], "redirect_refused: it lacked a code or a state");
    session.close().await;
}

#[tokio::test]
async fn a_flood_does_not_fill_the_audit_trail() {
    let uri = format!("http://127.0.0.1:{}/cb", free_port().await);
    let (world, mut desk) = World::new(&uri);
    let mut session = world.session().await;
    let browser = async {
        desk.links.recv().await.unwrap();
        for _ in 0..110 {
            browse(format!("{uri}?code=x&state=y")).await;
        }
        browse(format!("{uri}?code=mk404x&state=S-1")).await;
    };
    let (code, ()) = tokio::join!(world.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    assert_eq!(code.unwrap(), "mk404x");
    assert_eq!(world.journal.audited().len(), 100);
    session.close().await;
}

#[tokio::test]
async fn another_process_may_bring_the_code() {
    let port = free_port().await;
    let taken = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (world, mut desk) = World::new(&format!("http://127.0.0.1:{port}/cb"));
    let mut session = world.session().await;
    let server = async {
        use vega_domain::ports::SignInJournal as _;
        let link = desk.links.recv().await.unwrap();
        let why = format!("another program listens at port {port}");
        assert_eq!(link.way_back, WayBack::PasteOnly { why });
        let (state, code) = ("S-1".to_owned(), "mk404x".to_owned());
        let (state, code) = (
            vega_domain::secret::OAuthState::new(state),
            vega_domain::secret::AuthorizationCode::new(code),
        );
        let now = chrono::DateTime::UNIX_EPOCH;
        world.journal.deliver_code(&state, &code, now).await.unwrap();
    };
    let (code, ()) = tokio::join!(world.sign_in(&mut session, "PRIMARY", "S-1"), server);
    assert_eq!(code.unwrap(), "mk404x");
    session.close().await;
    drop(taken);
}

#[tokio::test]
async fn the_port_is_free_when_the_session_is_closed() {
    let port = free_port().await;
    let uri = format!("http://localhost:{port}/cb");
    let (world, mut desk) = World::new(&uri);
    let mut session = world.session().await;
    for (api, state) in [("PRIMARY", "S-1"), ("WEBSOCKET1", "S-2")] {
        let browser = async {
            let link = desk.links.recv().await.unwrap();
            assert_eq!(link.way_back, WayBack::Callback, "{api}");
            browse(format!("{uri}?code=mk404x&state={state}")).await;
        };
        let (code, ()) = tokio::join!(world.sign_in(&mut session, api, state), browser);
        code.unwrap();
    }
    session.close().await;
    tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
}
