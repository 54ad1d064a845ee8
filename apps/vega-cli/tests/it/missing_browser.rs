//! No browser, or none that can be driven: refused before anybody is asked for anything.

use std::path::Path;

use rstest::rstest;

use crate::world::{ONE_API, READY, driver, files, program, said, upstox, write};

const CHROMIUM: &str = "Chromium 140.0.7339.16 built on Debian GNU/Linux 13 (trixie)";
const DRIVER: &str = "ChromeDriver 140.0.7339.16 (a21ce95-refs/branch-heads/7339@{#1704})";

/// At any time of the day, also when sign-ins are closed.
const NOW: &[&str] = &["--force", "--reason", "a test"];

const HEADLESS: (&str, &str) = ("VEGA__BROWSER__HEADLESS", "true");

/// What is said with the programs of this home alone on the path.
fn said_with_programs(home: &Path, more: &[(&str, &str)], arguments: &[&str]) -> String {
    let path = home.join("bin").display().to_string();
    let upstox = upstox();
    let ours = [("PATH", &*path), ("VEGA__UPSTOX__API_BASE_URL", &*upstox)];
    said(home, &[ONE_API, &ours, more].concat(), &[NOW, arguments].concat())
}

/// The same where nothing may be begun.
fn refused(home: &Path, programs: &[(&str, &str)], more: &[(&str, &str)]) -> String {
    for (name, prints) in programs {
        program(&home.join("bin").join(name), prints);
    }
    let said = said_with_programs(home, more, &["--yes"]);
    assert!(said.starts_with("exit 9\n--- stdout\n--- stderr\n"), "{said}");
    let profiles = home.join(".local/share/vega/vega_trade.browser-profiles");
    assert!(!profiles.is_dir() || files(&profiles).is_empty());
    said
}

#[rstest]
#[case::nothing("nothing", &[], &[HEADLESS])]
#[case::no_chromedriver("no_chromedriver", &[("chromium", CHROMIUM)], &[HEADLESS])]
#[case::no_chromium("no_chromium", &[("chromedriver", DRIVER)], &[HEADLESS])]
#[case::no_configured_driver("no_configured_driver", &[("chromium", CHROMIUM), ("chromedriver", DRIVER)],
    &[HEADLESS, ("VEGA__BROWSER__CHROMEDRIVER", "/nowhere/chromedriver")])]
#[case::no_configured_browser("no_configured_browser", &[("chromium", CHROMIUM), ("chromedriver", DRIVER)],
    &[HEADLESS, ("VEGA__BROWSER__BINARY", "/nowhere/chromium")])]
#[case::no_display("no_display", &[("chromium", CHROMIUM), ("chromedriver", DRIVER)], &[])]
#[case::versions_differ("versions_differ",
    &[("chromium", "Chromium 141.0.7390.37 snap"), ("chromedriver", DRIVER)], &[HEADLESS])]
#[case::chrome_differs("chrome_differs",
    &[("google-chrome", "Google Chrome 139.0.7258.5 "), ("chromedriver", DRIVER)], &[HEADLESS])]
#[case::no_setpriv("no_setpriv", &[("chromium", CHROMIUM), ("chromedriver", DRIVER)], &[HEADLESS])]
fn it_is_said_before_anybody_is_asked(
    #[case] name: &str,
    #[case] programs: &[(&str, &str)],
    #[case] more: &[(&str, &str)],
) {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(name, refused(home.path(), programs, more));
}

/// A configured file that cannot be run is told as what it is, and one on the path is passed over as by a shell.
#[rstest]
#[case::a_folder("driver_is_a_folder", "VEGA__BROWSER__CHROMEDRIVER", |path: &Path| std::fs::create_dir(path).unwrap())]
#[case::not_executable("driver_not_executable", "VEGA__BROWSER__CHROMEDRIVER", |path: &Path| write(path, "#!/bin/sh\n"))]
#[case::browser_not_executable("browser_not_executable", "VEGA__BROWSER__BINARY", |path: &Path| write(path, "#!/bin/sh\n"))]
fn a_file_that_is_no_program_is_told(#[case] name: &str, #[case] key: &str, #[case] make: fn(&Path)) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("configured");
    make(&file);
    let configured = file.display().to_string();
    let programs = [("chromium", CHROMIUM), ("chromedriver", DRIVER)];
    insta::assert_snapshot!(
        name,
        refused(home.path(), &programs, &[HEADLESS, (key, &configured)])
    );
}

#[test]
fn a_file_in_the_place_of_the_profiles_is_named() {
    let home = tempfile::tempdir().unwrap();
    let profiles = home.path().join(".local/share/vega/vega_trade.browser-profiles");
    write(&profiles, "");
    insta::assert_snapshot!(refused(home.path(), &[], &[HEADLESS]));
}

/// Without a yes and without a terminal it ends right after the check.
#[rstest]
#[case::equal("Chromium 140.0.7339.16", DRIVER, None)]
#[case::another_build("Google Chrome 140.0.1.2", DRIVER, None)]
#[case::unreadable_browser("it is me", DRIVER, Some("bin/chromium cannot be read: it printed none"))]
#[case::unreadable_driver(CHROMIUM, "hello", Some("bin/chromedriver cannot be read: it printed none"))]
fn versions_that_match_or_cannot_be_read_stop_nobody(
    #[case] browser: &str,
    #[case] drivers: &str,
    #[case] warning: Option<&str>,
) {
    let home = tempfile::tempdir().unwrap();
    program(&home.path().join("bin/chromium"), browser);
    driver(home.path(), drivers, READY);
    let said = said_with_programs(home.path(), &[("DISPLAY", ":0")], &[]);
    assert!(
        said.starts_with("exit 3") && said.contains("there is no terminal to ask on"),
        "{said}"
    );
    match warning {
        Some(warning) => assert!(said.contains(" WARN ") && said.contains(warning), "{said}"),
        None => assert!(!said.contains(" WARN "), "{said}"),
    }
}

/// Vega's own settings are no business of these programs.
#[test]
fn the_programs_are_asked_without_vegas_secrets() {
    let home = tempfile::tempdir().unwrap();
    let tells = "Chromium ${UPSTOX_CLIENT_SECRET_0:-139}.0.1";
    let said = refused(
        home.path(),
        &[("chromium", tells), ("chromedriver", DRIVER)],
        &[HEADLESS],
    );
    assert!(said.contains("version 139.0.1"), "{said}");
}
