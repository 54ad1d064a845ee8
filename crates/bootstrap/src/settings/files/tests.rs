//! Each row as it is read, and each wrong one by its name.

use rstest::rstest;
use vega_domain::token_file::FollowUpSignal;
use vega_testing::builders;

use super::*;
use crate::settings::environment::Environment;

fn of(toml: &str) -> Result<Vec<TokenFile>, SettingsError> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("vega.toml");
    let toml = toml.replace("HOME", home.path().to_str().unwrap());
    std::fs::write(&file, toml).unwrap();
    let place = home.path().to_str().unwrap();
    let environment = Environment::made_of(&[("HOME", place), ("VEGA__CONFIG_DIR", place)], home.path());
    let account = builders::account_with(&["PRIMARY", "WEBSOCKET1"]);
    let own = [home.path().join("vega.key")];
    read(&Sources::read(&environment)?, &[&account], &own)
}

#[test]
fn a_row_needs_an_api_and_a_path_and_is_private_by_default() {
    let rows = of("[[files]]\napi = \"primary\"\npath = \"/run/token\"\n").unwrap();
    let row = &rows[0];
    assert_eq!(
        (row.api.as_str(), row.path.to_str()),
        ("PRIMARY", Some("/run/token"))
    );
    assert_eq!(
        (&row.format, row.access.mode),
        (&FileFormat::Raw, FileMode::PRIVATE)
    );
    assert_eq!((row.access.owner, row.access.group), (None, None));
    assert_eq!(
        (&row.check, &row.then, row.on_expiry),
        (&None, &None, OnExpiry::Remove)
    );
    assert_eq!(of("").unwrap(), []);
}

#[test]
fn everything_that_can_be_said_of_a_row_is_read() {
    let rows = of("[[files]]\napi = \"PRIMARY\"\npath = \"/run/token\"\nformat = \"template\"\ntemplate = \"/etc/t\"\n\
         owner = \"root\"\ngroup = 4711\ncheck = [\"jq\", \"-e\", \". \", \"{path}\"]\n\
         then = \"systemctl --user reload 'my strategy'\"\non_expiry = \"keep\"\n\
         [[files]]\napi = \"WEBSOCKET1\"\npath = \"/run/other\"\nformat = \"env\"\nmode = \"0440\"\nthen = \"signal:usr1@/run/x.pid\"\n")
    .unwrap();
    let [first, second] = &*rows else {
        panic!("{rows:?}")
    };
    assert_eq!(first.format, FileFormat::Template("/etc/t".into()));
    assert_eq!((first.access.owner, first.access.group), (Some(0), Some(4711)));
    assert_eq!(first.access.mode.bits(), 0o640, "a group that is named reads");
    let words = |words: &CommandWords| words.words().join("|");
    assert_eq!(
        first.check.as_ref().map(words).as_deref(),
        Some("jq|-e|. |{path}")
    );
    let Some(FollowUp::Command(then)) = &first.then else {
        panic!("{first:?}")
    };
    assert_eq!(words(then), "systemctl|--user|reload|my strategy");
    assert_eq!(first.on_expiry, OnExpiry::Keep);
    assert_eq!(
        second.then,
        Some(FollowUp::Signal {
            signal: FollowUpSignal::Usr1,
            pid_file: "/run/x.pid".into()
        })
    );
    assert_eq!(second.access.mode.bits(), 0o440);
    assert_eq!(
        shown(second),
        "WEBSOCKET1 to /run/other (env, 0440, on expiry remove), then signal:USR1@/run/x.pid"
    );
}

#[test]
fn a_row_may_name_the_kind_of_its_token() {
    for (said, kind, shown_as) in [
        ("", WantedKind::Trade, "PRIMARY to"),
        ("kind = \"trade\"", WantedKind::Trade, "PRIMARY to"),
        ("kind = \"read\"", WantedKind::Read, "PRIMARY (read) to"),
        (
            "accept = \"read\"",
            WantedKind::TradeOrRead,
            "PRIMARY (or read) to",
        ),
    ] {
        let rows = of(&format!(
            "[[files]]\napi = \"PRIMARY\"\npath = \"/run/t\"\n{said}\n"
        ))
        .unwrap();
        assert_eq!(
            (rows[0].kind, rows[0].account.as_str()),
            (kind, "default"),
            "{said}"
        );
        assert!(shown(&rows[0]).starts_with(shown_as), "{}", shown(&rows[0]));
    }
}

