//! Which places are accepted as one's own: made-up users and groups over real folders.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use rstest::rstest;

use super::*;
use crate::files::private::create_private_dir;

/// A user known on every system, as `nobody`.
const OTHER: u32 = 65_534;

/// The group that stands for group 7 of the table: a number that no system has.
const SEVEN: u32 = 3_000_000_007;

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A folder for the file of `place`, with mode 0755 whatever the umask is.
fn folder(parent: &Path, name: &str) -> PathBuf {
    let folder = parent.join(name);
    std::fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o755);
    folder
}

fn file(folder: &Path) -> PathBuf {
    let file = folder.join(".env");
    std::fs::write(&file, "").unwrap();
    set_mode(&file, 0o600);
    file
}

/// This user in a made-up list of groups: the folders that a test makes belong to `group`.
fn one_of(name: Option<&str>, groups: &[u32], passwd: &str, group: &str) -> Identity {
    Identity {
        trusted: None,
        user: geteuid().as_raw(),
        name: name.map(str::to_owned),
        groups: groups.to_vec(),
        unseen: None,
        passwd: passwd.to_owned(),
        group: group.to_owned(),
    }
}

#[rstest]
#[case::private(0o700, true)]
#[case::readable(0o755, true)]
#[case::others_may_write(0o707, false)]
#[case::all_may_write(0o777, false)]
#[case::sticky(0o1777, false)]
fn a_folder_that_others_may_change_is_refused(#[case] mode: u32, #[case] is_taken: bool) {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), mode);
    let made = create_private_dir(dir.path());
    assert_eq!(made.is_ok(), is_taken, "{made:?}");
    assert_eq!(
        dir.path().metadata().unwrap().mode() & 0o7777,
        mode,
        "it keeps its mode"
    );
    if let Err(error) = made {
        let words = error.to_string();
        let command = format!("chmod go-w '{}'", dir.path().display());
        assert!(
            words.contains(&command) && words.contains(&format!("{mode:o}")),
            "{words}"
        );
        // Only where nobody can rename it there is a place below.
        let below = create_private_dir(&dir.path().join("vega"));
        assert_eq!(below.is_ok(), mode & STICKY != 0, "{below:?}");
        assert_eq!(
            dir.path().join("vega").exists(),
            below.is_ok(),
            "nothing is made in vain"
        );
    }
}

/// The folders above, the links, and the file itself.
#[rstest]
#[case::as_it_should_be(|_: &Path| (), true)]
#[case::all_may_write_above(|root: &Path| set_mode(&root.join("a"), 0o777), false)]
#[case::like_tmp_above(|root: &Path| set_mode(&root.join("a"), 0o1777), true)]
#[case::all_may_write_far_above(|root: &Path| set_mode(root, 0o777), false)]
#[case::all_may_write_the_file(|root: &Path| set_mode(&root.join("a/b/.env"), 0o666), false)]
#[case::all_may_read_the_file(|root: &Path| set_mode(&root.join("a/b/.env"), 0o644), true)]
#[case::the_link_lies_where_all_may_write(|root: &Path| set_mode(&root.join("open"), 0o777), false)]
#[case::the_link_lies_in_a_place_like_tmp(|root: &Path| set_mode(&root.join("open"), 0o1777), true)]
#[case::the_second_link_lies_where_all_may_write(|root: &Path| set_mode(&root.join("hop"), 0o777), false)]
fn the_whole_way_counts(#[case] change: fn(&Path), #[case] is_taken: bool) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let place = folder(&folder(root, "a"), "b");
    file(&place);
    // open/way -> ../hop/on -> a
    symlink("../hop/on", folder(root, "open").join("way")).unwrap();
    symlink(root.join("a"), folder(root, "hop").join("on")).unwrap();
    change(root);
    let way = root.join("open/way/b");
    for (path, place) in [(way.clone(), Place::Folder), (way.join(".env"), Place::File)] {
        let looked = refuse_if_others_may_change(&path, place);
        let of_file_alone = root.join("a/b/.env").metadata().unwrap().mode() & 0o777 == 0o666;
        let is_taken = is_taken || (of_file_alone && place == Place::Folder);
        assert_eq!(looked.is_ok(), is_taken, "{place:?}: {looked:?}");
    }
}

