//! Opening a link in the system's browser without its `state` on a command line.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use vega_domain::failure::FailureReason;
use vega_domain::sign_in::Notice;

use crate::sign_in_fixture::{SignInFixture, free_port};

/// A folder with an `xdg-open` that writes down how it was called and ends with `code`.
fn opener(code: u8) -> tempfile::TempDir {
    opener_that(&format!("exit {code}"))
}

/// The same with an end of its own.
fn opener_that(ends: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("xdg-open");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {0}/called.part\n/usr/bin/env > {0}/environment\n/bin/mv {0}/called.part {0}/called\n{ends}\n",
        folder.path().display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

const PASTE: &str = "https://desk.example/cb?code=mk404x&state=S-1";

#[tokio::test]
async fn the_browser_is_given_a_file_that_leads_to_the_link_and_goes_with_the_sign_in() {
    let folder = opener(0);
    let runtime = tempfile::tempdir().unwrap();
    std::fs::set_permissions(runtime.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let (mut fixture, desk) = SignInFixture::new("https://desk.example/cb");
    fixture.opens_links(vec![
        ("PATH".into(), folder.path().into()),
        ("XDG_RUNTIME_DIR".into(), runtime.path().into()),
    ]);
    let mut session = fixture.session().await;
    let browser = async {
        let called = folder.path().join("called");
        while !called.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let named = std::fs::read_to_string(called).unwrap().trim().to_owned();
        assert!(!named.contains("S-1"), "{named}");
        let file = Path::new(&named);
        assert_eq!(file.parent(), Some(runtime.path()));
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let page = std::fs::read_to_string(file).unwrap();
        assert!(page.contains("url=https://api.upstox.example/"), "{page}");
        assert!(page.contains("state=S-1"), "{page}");
        // It may be read again, by a browser that was slow.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(file.exists());
        desk.keyboard.send(PASTE.into()).unwrap();
    };
    let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    code.unwrap();
    assert_eq!(fixture.told(), []);
    let environment = std::fs::read_to_string(folder.path().join("environment")).unwrap();
    assert!(
        !environment.contains("CARGO"),
        "only what was given: {environment}"
    );
    assert_eq!(
        std::fs::read_dir(runtime.path()).unwrap().count(),
        0,
        "it is gone"
    );
}

#[tokio::test]
async fn a_browser_that_does_not_start_is_told() {
    let fails = opener(3);
    let nothing = tempfile::tempdir().unwrap();
    for folder in [&fails, &nothing] {
        let (mut fixture, desk) = SignInFixture::new("https://desk.example/cb");
        fixture.opens_links(vec![("PATH".into(), folder.path().into())]);
        let mut session = fixture.session().await;
        let told = async {
            while fixture.told().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            desk.keyboard.send(PASTE.into()).unwrap();
        };
        let (code, ()) = tokio::join!(fixture.sign_in(&mut session, "PRIMARY", "S-1"), told);
        code.unwrap();
        assert_eq!(fixture.told(), [Notice::LinkNotOpened]);
    }
}

/// A code that came back is not held up by a browser that takes its time.
#[tokio::test]
async fn the_code_is_waited_for_while_the_browser_starts() {
    let folder = opener_that("exec /bin/sleep 2");
    let (mut fixture, desk) = SignInFixture::new("https://desk.example/cb");
    fixture.opens_links(vec![("PATH".into(), folder.path().into())]);
    let mut session = fixture.session().await;
    desk.keyboard.send(PASTE.into()).unwrap();
    let began = tokio::time::Instant::now();
    fixture.sign_in(&mut session, "PRIMARY", "S-1").await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_link_that_reaches_nobody_is_not_waited_for() {
    let nothing = tempfile::tempdir().unwrap();
    let uri = format!("http://127.0.0.1:{}/cb", free_port().await);
    let (mut fixture, _desk) = SignInFixture::new(&uri);
    fixture.opens_links(vec![("PATH".into(), nothing.path().into())]);
    fixture.has_nobody();
    let mut session = fixture.session().await;
    let failure = fixture.sign_in(&mut session, "PRIMARY", "S-1").await.unwrap_err();
    assert_eq!(failure.reason, FailureReason::OwnBrowserUnavailable);
    assert!(
        failure.detail.contains("no browser could be started"),
        "{failure}"
    );
    session.close().await;
}
