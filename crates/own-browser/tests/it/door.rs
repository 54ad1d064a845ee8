//! Opening a link in the system's browser without its `state` on a command line.

use std::os::unix::fs::PermissionsExt;

use vega_domain::sign_in::Notice;

use crate::world::{World, browse, look_ahead};

/// A folder with an `xdg-open` that writes down how it was called and ends with `code`.
fn opener(code: u8) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("xdg-open");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {0}/called.part\n/usr/bin/env > {0}/environment\n/bin/mv {0}/called.part {0}/called\nexit {code}\n",
        folder.path().display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

const PASTE: &str = "https://desk.example/cb?code=mk404x&state=S-1";

#[tokio::test]
async fn the_browser_is_led_to_the_link_once() {
    let folder = opener(0);
    let (mut world, desk) = World::new("https://desk.example/cb");
    world.opens_links(vec![("PATH".into(), folder.path().into())]);
    let mut session = world.session().await;
    let browser = async {
        let called = folder.path().join("called");
        while !called.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let address = std::fs::read_to_string(called).unwrap().trim().to_owned();
        assert!(
            address.starts_with("http://127.0.0.1:") && !address.contains("S-1"),
            "{address}"
        );
        assert_eq!(
            look_ahead(address.as_str()).await,
            405,
            "it must not use the door up"
        );
        let page = browse(address.as_str()).await;
        assert_eq!(page.status, 303, "{page:?}");
        assert!(page.location.unwrap().contains("&state=S-1"));
        let again = browse(address.as_str()).await;
        assert_eq!((again.status, again.location), (410, None));
        desk.keyboard.send(PASTE.into()).unwrap();
        address
    };
    let (code, address) = tokio::join!(world.sign_in(&mut session, "PRIMARY", "S-1"), browser);
    code.unwrap();
    assert_eq!(world.told(), []);
    let environment = std::fs::read_to_string(folder.path().join("environment")).unwrap();
    assert!(
        !environment.contains("CARGO"),
        "only what was given: {environment}"
    );
    // The door is shut with its sign-in.
    let host = address.trim_start_matches("http://").split('/').next().unwrap();
    assert!(tokio::net::TcpStream::connect(host).await.is_err());
}

#[tokio::test]
async fn a_browser_that_does_not_start_is_told() {
    let fails = opener(3);
    let nothing = tempfile::tempdir().unwrap();
    for folder in [&fails, &nothing] {
        let (mut world, desk) = World::new("https://desk.example/cb");
        world.opens_links(vec![("PATH".into(), folder.path().into())]);
        let mut session = world.session().await;
        desk.keyboard.send(PASTE.into()).unwrap();
        world.sign_in(&mut session, "PRIMARY", "S-1").await.unwrap();
        assert_eq!(world.told(), [Notice::LinkNotOpened]);
    }
}