#[rstest]
#[case::of_one(Some("me"), &[], "me:x:ME:7::/:/bin/sh", "me:x:7:", true)]
#[case::that_names_one(Some("me"), &[], "", "me:x:7:me,root", true)]
#[case::with_another(Some("me"), &[7], "", "me:x:7:me,you", false)]
#[case::of_others(Some("me"), &[7], "", "users:x:7:you", false)]
#[case::that_is_anothers_first(Some("me"), &[7], "me:x:ME:7::/:/bin/sh\nyou:x:54321:7::/:/bin/sh", "users:x:7:", false)]
#[case::that_nobody_is_in(Some("me"), &[], "me:x:ME:9::/:/bin/sh\nyou:x:54321:8::/:/bin/sh", "staff:x:7:", true)]
#[case::of_people_of_a_directory(Some("me"), &[7], "you:x:54321:8::/:/bin/sh", "staff:x:7:", false)]
#[case::of_a_container(None, &[7], "root:x:0:0::/:/bin/sh", "root:x:0:", true)]
#[case::of_a_cluster_beside_a_known_user(Some("node"), &[1000, 7], "node:x:ME:1000::/:/bin/sh", "node:x:1000:", true)]
#[case::without_a_name_and_not_ours(None, &[8], "", "", false)]
#[case::without_a_name_and_anothers(None, &[7], "you:x:54321:7::/:/bin/sh", "", false)]
#[case::nothing_known_at_all(None, &[], "", "", false)]
fn a_group_may_write_only_where_nobody_else_is_in_it(
    #[case] name: Option<&str>,
    #[case] groups: &[u32],
    #[case] passwd: &str,
    #[case] group: &str,
    #[case] is_taken: bool,
) {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), 0o2775);
    let gid = dir.path().metadata().unwrap().gid();
    let own = geteuid().as_raw().to_string();
    let text = |text: &str| text.replace(":7:", &format!(":{SEVEN}:")).replace("ME", &own);
    let groups: Vec<u32> = groups
        .iter()
        .map(|id| if *id == 7 { SEVEN } else { *id })
        .collect();
    let who = one_of(name, &groups, &text(passwd), &text(group));
    assert_eq!(who.has_nobody_else(SEVEN), is_taken);
    if chown(dir.path(), None, Some(SEVEN)).is_ok() {
        let looked = who.look(dir.path(), Place::Folder);
        assert_eq!(looked.is_ok(), is_taken, "{looked:?}");
    } else {
        assert_ne!(gid, SEVEN);
    }
}

#[test]
fn roots_group_is_no_others() {
    let redhat = "root:x:0:0::/:/bin/sh\nsync:x:5:0::/sbin:/bin/sync\noperator:x:11:0::/root:/sbin/nologin";
    // An arbitrary user of a container, whose group is root's.
    assert!(one_of(None, &[0], redhat, "root:x:0:").has_nobody_else(0));
    assert!(!one_of(None, &[0], redhat, "root:x:0:you").has_nobody_else(0));
}

/// Only root can give folders away. For other users this test prints that it checks nothing, and
/// `another_owner_is_refused_whoever_runs_this` alone checks the rule.
#[expect(clippy::print_stderr, reason = "a test says what it leaves out")]
fn given_to_another(path: &Path) -> bool {
    let is_given = chown(path, Some(OTHER), None).is_ok();
    if !is_given {
        eprintln!(
            "not looked at: only root can give {} to another user",
            path.display()
        );
    }
    is_given
}

