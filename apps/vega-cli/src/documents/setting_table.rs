//! The table of `docs/reference/settings.md`: keys, variables and defaults are the code's, what each means is kept from the page.

use std::fmt::Write;

use vega_bootstrap::{Environment, Named, Settings};

use super::{compare_or_write, part_of};

const PAGE: &str = "docs/reference/settings.md";
const PART: &str = "settings";
/// Stands in a new row until somebody says what the setting does.
const UNSAID: &str = "?";

#[test]
fn the_setting_table_has_every_setting_with_its_default() {
    let table = table();
    assert!(
        !table.contains(&format!("| {UNSAID} |")),
        "say what each means in {PAGE}:\n{table}"
    );
    compare_or_write(PAGE, &[(PART, table)]);
}

/// Made of an installation that sets nothing but an account.
fn table() -> String {
    let account = [
        ("UPSTOX_MOBILE_NUMBER", "9000000001"),
        ("UPSTOX_CLIENT_ID_0", "7d0a9e2c-0000-4000-8000-000000000001"),
        ("UPSTOX_CLIENT_SECRET_0", "k3y5s3cr3t"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let named = Named {
        config_dir: Some(folder.path().to_owned()),
        env_file: None,
    };
    let environment = Environment::made_of(&account, folder.path()).naming(named);
    let settings = Settings::load(&environment).unwrap();
    let kept = part_of(PAGE, PART);
    let mut table = "| key | variable | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for setting in &*settings.effective {
        let is_of_account = setting.key.starts_with("default.");
        let is_a_place = ["config_dir", "env_file"].contains(&setting.key.as_str());
        if is_of_account || is_a_place {
            continue;
        }
        let variable = format!("VEGA__{}", setting.key.replace('.', "__").to_uppercase());
        let begin = format!("| `{}` | ", setting.key);
        let row = kept.lines().find(|row| row.starts_with(&begin));
        let meaning = row.and_then(|row| row.trim_end_matches(" |").rsplit(" | ").next());
        let value = match setting.key.as_str() {
            // The library asks the process for the home, so its folder is that of whoever runs the test.
            "database.url" => {
                let file = setting.value.rsplit('/').next().unwrap();
                format!("sqlite://~/.local/share/vega/{file}")
            }
            "key_file" => {
                let folder = folder.path().display().to_string();
                setting.value.replace(&folder, "~/.config/vega")
            }
            "server.socket" => "$XDG_RUNTIME_DIR/vega/vega.sock".into(),
            _ => setting.value.clone(),
        };
        let meaning = meaning.unwrap_or(UNSAID);
        writeln!(table, "{begin}`{variable}` | {value} | {meaning} |").unwrap();
    }
    table
}
