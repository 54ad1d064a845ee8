//! What a sign-in needs and does not have: one line, on record, before anybody is asked for anything.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;
use serde_json::Value;

use crate::world::{
    ONE_API, READY, driver, free_redirect_uri, program, said, upstox, upstox_that, vega, write,
};

const CHROMIUM: &str = "Chromium 140.0.7339.16";
const DRIVER: &str = "ChromeDriver 140.0.7339.16";

/// At any time of the day, also when sign-ins are closed.
const SIGN_IN: &[&str] = &["--yes", "--force", "--reason", "a test"];

/// Settings under which a sign-in would begin, with the programs of this home alone on the path.
fn settings<'a>(upstox: &'a str, path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let ours = [
        ("VEGA__UPSTOX__API_BASE_URL", upstox),
        ("PATH", path),
        // No window opens in these tests.
        ("DISPLAY", ":0"),
    ];
    [ONE_API, &ours, more].concat()
}

fn path(home: &Path) -> String {
    home.join("bin").display().to_string()
}

/// What is said where a sign-in is wanted.
fn said_at(home: &Path, upstox: &str, more: &[(&str, &str)], arguments: &[&str]) -> String {
    let path = path(home);
    said(
        home,
        &settings(upstox, &path, more),
        &[SIGN_IN, arguments].concat(),
    )
}

/// Puts a browser and a driver there that work.
fn browser(home: &Path) -> PathBuf {
    program(&home.join("bin/chromium"), CHROMIUM);
    driver(home, DRIVER, READY)
}

/// What is on record: kind and detail of each entry.
fn on_record(home: &Path) -> Vec<(String, String)> {
    let output = vega(home, ONE_API, &["audit", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let entries = report["entries"].as_array().unwrap().iter();
    let word = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    entries
        .map(|entry| (word(entry, "kind"), word(entry, "detail")))
        .collect()
}

/// The one thing on record is that this check failed: nobody was asked, nothing began.
fn failed(home: &Path, check: &str) {
    let record = on_record(home);
    let [(kind, detail)] = &*record else {
        panic!("more is on record: {record:?}")
    };
    assert_eq!(kind, "preflight_failed");
    assert!(detail.starts_with(&format!("{check}: ")), "{detail}");
    assert!(!detail.contains("CANARY"), "{detail}");
}

/// Without a yes it ends right after the preflight.
#[test]
fn what_works_is_on_record_and_leaves_no_driver_behind() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let id = browser(home);
    let path = path(home);
    let upstox = upstox();
    let said = said(home, &settings(&upstox, &path, &[]), &SIGN_IN[1..]);
    assert!(
        said.starts_with("exit 3") && said.contains("there is no terminal to ask on"),
        "{said}"
    );
    let record = on_record(home);
    assert_eq!(record[0], ("preflight_passed".into(), "PRIMARY".into()));
    assert_eq!(record[1].0, "plan_declined");
    let id = std::fs::read_to_string(id).unwrap();
    let process = Path::new("/proc").join(id.trim());
    assert!(
        !process.exists(),
        "the driver still runs as {}",
        process.display()
    );
}

/// An OTP that nobody could type must not be asked for: no window, and no terminal either.
#[rstest]
#[case::yes(&[], Some(true))]
#[case::without_a_yes_too(&[], None)]
#[case::json(&["--json"], Some(true))]
#[case::one_of_several(&["PRIMARY"], Some(true))]
fn nothing_is_begun_where_nobody_could_answer(#[case] arguments: &[&str], #[case] yes: Option<bool>) {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    browser(home);
    let (upstox, path) = (upstox(), path(home));
    let settings = settings(&upstox, &path, &[("VEGA__BROWSER__HEADLESS", "true")]);
    let wanted = if yes.is_some() { SIGN_IN } else { &SIGN_IN[1..] };
    let said = said(home, &settings, &[wanted, arguments].concat());
    assert!(said.starts_with("exit 3"), "{said}");
    for way in [
        "browser.headless",
        "terminal",
        "`vega-server`",
        "--route own-browser",
    ] {
        assert!(said.contains(way), "{way}: {said}");
    }
    failed(home, "human");
}

#[test]
fn another_process_that_signs_in_is_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    browser(home);
    let upstox = upstox();
    // It takes the lease and gives it back, and its name stays behind.
    let path = path(home);
    let first = vega(home, &settings(&upstox, &path, &[]), &SIGN_IN[1..]).spawn();
    let mut first = first.unwrap();
    let id = first.id();
    first.wait().unwrap();
    let lease = std::fs::File::open(home.join(".local/share/vega/vega_trade.lease.lock")).unwrap();
    lease.try_lock().unwrap();

    let said = said_at(home, &upstox, &[], &[]);
    let holder = format!("error: another Vega signs in now: process {id} on ");
    assert!(said.starts_with("exit 11") && said.contains(&holder), "{said}");
    let last = on_record(home).pop().unwrap();
    assert_eq!(last.0, "preflight_failed");
    assert!(last.1.starts_with("lease: another Vega"), "{last:?}");
}