#[test]
fn another_owner_is_refused_whoever_runs_this() {
    let dir = tempfile::tempdir().unwrap();
    let mut who = one_of(None, &[], "", "");
    if geteuid().is_root() {
        assert!(given_to_another(dir.path()));
    } else {
        // With the eyes of somebody else.
        who.user = OTHER;
    }
    let looked = who.look(dir.path(), Place::Folder);
    assert!(matches!(looked, Err(FileError::Foreign { .. })), "{looked:?}");
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let place = folder(&folder(dir.path(), "a"), "b");
    let env = file(&place);
    if !given_to_another(&env) {
        return;
    }
    let told = |path: &Path| {
        let folder = refuse_if_others_may_change(&place, Place::Folder);
        let file = refuse_if_others_may_change(&env, Place::File)
            .unwrap_err()
            .to_string();
        let command = format!("chown {} '{}'", geteuid(), path.display());
        assert!(file.contains(&command) && file.contains("nobody"), "{file}");
        folder.is_err()
    };
    assert!(!told(&env), "the folder itself is ours");
    assert!(given_to_another(&place));
    assert!(told(&place));
    chown(&place, Some(geteuid().as_raw()), None).unwrap();
    assert!(given_to_another(&dir.path().join("a")));
    assert!(told(&dir.path().join("a")));
}

#[test]
fn a_link_of_another_user_in_a_place_like_tmp_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let env = file(&folder(dir.path(), "mine"));
    let open = folder(dir.path(), "open");
    set_mode(&open, 0o1777);
    let link = open.join("link");
    symlink(&env, &link).unwrap();
    // The way there goes through a folder of our own and back.
    let link = folder(&open, "ours").join("../link");
    refuse_if_others_may_change(&link, Place::File).unwrap();
    if given_to_another(&dir.path().join("mine")) {
        chown(dir.path().join("mine"), Some(geteuid().as_raw()), None).unwrap();
        std::os::unix::fs::lchown(&link, Some(OTHER), None).unwrap();
        assert!(refuse_if_others_may_change(&link, Place::File).is_err());
        // Where nobody else may write, whose a link is says nothing.
        set_mode(&open, 0o755);
        refuse_if_others_may_change(&link, Place::File).unwrap();
    }
}

/// A detour in the path does not help either.
#[test]
fn a_place_like_tmp_is_no_folder_for_ours_however_it_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let open = folder(dir.path(), "open");
    folder(&open, "ours");
    symlink(".", open.join("here")).unwrap();
    set_mode(&open, 0o1777);
    for way in [
        "open",
        "open/ours/..",
        "open/here",
        "open/../open",
        "open/here/here",
    ] {
        let looked = refuse_if_others_may_change(&dir.path().join(way), Place::Folder);
        assert!(looked.is_err(), "{way}");
    }
    refuse_if_others_may_change(&open.join("ours"), Place::Folder).unwrap();
}

#[test]
fn owners_who_cannot_be_seen_count_as_the_hosts_root() {
    let dir = tempfile::tempdir().unwrap();
    if !given_to_another(dir.path()) {
        return;
    }
    let mut who = one_of(None, &[], "", "");
    assert!(who.look(dir.path(), Place::Folder).is_err());
    who.unseen = Some(OTHER);
    who.look(dir.path(), Place::Folder).unwrap();
}

#[rstest]
#[case::no_namespace("         0          0 4294967295\n", None)]
#[case::of_one_user("      1000       1000          1\n", Some(65_534))]
#[case::of_a_rootless_container("0 1000 1\n1 100000 65536\n", Some(65_534))]
#[case::no_such_file("", None)]
fn a_namespace_of_users_hides_the_others(#[case] map: &str, #[case] owner: Option<u32>) {
    assert_eq!(unseen_owner(map, "65534\n"), owner);
}

#[test]
fn what_is_not_there_or_no_place_is_left_to_the_reader() {
    let dir = tempfile::tempdir().unwrap();
    let loops = dir.path().join("loops");
    symlink(&loops, &loops).unwrap();
    symlink("nowhere", dir.path().join("dead")).unwrap();
    file(dir.path());
    for path in [
        "not/there",
        "loops",
        "dead",
        ".env/below",
        "../../../../../../../..",
    ] {
        refuse_if_others_may_change(&dir.path().join(path), Place::File).unwrap();
    }
    // A shell's `<(…)`.
    let (reader, _writer) = nix::unistd::pipe().unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
    refuse_if_others_may_change(Path::new(&format!("/dev/fd/{fd}")), Place::File).unwrap();
}
