//! `vega seal rotate` with each source of the key, and what `vega config` says of it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::world::{ONE_API, files, said};

fn vega(home: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> String {
    said(home, &[ONE_API, settings].concat(), arguments)
}

/// Key ids and days differ from run to run.
fn without_ids(text: &str) -> String {
    let mut parts = text.split("vega.key.20");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |words, part| {
        let end = part.find([' ', '\n', '"', ':', ',']).unwrap_or(part.len());
        words + "vega.key.[day].[id]" + &part[end..]
    })
}

fn keys(home: &Path) -> Vec<PathBuf> {
    let mut keys: Vec<PathBuf> = files(home).into_iter().map(|(path, _)| path).collect();
    keys.retain(|path| path.to_string_lossy().contains("vega.key"));
    keys
}

/// The line of `vega config` about the key, without the table around it.
fn key_in_force(home: &Path, settings: &[(&str, &str)]) -> String {
    let said = vega(home, settings, &["config"]);
    let line = said
        .lines()
        .find(|line| line.contains(" key_file "))
        .unwrap()
        .replace('│', " ");
    line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_new_key_takes_the_place_of_the_old_one() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    vega(home, &[], &["status"]);
    let first = std::fs::read(home.join(".config/vega/vega.key")).unwrap();
    insta::assert_snapshot!("rotated", without_ids(&vega(home, &[], &["seal", "rotate"])));
    assert_ne!(std::fs::read(home.join(".config/vega/vega.key")).unwrap(), first);
    let [_, old] = &keys(home)[..] else {
        panic!("{:?}", keys(home))
    };
    assert_eq!(std::fs::read(old).unwrap(), first);
    insta::assert_snapshot!(
        "rotated_json",
        without_ids(&vega(home, &[], &["seal", "rotate", "--json"]))
    );
    assert_eq!(keys(home).len(), 3, "every key that was is kept");
    let intact = vega(home, &[], &["audit", "--verify"]);
    assert!(intact.contains("intact: 2 entries"), "{intact}");
    assert!(vega(home, &[], &["audit"]).contains(" key_rotated "));

    // Somebody puts the old key back: the right one still lies beside it, and is named.
    let key = home.join(".config/vega/vega.key");
    std::fs::rename(&key, home.join(".config/vega/vega.key.mine")).unwrap();
    std::fs::copy(old, &key).unwrap();
    insta::assert_snapshot!("old_key", vega(home, &[], &["status"]));
    std::fs::remove_file(&key).unwrap();
    insta::assert_snapshot!("key_elsewhere", vega(home, &[], &["status"]));
}

#[test]
fn the_setting_wins_over_the_credential_and_that_over_the_file() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert_eq!(key_in_force(home, &[]), "[home]/.config/vega/vega.key default");
    let credentials = home.join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let folder = credentials.display().to_string();
    let handed_in = [("CREDENTIALS_DIRECTORY", &*folder)];
    assert_eq!(
        key_in_force(home, &handed_in),
        "[home]/.config/vega/vega.key default",
        "a service may have credentials of other kinds"
    );
    std::fs::write(credentials.join("vega.key"), "").unwrap();
    assert_eq!(
        key_in_force(home, &handed_in),
        "[home]/credentials/vega.key systemd credential"
    );
    let other = home.join("other.key").display().to_string();
    let both = [handed_in[0], ("VEGA__KEY_FILE", &*other)];
    assert_eq!(key_in_force(home, &both), "[home]/other.key the environment");
    assert_eq!(
        key_in_force(home, &[("CREDENTIALS_DIRECTORY", "credentials")]),
        "[home]/.config/vega/vega.key default",
        "systemd gives full paths"
    );
}

#[test]
fn a_credential_is_read_and_never_written() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    vega(home, &[], &["status"]);
    let credentials = home.join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let key = credentials.join("vega.key");
    std::fs::rename(home.join(".config/vega/vega.key"), &key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o440)).unwrap();
    let folder = credentials.display().to_string();
    let settings = [("CREDENTIALS_DIRECTORY", &*folder)];
    let before = files(&credentials);
    let status = vega(home, &settings, &["status"]);
    assert!(status.starts_with("exit 3"), "{status}");
    insta::assert_snapshot!("credential", vega(home, &settings, &["seal", "rotate"]));
    assert_eq!(files(&credentials), before);
    assert_eq!(
        keys(home),
        *std::slice::from_ref(&key),
        "none is made in the other places either"
    );
    // What the refusal says to do.
    let file = home.join("private.key");
    std::fs::copy(&key, &file).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.display().to_string();
    let rotated = vega(
        home,
        &[settings[0], ("VEGA__KEY_FILE", &file)],
        &["seal", "rotate"],
    );
    assert!(rotated.starts_with("exit 0"), "{rotated}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::copy(&file, &key).unwrap();
    assert!(vega(home, &settings, &["status"]).starts_with("exit 3"));
}

#[test]
fn a_run_in_another_process_is_not_disturbed() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    vega(home, &[], &["status"]);
    let lock = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(home.join(".local/share/vega/vega_trade.lease.lock"))
        .unwrap();
    std::fs::set_permissions(
        home.join(".local/share/vega/vega_trade.lease.lock"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    lock.lock().unwrap();
    insta::assert_snapshot!("busy", vega(home, &[], &["seal", "rotate"]));
    assert_eq!(keys(home).len(), 1);
}

#[test]
fn where_no_new_key_can_be_written_everything_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    vega(home, &[], &["status"]);
    // What `rotate` writes first is in the way of itself: a folder of that name.
    let draft = home.join(".config/vega");
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o500)).unwrap();
    let said = vega(home, &[], &["seal", "rotate"]);
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o700)).unwrap();
    // Root may write everywhere.
    if said.starts_with("exit 9") {
        assert!(
            said.contains("the key was not replaced, and everything is as it was"),
            "{said}"
        );
        assert_eq!(keys(home).len(), 1);
    }
    assert!(vega(home, &[], &["status"]).starts_with("exit 3"));
}

/// One machine has a database in a file: nothing is to be copied, and it is listed alone.
#[test]
fn steps_are_for_several_machines() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    vega(home, &[], &["status"]);
    for step in ["--prepare", "--commit"] {
        let refused = vega(home, &[], &["seal", "rotate", step]);
        assert!(refused.starts_with("exit 11"), "{refused}");
        assert!(
            refused.contains("`vega seal rotate` replaces the key in one step"),
            "{refused}"
        );
    }
    assert_eq!(keys(home).len(), 1);
    let listed = vega(home, &[], &["seal", "machines", "--json"]);
    let json = listed.split_once('{').map(|(_, json)| format!("{{{json}"));
    let json = json.unwrap();
    let json = &json[..=json.rfind('}').unwrap()];
    let listed: serde_json::Value = serde_json::from_str(json).unwrap();
    let machines = listed["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 1, "{listed}");
    assert_eq!(machines[0]["is_this_one"], true);
    assert_eq!(machines[0]["has_key"], true);
    assert!(vega(home, &[], &["seal", "machines"]).contains("(this one)"));
}