/// No file may grow beyond this any more: a disk that is full.
#[test]
fn a_database_that_takes_no_change_is_named() {
    const GROWS_NO_MORE: &str = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let id = browser(home);
    said(home, ONE_API, &["status"]);
    let path = path(home);
    let upstox = upstox();
    let limited = |arguments: &[&str]| {
        let wanted = [&SIGN_IN[1..], arguments].concat();
        let wanted = vega(home, &settings(&upstox, &path, &[]), &wanted);
        let variables = wanted.get_envs();
        let output = Command::new("/bin/sh")
            .args(["-c", GROWS_NO_MORE])
            .arg(wanted.get_program())
            .args(wanted.get_args())
            .env_clear()
            .envs(variables.filter_map(|(name, value)| Some((name, value?))))
            .current_dir(home)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), stderr, output.stdout)
    };
    // What each writes stays in the write-ahead log, for nothing can be folded into the database any more. So the entry of
    // the preflight does not fit first, and soon not even the row that names the holder of the lease.
    for _ in 0..40 {
        let _ = std::fs::remove_file(&id);
        let (code, stderr, _) = limited(&[]);
        if code == Some(3) {
            continue;
        }
        assert_eq!(code, Some(9), "{stderr}");
        assert!(
            stderr.starts_with("error: could not ")
                && stderr.contains("the data directory")
                && stderr.lines().count() == 1,
            "{stderr}"
        );
        if stderr.contains("name the holder of the lease") {
            assert!(!id.exists(), "a driver was started");
            // Programs read the same in the report.
            let (code, stderr, report) = limited(&["--json"]);
            assert_eq!((code, stderr.lines().count()), (Some(9), 1), "{stderr}");
            let report: Value = serde_json::from_slice(&report).expect("a report");
            assert_eq!(report["outcome"]["code"], "storage", "{report}");
            let detail = report["outcome"]["detail"].as_str().unwrap();
            assert_eq!(stderr.trim_end(), format!("error: {detail}"));
            assert_eq!(report["apis"][0]["status"], "missing", "{report}");
            return;
        }
    }
    panic!("the disk never gets full");
}

#[rstest]
#[case::gone("key_gone", |key: &Path| std::fs::remove_file(key).unwrap())]
#[case::replaced("key_replaced", |key: &Path| {
    write(key, "vega-key-1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
})]
#[case::no_key("key_is_none", |key: &Path| write(key, "CANARY"))]
#[case::open_to_others("key_open", |key: &Path| {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
})]
fn a_key_file_that_changes_after_the_start_is_named(#[case] name: &str, #[case] change: fn(&Path)) {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    browser(home);
    let key = home.join(".config/vega/vega.key");
    said(home, ONE_API, &["status"]);
    let before = std::fs::read(&key).unwrap();
    let changed = key.clone();
    let upstox = upstox_that(move || change(&changed));
    let said = said_at(home, &upstox, &[], &[]);
    assert!(said.starts_with("exit 9"), "{said}");
    insta::assert_snapshot!(name, said);
    // Put back, or the trail cannot be read.
    write(&key, before);
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    failed(home, "key");
}

