//! What others may change is refused at every start, with the folder, its mode and the command that mends it; what honest
//! set-ups look like is not.

#![expect(clippy::print_stderr, reason = "a test says what it leaves out")]

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::world::{ONE_API, refused, said, write};

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Everything in folders of its own, which are for the owner alone.
struct Desk {
    home: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let env = "UPSTOX_MOBILE_NUMBER=9000000001\nUPSTOX_CLIENT_ID_0=key-0\n";
        write(&at("up/config/.env"), env);
        write(&at("up/config/vega.toml"), "[sign_in]\notp_budget = 3\n");
        write(&at("up/secrets/primary"), "s3cret-of-primary");
        write(&at("up/more/named.env"), "UPSTOX_USER_ID=AB1234\n");
        let path = |name: &str| at(name).display().to_string();
        let settings = vec![
            ("VEGA__CONFIG_DIR", path("up/config")),
            ("VEGA__ENV_FILE", path("up/more/named.env")),
            ("UPSTOX_CLIENT_SECRET_0_FILE", path("up/secrets/primary")),
            ("VEGA__KEY_FILE", path("up/keys/vega.key")),
            (
                "VEGA__DATABASE__URL",
                format!("sqlite://{}", path("up/data/vega.db")),
            ),
        ];
        Self { home, settings }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        self.settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect()
    }

    fn says(&self, command: &str) -> String {
        said(self.home.path(), &self.settings(), &[command])
    }
}

#[rstest]
#[case::settings("up/config", 0o777)]
#[case::settings_of_a_group("up/config", 0o770)]
#[case::settings_like_tmp("up/config", 0o1777)]
#[case::above_everything("up", 0o777)]
#[case::env("up/config/.env", 0o666)]
#[case::env_of_a_group("up/config/.env", 0o660)]
#[case::toml("up/config/vega.toml", 0o622)]
#[case::named_file("up/more", 0o777)]
#[case::named_file_itself("up/more/named.env", 0o602)]
#[case::secret("up/secrets", 0o757)]
#[case::secret_itself("up/secrets/primary", 0o666)]
#[case::key("up/keys", 0o777)]
#[case::key_like_tmp("up/keys", 0o1777)]
#[case::database("up/data", 0o777)]
#[case::database_of_a_group("up/data", 0o775)]
fn what_others_may_change_is_refused_at_every_start(#[case] place: &str, #[case] mode: u32) {
    let desk = Desk::new();
    let well = desk.says("status");
    assert!(well.starts_with("exit 3\n"), "{well}");
    let place = desk.at(place);
    set_mode(&place, mode);
    // A group that has others in it; only root can give it to one.
    if mode & 0o2 == 0 && chown(&place, None, Some(65_534)).is_err() {
        eprintln!("run as root to see this with a real group of others");
        return;
    }
    for command in ["status", "verify", "generate"] {
        let words = refused(desk.home.path(), &desk.settings(), &[command]);
        let told = place.strip_prefix(desk.home.path()).unwrap().display();
        for part in [format!("mode {mode:o}"), format!("chmod go-w '[home]/{told}'")] {
            assert!(words.contains(&part), "{command}: no {part} in {words}");
        }
        assert_eq!(words.matches("error: ").count(), 1, "{words}");
    }
    set_mode(&place, mode & !0o022);
    let mended = desk.says("status");
    assert!(mended.starts_with("exit 3\n"), "the command mends it: {mended}");
}

#[rstest]
#[case::above_like_tmp("up", 0o1777)]
#[case::others_may_look("up/config", 0o755)]
#[case::others_may_read_the_secret("up/secrets/primary", 0o644)]
#[case::named_file_in_a_place_like_tmp("up/more", 0o1777)]
#[case::secret_in_a_place_like_tmp("up/secrets", 0o1777)]
fn honest_set_ups_are_not_refused(#[case] place: &str, #[case] mode: u32) {
    let desk = Desk::new();
    set_mode(&desk.at(place), mode);
    let words = desk.says("status");
    assert!(words.starts_with("exit 3\n"), "{words}");
}

/// Only root can give a folder away.
#[test]
fn what_belongs_to_another_user_is_refused() {
    for place in [
        "up/config",
        "up/config/.env",
        "up/keys",
        "up/data",
        "up/secrets/primary",
        "up",
    ] {
        let desk = Desk::new();
        assert!(desk.says("status").starts_with("exit 3\n"));
        if chown(desk.at(place), Some(65_534), None).is_err() {
            eprintln!("run as root to see this with real files of another user");
            return;
        }
        let words = refused(desk.home.path(), &desk.settings(), &["status"]);
        let command = format!("'[home]/{place}'");
        assert!(
            words.contains("belongs to user nobody") && words.contains("chown ") && words.contains(&command),
            "{words}"
        );
    }
}

/// A token is not handed out from there either, whatever else is wrong with the database.
#[test]
fn a_database_that_does_not_open_gives_nothing_from_there() {
    let desk = Desk::new();
    assert!(desk.says("status").starts_with("exit 3\n"));
    set_mode(&desk.at("up/data"), 0o777);
    let words = said(desk.home.path(), &desk.settings(), &["token", "PRIMARY"]);
    assert!(
        words.starts_with("exit 9\n--- stdout\n--- stderr\n") && words.contains("chmod go-w"),
        "{words}"
    );
}

/// Its name would begin a line of its own.
#[test]
fn an_error_is_one_line_whatever_its_words() {
    let home = tempfile::tempdir().unwrap();
    let folder = "a\nerror: forged\n";
    let path = home.path().join(folder).join("x.db");
    let database = format!("sqlite://{}", path.display());
    std::fs::create_dir(home.path().join(folder)).unwrap();
    set_mode(&home.path().join(folder), 0o777);
    let settings = [ONE_API, &[("VEGA__DATABASE__URL", database.as_str())]].concat();
    for arguments in [
        &["status"][..],
        &["--config-dir", "no\nerror: forged", "status"],
        &["--env-file", "no\nerror: forged", "status"],
        &["token", "no\nerror: forged"],
        &["cooldown", "clear", "no\nerror: forged", "--reason", "x"],
        &["key", "add", "no\nerror: forged", "--scope", "status"],
    ] {
        let words = said(home.path(), &settings, arguments);
        let (_, stderr) = words.split_once("--- stderr\n").unwrap();
        let forged = stderr.lines().filter(|line| line.starts_with("error: forged"));
        assert_eq!(forged.count(), 0, "{arguments:?}: {words}");
        let errors = stderr.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{arguments:?}: {words}");
    }
}