#[rstest]
#[case::no_such_kind("api = \"PRIMARY\"\npath = \"/run/t\"\nkind = \"analytics\"", "files[0].kind")]
#[case::accepts_what_it_gets_anyway(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nkind = \"read\"\naccept = \"trade\"",
    "files[0].accept"
)]
#[case::no_api("path = \"/run/t\"", "files[0].api is not set")]
#[case::unknown_api(
    "api = \"OTHER\"\npath = \"/run/t\"",
    "\"OTHER\", which is not configured. Known are: PRIMARY, WEBSOCKET1"
)]
#[case::no_path("api = \"PRIMARY\"", "files[0].path is not set")]
#[case::relative("api = \"PRIMARY\"\npath = \"run/t\"", "is no full path")]
#[case::of_a_shell("api = \"PRIMARY\"\npath = \"~/t\"", "which only a shell understands")]
#[case::a_folder("api = \"PRIMARY\"\npath = \"/run/\"", "names a folder")]
#[case::up("api = \"PRIMARY\"\npath = \"/run/../t\"", "goes up")]
#[case::the_key(
    "api = \"PRIMARY\"\npath = \"HOME/vega.key\"",
    "which is a file that Vega itself reads"
)]
#[case::its_template(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nformat = \"template\"\ntemplate = \"/run/t\"",
    "that Vega itself reads"
)]
#[case::format(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nformat = \"yaml\"",
    "\"yaml\", which is no format"
)]
#[case::no_template(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nformat = \"template\"",
    "files[0].template is not set"
)]
#[case::no_need_for_one(
    "api = \"PRIMARY\"\npath = \"/run/t\"\ntemplate = \"/t\"",
    "format is not \"template\""
)]
#[case::template_place(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nformat = \"template\"\ntemplate = \"t\"",
    "is no full path"
)]
#[case::mode(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nmode = \"0644\"",
    "would let others read"
)]
#[case::owner(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nowner = \"nobody-4711\"",
    "is no user of this machine"
)]
#[case::group(
    "api = \"PRIMARY\"\npath = \"/run/t\"\ngroup = 4294967295",
    "is no group of this machine"
)]
#[case::check_quotes(
    "api = \"PRIMARY\"\npath = \"/run/t\"\ncheck = \"jq 'x\"",
    "files[0].check in"
)]
#[case::no_words("api = \"PRIMARY\"\npath = \"/run/t\"\ncheck = []", "has no words")]
#[case::runs_the_file(
    "api = \"PRIMARY\"\npath = \"/run/t\"\ncheck = [\"{path}\"]",
    "would run the file itself"
)]
#[case::then_shape(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nthen = [[\"a\"]]",
    "a list with a list"
)]
#[case::signal(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nthen = \"signal:KILL@/run/x\"",
    "It sends HUP"
)]
#[case::signal_place(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nthen = \"signal:HUP\"",
    "names no file"
)]
#[case::expiry(
    "api = \"PRIMARY\"\npath = \"/run/t\"\non_expiry = \"delete\"",
    "must be remove or keep"
)]
#[case::another_key(
    "api = \"PRIMARY\"\npath = \"/run/t\"\nuser = 1",
    "[[files]] has api, kind, accept, path, format"
)]
fn a_wrong_row_is_refused_by_name(#[case] row: &str, #[case] words: &str) {
    let refused = of(&format!("[[files]]\n{row}\n")).unwrap_err().to_string();
    assert!(
        refused.contains(words) && refused.contains("files[0]"),
        "{refused}"
    );
}

#[rstest]
#[case::the_same("/run/t", "/run/t")]
#[case::written_otherwise("/run/t", "/run//./t")]
#[case::through_a_link("HOME/real/t", "HOME/link/t")]
fn two_rows_with_one_path_are_refused(#[case] one: &str, #[case] other: &str) {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", home.path().join("link")).unwrap();
    let path = |path: &str| path.replace("HOME", home.path().to_str().unwrap());
    let refused = of(&format!(
        "[[files]]\napi = \"PRIMARY\"\npath = \"{}\"\n[[files]]\napi = \"WEBSOCKET1\"\npath = \"{}\"\n",
        path(one),
        path(other)
    ));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("files[0].path") && refused.contains("files[1].path"),
        "{refused}"
    );
}

/// Each row that a document shows.
#[test]
fn the_rows_of_the_documents_are_read() {
    let mut read = 0;
    for page in ["guide/programs.md", "reference/settings.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(page);
        let text = std::fs::read_to_string(path).unwrap();
        let blocks = text
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        for block in blocks.filter(|block| block.contains("[[files]]")) {
            read += of(block)
                .unwrap_or_else(|error| panic!("{page}: {error}\n{block}"))
                .len();
        }
    }
    assert_eq!(read, 3);
}
