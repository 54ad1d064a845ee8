//! Whether other people's user accounts run processes on this machine. Through ChromeDriver's port each of them can run
//! programs as the operator while a sign-in is open (docs/threat-model.md). Nothing is refused for this reason, because
//! these accounts may be trusted or the operator's own.

use std::collections::BTreeSet;
use std::path::Path;

/// User ids below this are the system's own.
const FIRST_OF_PEOPLE: u32 = 1_000;
/// How many of them are named.
const NAMED: usize = 3;

/// A warning about them before a sign-in in Vega's browser; `None` if nobody else is seen.
pub(crate) fn warning() -> Option<String> {
    #[cfg(target_os = "linux")]
    let found = people(Path::new("/proc"), nix::unistd::getuid().as_raw(), of_a_person);
    #[cfg(not(target_os = "linux"))]
    let found = BTreeSet::<String>::new();
    words(&found)
}

fn words(names: &BTreeSet<String>) -> Option<String> {
    let mut shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    if names.len() > NAMED {
        shown.push("others");
    }
    (!shown.is_empty()).then(|| {
        format!(
            "accounts of other people run processes on this machine ({}). While a sign-in is open in Vega's browser, \
             ChromeDriver's port lets each of them run programs as you. Where you do not trust them, sign in with your own \
             browser (route own-browser), which opens no such port",
            shown.join(", ")
        )
    })
}

/// The names of the people other than `own` who have processes.
fn people(proc: &Path, own: u32, name: impl Fn(u32) -> Option<String>) -> BTreeSet<String> {
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let ids: BTreeSet<u32> = entries
        .filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        })
        // The folder's owner is root where the process is not dumpable.
        .filter_map(|entry| user_in(&std::fs::read_to_string(entry.path().join("status")).ok()?))
        .collect();
    ids.into_iter()
        .filter(|id| *id != own && *id >= FIRST_OF_PEOPLE)
        .filter_map(name)
        .collect()
}

/// The user that started the process, from `Uid: 1000 1000 1000 1000`.
fn user_in(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The name of an account at which a person can log in. Numbers without a name belong to containers, and system accounts
/// with high numbers have no shell.
#[cfg(target_os = "linux")]
fn of_a_person(id: u32) -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(id)).ok()??;
    is_shell(&user.shell).then_some(user.name)
}

#[cfg(target_os = "linux")]
fn is_shell(program: &Path) -> bool {
    let name = program.file_name().and_then(std::ffi::OsStr::to_str);
    !matches!(name, None | Some("nologin" | "false" | "true" | "sync"))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A `/proc` with a process of each of these users.
    fn with(users: &[&str]) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        for (place, user) in users.iter().enumerate() {
            let process = proc.path().join((place + 100).to_string());
            std::fs::create_dir(&process).unwrap();
            let status = format!("Name:\tsleep\nUid:\t{user}\t0\t0\t0\nGid:\t5\t5\t5\t5\n");
            std::fs::write(process.join("status"), status).unwrap();
        }
        std::fs::create_dir(proc.path().join("sys")).unwrap();
        std::fs::create_dir(proc.path().join("7")).unwrap();
        proc
    }

    #[rstest]
    #[case::alone(&["0", "33", "1000"], &[])]
    #[case::one_other(&["1000", "1001", "1001"], &["alice"])]
    #[case::system_accounts(&["998", "65534", "61200"], &[])]
    #[case::of_a_container(&["165536"], &[])]
    #[case::of_a_directory(&["1900001"], &["carol"])]
    #[case::set_uid_to_root(&["1001"], &["alice"])]
    fn other_people_are_seen(#[case] users: &[&str], #[case] names: &[&str]) {
        let name = |id| match id {
            1_001 => Some("alice".to_owned()),
            1_900_001 => Some("carol".to_owned()),
            _ => None,
        };
        let proc = with(users);
        let seen = people(proc.path(), 1_000, name);
        assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), names);
        assert_eq!(words(&seen).is_some(), !names.is_empty());
    }

    #[test]
    fn the_words_name_three_and_the_other_way() {
        let names = ["a", "b", "c", "d"].map(str::to_owned).into_iter().collect();
        let words = words(&names).unwrap();
        assert!(
            words.contains("(a, b, c, others)") && words.contains("own-browser"),
            "{words}"
        );
    }

    #[rstest]
    #[case("/bin/bash", true)]
    #[case("/usr/sbin/nologin", false)]
    #[case("/bin/false", false)]
    #[case("", false)]
    fn who_has_no_shell_is_no_person(#[case] shell: &str, #[case] is_one: bool) {
        assert_eq!(is_shell(Path::new(shell)), is_one);
    }
}
