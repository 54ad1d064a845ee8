//! Files on a real file system: what is at the path at each step, who may read it, and what is refused.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its fixture should stop there"
)]

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rstest::rstest;
use sha2::{Digest, Sha256};
use vega_domain::file_delivery::{ContentDigest, DeliveryFailure, DeliveryProblem};
use vega_domain::ids::{AccountId, AttemptId};
use vega_domain::ports::{FollowUpRunner, Found, TokenFileInspector, TokenFileWriter};
use vega_domain::token::StoredToken;
use vega_domain::token_file::{
    CommandWords, FileAccess, FileFormat, FileMode, FollowUp, FollowUpSignal, OnExpiry, TokenFile,
};
use vega_domain::token_kind::WantedKind;
use vega_testing::builders;
use vega_token_files::{OthersMayChange, SystemFollowUpRunner, SystemTokenFileWriter};

const NOBODY: OthersMayChange = OthersMayChange {
    folder: |_| Ok(()),
    file: |_| Ok(()),
};
const OTHERS: OthersMayChange = OthersMayChange {
    folder: |path| Err(format!("{} is open to others", path.display())),
    file: |path| Err(format!("{} is open to others", path.display())),
};

struct Folder {
    dir: tempfile::TempDir,
    writer: SystemTokenFileWriter,
}

impl Folder {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            writer: SystemTokenFileWriter::new(NOBODY, environment()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self) -> TokenFile {
        TokenFile {
            api: builders::api("PRIMARY"),
            account: AccountId::new("default").unwrap(),
            kind: WantedKind::Trade,
            path: self.path("token"),
            format: FileFormat::Raw,
            access: FileAccess {
                mode: FileMode::PRIVATE,
                owner: None,
                group: None,
            },
            check: None,
            then: None,
            on_expiry: OnExpiry::Remove,
        }
    }

    /// The names in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn environment() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    vec![("PATH".into(), "/usr/bin:/bin".into())]
}

fn token() -> StoredToken {
    builders::token(AttemptId::at(builders::at(0)), "PRIMARY", 3).token
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn digest(text: &str) -> ContentDigest {
    ContentDigest(Sha256::digest(text).into())
}

fn words(words: &[&str]) -> CommandWords {
    CommandWords::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap()
}

fn problem<T: std::fmt::Debug>(refused: Result<T, DeliveryFailure>) -> DeliveryProblem {
    refused.unwrap_err().problem
}

#[tokio::test]
async fn the_old_file_is_there_until_the_new_one_is_whole() {
    let folder = Folder::new();
    let (file, token) = (folder.file(), token());
    let secret = token.access_token.expose();
    std::fs::write(&file.path, "the old one").unwrap();
    assert_eq!(
        folder.writer.look(&file.path).await,
        Found::File(digest("the old one"))
    );
    let written = folder.writer.prepare(&file, &token).await.unwrap();
    assert_eq!(text(&file.path), "the old one");
    let before = file.path.metadata().unwrap().ino();
    folder.writer.put(&file).await.unwrap();
    assert_eq!(text(&file.path), secret);
    assert_ne!(
        file.path.metadata().unwrap().ino(),
        before,
        "whoever has the old one open reads it to its end"
    );
    assert_eq!(
        (written, folder.writer.look(&file.path).await),
        (digest(secret), Found::File(written))
    );
    assert_eq!(folder.names(), ["token"]);
    let as_named = async |row: &TokenFile| folder.writer.is_as_named(row, &token).await;
    assert!(as_named(&file).await);
    let other_format = TokenFile {
        format: FileFormat::Env,
        ..file.clone()
    };
    assert!(!as_named(&other_format).await);
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!as_named(&file).await, "others may read it");
    assert_eq!(text(&file.path), secret, "nothing was changed");
    folder.writer.remove(&file.path).await.unwrap();
    assert_eq!(folder.writer.look(&file.path).await, Found::Nothing);
    folder.writer.remove(&file.path).await.unwrap();
}

