//! `vega move` and `vega restore`, as an operator types them.

use std::path::Path;

use vega_testing::PostgresServer;

use crate::world::{ONE_API, said, write};

fn vega(home: &Path, database: Option<&str>, arguments: &[&str]) -> String {
    let password = home.join("password").display().to_string();
    let mut settings = ONE_API.to_vec();
    settings.push(("VEGA__DATABASE__PASSWORD_FILE", &password));
    if let Some(url) = database {
        settings.push(("VEGA__DATABASE__URL", url));
    }
    said(home, &settings, arguments)
}

#[test]
fn a_database_is_moved_onto_a_server_and_back() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(&home.join("password"), "CANARY-password\n");
    let server = PostgresServer::shared().fresh_database();
    vega(home, None, &["backup", "one.db"]);
    let told = vega(home, None, &["move", &server]);
    assert!(told.starts_with("exit 0"), "{told}");
    assert!(
        told.contains(&format!("The database is in {server} now: 2 audit entries")),
        "{told}"
    );
    assert!(
        told.contains(&format!("Set VEGA__DATABASE__URL={server}")),
        "{told}"
    );
    for command in [
        &["status"][..],
        &["token", "PRIMARY"],
        &["audit"],
        &["backup", "old.db"],
    ] {
        let refused = vega(home, None, command);
        assert!(refused.starts_with("exit 9"), "{command:?}: {refused}");
        assert!(
            refused.contains(&format!("the database has moved to {server}")),
            "{refused}"
        );
    }
    let status = vega(home, Some(&server), &["status"]);
    assert!(status.starts_with("exit 3"), "{status}");
    let intact = vega(home, Some(&server), &["audit", "--verify"]);
    assert!(intact.contains("intact: 3 entries"), "{intact}");

    let file = format!("sqlite://{}/again/vega_trade.db", home.display());
    let told = vega(home, Some(&server), &["move", &file, "--json"]);
    assert!(told.contains("\"audit_entries\": 4"), "{told}");
    let audit = vega(home, Some(&file), &["audit"]);
    assert_eq!(audit.matches(" database_moved ").count(), 2, "{audit}");
    let refused = vega(home, Some(&file), &["move", "--cancel"]);
    assert!(
        refused.starts_with("exit 2") && refused.contains("no move"),
        "{refused}"
    );
}

#[test]
fn a_password_in_the_url_is_refused_and_not_shown() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(&home.join("password"), "CANARY-password\n");
    let refused = vega(home, None, &["move", "postgres://vega:CANARY@db/desk"]);
    assert!(refused.starts_with("exit 9"), "{refused}");
    assert!(refused.contains("holds a password"), "{refused}");
    let refused = vega(home, None, &["move", "sqlite:///elsewhere/vega.db"]);
    assert!(
        refused.starts_with("exit 2") && refused.contains("both URLs name a file"),
        "{refused}"
    );
}

#[test]
fn a_backup_is_restored_and_what_was_there_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(&home.join("password"), "CANARY-password\n");
    let server = PostgresServer::shared().fresh_database();
    for database in [None, Some(&*server)] {
        vega(home, database, &["backup", "one.db"]);
        vega(home, database, &["backup", "two.db"]);
        let told = vega(home, database, &["restore", "two.db"]);
        assert!(told.starts_with("exit 0"), "{told}");
        assert!(told.contains("two.db is restored: 1 audit entries"), "{told}");
        assert!(
            told.contains("before is kept in [home]/.local/share/vega/"),
            "{told}"
        );
        assert_eq!(told.contains("vega audit accept"), database.is_some(), "{told}");
        let audit = vega(home, database, &["audit"]);
        assert!(
            audit.contains("one.db") && audit.contains(" database_restored "),
            "{audit}"
        );
        let intact = vega(home, database, &["audit", "--verify"]);
        assert!(intact.contains("intact: 2 entries"), "{intact}");
        let refused = vega(home, database, &["restore", "nowhere.db"]);
        assert!(refused.starts_with("exit 2"), "{refused}");
        for file in ["one.db", "two.db"] {
            std::fs::remove_file(home.join(file)).unwrap();
        }
    }
}