#[rstest]
#[case::without_a_port("driver_without_a_port", None)]
#[case::not_ready("driver_not_ready", Some(r#"{"value":{"ready":false,"message":"CANARY"}}"#))]
#[case::something_else("driver_is_something_else", Some("<html>CANARY</html>"))]
fn a_driver_that_does_not_work_is_named(#[case] name: &str, #[case] status: Option<&str>) {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    program(&home.join("bin/chromium"), CHROMIUM);
    let id = driver(home, DRIVER, status.unwrap_or_default());
    if status.is_none() {
        program(&home.join("bin/chromedriver"), DRIVER);
    }
    let said = said_at(home, &upstox(), &[], &[]);
    assert!(said.starts_with("exit 9"), "{said}");
    let said = without_its_port(&said);
    insta::assert_snapshot!(name, said);
    failed(home, "browser");
    if let Ok(id) = std::fs::read_to_string(id) {
        assert!(!Path::new("/proc").join(id.trim()).exists(), "it still runs");
    }
}

/// Takes the free port out.
fn without_its_port(said: &str) -> String {
    let Some((before, after)) = said.split_once("http://127.0.0.1:") else {
        return said.to_owned();
    };
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}http://127.0.0.1:PORT{rest}")
}

#[test]
fn a_webdriver_of_somebody_else_that_is_not_there_is_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let running = ("VEGA__BROWSER__WEBDRIVER_URL", "http://127.0.0.1:9");
    let said = said_at(home, &upstox(), &[running], &[]);
    assert!(said.starts_with("exit 9"), "{said}");
    insta::assert_snapshot!("no_running_webdriver", said);
    failed(home, "browser");
}

#[test]
fn a_redirect_port_that_is_taken_is_named_where_nobody_can_paste() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let uri = format!("http://127.0.0.1:{port}/cb");
    let own_browser = ["--route", "own-browser", "--open"];
    let said = said_at(home, &upstox(), &[("UPSTOX_REDIRECT_URI", &uri)], &own_browser);
    assert!(said.starts_with("exit 9"), "{said}");
    insta::assert_snapshot!("port_taken", said.replace(&port.to_string(), "PORT"));
    failed(home, "redirect port");
}

#[test]
fn a_used_up_budget_is_named_where_nobody_waits() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let uri = free_redirect_uri();
    let more = [("UPSTOX_REDIRECT_URI", &*uri), ("VEGA__SIGN_IN__OTP_BUDGET", "1")];
    let upstox = upstox();
    let wanted = ["--route", "own-browser", "--open", "--no-wait", "--json"];
    // It counts the press, and finds that no browser can be opened here.
    let first = said_at(home, &upstox, &more, &wanted);
    assert!(first.starts_with("exit 9"), "{first}");
    let before = on_record(home);
    assert_eq!(before[0].0, "preflight_passed");
    assert!(
        before.iter().any(|(kind, _)| kind == "otp_requested"),
        "{before:?}"
    );

    let path = path(home);
    let ran = vega(
        home,
        &settings(&upstox, &path, &more),
        &[SIGN_IN, &wanted].concat(),
    );
    let output = { ran }.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(
        stderr.starts_with("error: no sign-in can begin before ") && stderr.lines().count() == 1,
        "{stderr}"
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["accounts"][0]["retry_at"].is_string(), "{report}");
    assert!(report["run"].is_null(), "no run began: {report}");
    let after = on_record(home);
    let [(kind, detail)] = &after[before.len()..] else {
        panic!("more is on record: {after:?}")
    };
    assert_eq!(kind, "preflight_failed");
    assert!(
        detail.starts_with("OTP budget: no sign-in can begin before "),
        "{detail}"
    );
}