#[tokio::test]
async fn nobody_reads_it_who_is_not_named_also_before_it_is_in_place() {
    let folder = Folder::new();
    let mut file = folder.file();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
    std::fs::write(&file.path, "").unwrap();
    std::fs::set_permissions(&file.path, Permissions::from_mode(0o666)).unwrap();
    for (bits, group) in [("0600", None), ("0440", Some(nix::unistd::getegid().as_raw()))] {
        file.access.mode = FileMode::parse(bits).unwrap();
        file.access.group = group;
        folder.writer.prepare(&file, &token()).await.unwrap();
        assert_eq!(mode(&folder.path(".vega-new.token")), file.access.mode.bits());
        folder.writer.put(&file).await.unwrap();
        assert_eq!(
            mode(&file.path),
            file.access.mode.bits(),
            "what was there before does not count"
        );
    }
}

#[tokio::test]
async fn what_a_dead_process_left_is_replaced_and_removed() {
    let folder = Folder::new();
    let file = folder.file();
    // A link would have the token written elsewhere.
    symlink(folder.path("elsewhere"), folder.path(".vega-new.token")).unwrap();
    folder.writer.prepare(&file, &token()).await.unwrap();
    assert!(!folder.path("elsewhere").exists());
    folder.writer.put(&file).await.unwrap();
    folder.writer.prepare(&file, &token()).await.unwrap();
    folder.writer.remove(&file.path).await.unwrap();
    assert_eq!(folder.names(), Vec::<String>::new());
    folder.writer.prepare(&file, &token()).await.unwrap();
    folder.writer.discard(&file.path).await;
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_check_sees_the_new_file_and_keeps_the_old_one_where_it_says_no() {
    let folder = Folder::new();
    let mut file = folder.file();
    std::fs::write(&file.path, "the old one").unwrap();
    let copy = folder.path("copy").display().to_string();
    file.check = Some(words(&["cp", "{path}", &copy]));
    folder.writer.prepare(&file, &token()).await.unwrap();
    assert_eq!(text(&folder.path("copy")), token().access_token.expose());
    folder.writer.discard(&file.path).await;
    file.check = Some(words(&["false"]));
    assert_eq!(
        problem(folder.writer.prepare(&file, &token()).await),
        DeliveryProblem::CheckFailed
    );
    assert_eq!(
        (text(&file.path), folder.names()),
        ("the old one".into(), vec!["copy".into(), "token".into()])
    );
}

/// As where the server is stopped while the check of a file runs.
#[tokio::test]
async fn nobody_waits_for_the_check_any_more_and_the_new_file_is_gone() {
    let folder = Folder::new();
    let mut file = folder.file();
    let began = folder.path("began").display().to_string();
    file.check = Some(words(&["sh", "-c", "touch \"$1\"; sleep 60", "sh", &began]));
    let token = token();
    let has_begun = async {
        while !Path::new(&began).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        prepared = folder.writer.prepare(&file, &token) => panic!("{prepared:?}"),
        () = has_begun => {}
    }
    assert_eq!(folder.names(), ["began"]);
}

#[rstest]
#[case::folder("folder", DeliveryProblem::PathUnfit)]
#[case::link("link", DeliveryProblem::PathUnfit)]
#[case::dead_link("dead_link", DeliveryProblem::PathUnfit)]
#[case::pipe("pipe", DeliveryProblem::PathUnfit)]
#[case::below_nothing("missing/token", DeliveryProblem::FolderUnfit)]
#[case::below_a_file("plain/token", DeliveryProblem::FolderUnfit)]
#[tokio::test]
async fn a_place_that_will_not_do_is_refused_and_left_as_it_is(
    #[case] name: &str,
    #[case] expected: DeliveryProblem,
) {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("folder")).unwrap();
    std::fs::write(folder.path("plain"), "plain").unwrap();
    symlink("plain", folder.path("link")).unwrap();
    symlink("nowhere", folder.path("dead_link")).unwrap();
    nix::unistd::mkfifo(&folder.path("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let names = folder.names();
    let file = TokenFile {
        path: folder.path(name),
        ..folder.file()
    };
    assert_eq!(problem(folder.writer.examine(&file).await), expected);
    assert_eq!(problem(folder.writer.prepare(&file, &token()).await), expected);
    assert_eq!(
        (folder.names(), text(&folder.path("plain"))),
        (names, "plain".into())
    );
}

#[tokio::test]
async fn a_folder_that_others_may_change_gets_no_token() {
    let folder = Folder::new();
    let writer = SystemTokenFileWriter::new(OTHERS, environment());
    let file = folder.file();
    assert_eq!(problem(writer.examine(&file).await), DeliveryProblem::FolderUnfit);
    assert_eq!(
        problem(writer.prepare(&file, &token()).await),
        DeliveryProblem::FolderUnfit
    );
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[tokio::test]
async fn an_examination_finds_a_wrong_template_and_changes_nothing() {
    let folder = Folder::new();
    let file = TokenFile {
        format: FileFormat::Template(folder.path("template")),
        check: Some(words(&["touch", folder.path("ran").to_str().unwrap()])),
        ..folder.file()
    };
    std::fs::write(folder.path("template"), "{{ tokn }}").unwrap();
    assert_eq!(
        problem(folder.writer.examine(&file).await),
        DeliveryProblem::TemplateFailed
    );
    std::fs::write(folder.path("template"), "{{ access_token }}").unwrap();
    folder.writer.examine(&file).await.unwrap();
    assert_eq!(folder.names(), ["template"]);
}

#[rstest]
#[case::nothing(None, "cannot be read")]
#[case::words(Some("strategy"), "holds no number of a process")]
#[case::every_process(Some("-1"), "holds no number of a process")]
#[case::own_group(Some("0"), "holds no number of a process")]
#[case::the_first(Some("1"), "holds no number of a process")]
#[case::nobodys(Some("2147483647"), "SIGHUP cannot be sent to process 2147483647")]
#[tokio::test]
async fn a_signal_goes_to_no_process_but_the_one_that_is_named(
    #[case] pid: Option<&str>,
    #[case] expected: &str,
) {
    let folder = Folder::new();
    let file = TokenFile {
        then: Some(FollowUp::Signal {
            signal: FollowUpSignal::Hup,
            pid_file: folder.path("pid"),
        }),
        ..folder.file()
    };
    if let Some(pid) = pid {
        std::fs::write(folder.path("pid"), pid).unwrap();
    }
    let runner = SystemFollowUpRunner::new(NOBODY, environment());
    let refused = runner.follow_up(&file, &token()).await.unwrap_err();
    assert_eq!(refused.problem, DeliveryProblem::ThenFailed);
    assert!(refused.detail.contains(expected), "{refused}");
    let runner = SystemFollowUpRunner::new(OTHERS, environment());
    let refused = runner.follow_up(&file, &token()).await.unwrap_err();
    assert!(refused.detail.contains("is open to others"), "{refused}");
}

#[tokio::test]
async fn a_command_follows_with_the_path_and_nothing_where_nothing_is_named() {
    let folder = Folder::new();
    let mut file = folder.file();
    let runner = SystemFollowUpRunner::new(NOBODY, environment());
    runner.follow_up(&file, &token()).await.unwrap();
    std::fs::write(&file.path, "new").unwrap();
    let copy = folder.path("copy").display().to_string();
    file.then = Some(FollowUp::Command(words(&["cp", "{path}", &copy])));
    runner.follow_up(&file, &token()).await.unwrap();
    assert_eq!(text(&folder.path("copy")), "new");
    file.then = Some(FollowUp::Command(words(&["false"])));
    assert_eq!(
        problem(runner.follow_up(&file, &token()).await),
        DeliveryProblem::ThenFailed
    );
}
