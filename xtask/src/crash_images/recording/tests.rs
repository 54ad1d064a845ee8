//! Lines as strace writes them.

use rstest::rstest;

use super::*;

const ROOT: &str = "/r";

/// Text as strace writes it with `-xx`.
fn hex(text: &str) -> String {
    let bytes: Vec<_> = text.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    bytes.concat()
}

/// `{db}` and the like stand for what strace writes.
fn line(text: &str) -> String {
    let words = [
        ("{db}", format!("5<{}>", hex("/r/data/db"))),
        ("{shm}", format!("6<{}>", hex("/r/data/db-shm"))),
        ("{data}", format!("7<{}>", hex("/r/data"))),
        ("{ack}", format!("8<{}>", hex("/r/acknowledged"))),
        ("{else}", format!("9<{}>", hex("/elsewhere/db"))),
        ("{cwd}", format!("AT_FDCWD<{}>", hex("/r"))),
        ("{\"db\"}", format!("\"{}\"", hex("/r/data/db"))),
        ("{\"new\"}", format!("\"{}\"", hex("/r/data/new"))),
        ("{\"relative\"}", format!("\"{}\"", hex("data/db"))),
        ("{\"ab\"}", format!("\"{}\"", hex("ab"))),
    ];
    words.iter().fold(text.to_owned(), |text, (word, written)| {
        text.replace(word, written)
    })
}

fn events(lines: &[&str]) -> Result<Vec<Event>> {
    let log: Vec<String> = lines.iter().map(|text| format!("12  {}", line(text))).collect();
    read(&log.join("\n"), ROOT)
}

fn db() -> String {
    "data/db".into()
}

fn written(at: Place, text: &str) -> Event {
    Event::Written {
        name: db(),
        at,
        bytes: text.into(),
    }
}

#[rstest]
#[case::at_an_offset("pwrite64({db}, {\"ab\"}, 2, 4096) = 2", &[written(Place::Offset(4096), "ab")])]
#[case::less_than_asked("pwrite64({db}, {\"ab\"}, 2, 7) = 1", &[written(Place::Offset(7), "a")])]
#[case::refused("pwrite64({db}, {\"ab\"}, 2, 7) = -1 ENOSPC (No space left on device)", &[])]
#[case::elsewhere("pwrite64({else}, {\"ab\"}, 2, 0) = 2", &[])]
#[case::shared_memory("pwrite64({shm}, {\"ab\"}, 2, 0) = 2", &[])]
#[case::cut("ftruncate({db}, 32768) = 0", &[Event::Truncated { name: db(), length: 32_768 }])]
#[case::made("openat({cwd}, {\"db\"}, O_RDWR|O_CREAT, 0600) = {db}", &[Event::Created { name: db() }])]
#[case::only_opened("openat({cwd}, {\"db\"}, O_RDWR) = {db}", &[])]
#[case::emptied(
    "openat({cwd}, {\"db\"}, O_RDWR|O_TRUNC) = {db}",
    &[Event::Truncated { name: db(), length: 0 }]
)]
#[case::removed("unlink({\"db\"}) = 0", &[Event::Unlinked { name: db() }])]
#[case::removed_by_a_relative_name("unlinkat({cwd}, {\"relative\"}, 0) = 0", &[Event::Unlinked { name: db() }])]
#[case::linked(
    "linkat({cwd}, {\"db\"}, {cwd}, {\"new\"}, 0) = 0",
    &[Event::Linked { from: db(), to: "data/new".into() }]
)]
#[case::folder("fsync({data}) = 0", &[
    Event::SyncBegan { name: "data".into() },
    Event::FolderSynced { folder: "data".into() },
])]
#[case::file("fdatasync({db}) = 0", &[Event::SyncBegan { name: db() }, Event::Synced { name: db() }])]
#[case::promise("write({ack}, {\"ab\"}, 2) = 2", &[Event::Acknowledged { text: "ab".into() }])]
#[case::exit("+++ exited with 0 +++", &[])]
fn a_line_is_understood(#[case] text: &str, #[case] expected: &[Event]) {
    assert_eq!(events(&[text]).unwrap(), expected);
}

#[test]
fn a_sync_covers_what_came_before_it_began_in_another_thread() {
    let log = [
        line("1  fsync({db} <unfinished ...>"),
        line("2  pwrite64({db}, {\"ab\"}, 2, 0) = 2"),
        line("1  <... fsync resumed>) = 0"),
    ];
    let expected = [
        Event::SyncBegan { name: db() },
        written(Place::Offset(0), "ab"),
        Event::Synced { name: db() },
    ];
    assert_eq!(read(&log.join("\n"), ROOT).unwrap(), expected);
}

#[rstest]
#[case::from_the_beginning("O_WRONLY", &[written(Place::Offset(0), "ab"), written(Place::Offset(2), "ab")])]
#[case::at_the_end("O_WRONLY|O_APPEND", &[written(Place::End, "ab"), written(Place::End, "ab")])]
fn writes_without_an_offset_follow_each_other(#[case] flags: &str, #[case] expected: &[Event]) {
    let open = format!("openat({{cwd}}, {{\"db\"}}, {flags}) = {{db}}");
    let write = "write({db}, {\"ab\"}, 2) = 2";
    assert_eq!(events(&[&open, write, write]).unwrap(), expected);
}

#[test]
fn a_move_in_the_file_counts() {
    let open = "openat({cwd}, {\"db\"}, O_RDWR) = {db}";
    let moved = "lseek({db}, 0, SEEK_END) = 90";
    let write = "write({db}, {\"ab\"}, 2) = 2";
    assert_eq!(
        events(&[open, moved, write]).unwrap(),
        [written(Place::Offset(90), "ab")]
    );
}

#[rstest]
#[case::another_way_to_write("pwritev({db}, [{iov_base={\"ab\"}, iov_len=2}], 1, 0) = 2")]
#[case::a_rename("rename({\"db\"}, {\"new\"}) = 0")]
#[case::a_shortened_string("pwrite64({db}, {\"ab\"}..., 2, 0) = 2")]
#[case::never_opened("write({db}, {\"ab\"}, 2) = 2")]
#[case::no_result("pwrite64({db}, {\"ab\"}, 2, 0)")]
fn what_is_not_understood_is_an_error(#[case] text: &str) {
    events(&[text]).unwrap_err();
}

#[test]
fn the_same_call_elsewhere_is_none() {
    assert_eq!(
        events(&["pwritev({else}, [{iov_base={\"ab\"}}], 1, 0) = 2"]).unwrap(),
        []
    );
}
