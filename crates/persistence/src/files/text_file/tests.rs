//! Each kind of thing that can be where a text file belongs, and its message.

use std::os::unix::fs::symlink;

use rstest::rstest;

use super::*;

const LIMIT: usize = 2048;

/// The result of reading a file with these bytes.
fn read(bytes: &[u8]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    read_text(&path, LIMIT)
        .map(|text| text.as_str().to_owned())
        .map_err(|problem| problem.to_string())
}

#[rstest]
#[case::plain(b"s3cret", "s3cret")]
#[case::empty(b"", "")]
#[case::mark_of_notepad(b"\xef\xbb\xbfs3cret\r\n", "s3cret\r\n")]
#[case::utf16_of_notepad(b"\xff\xfes\x003\x00\r\x00\n\x00", "s3\r\n")]
#[case::utf16_the_other_way(b"\xfe\xff\x00s\x003", "s3")]
#[case::beyond_ascii("ग्राहक".as_bytes(), "ग्राहक")]
fn what_editors_write_is_read(#[case] bytes: &[u8], #[case] text: &str) {
    assert_eq!(read(bytes).as_deref(), Ok(text));
}

#[rstest]
#[case::latin1(b"a=1\nb=caf\xe9\n", "line 2 has a wrong byte (0xe9) at byte 6")]
#[case::cut_off(b"ab\xe2\x82", "line 1 has a wrong byte (0xe2) at byte 3")]
#[case::after_a_mark(b"\xef\xbb\xbfa\xff", "line 1 has a wrong byte (0xff) at byte 2")]
#[case::utf16_without_its_mark(b"s\x003\x00", "line 1 holds a NUL at byte 2")]
#[case::a_program(b"\x7fELF\n\x02\x00", "line 2 holds a NUL at byte 2")]
#[case::half_a_unit(b"\xff\xfes\x003", "begins as UTF-16")]
#[case::half_a_pair(b"\xff\xfe\x00\xd8", "begins as UTF-16")]
#[case::large(&[b'x'; LIMIT + 1], "is larger than 2 KiB")]
fn bytes_that_are_no_text_are_placed(#[case] bytes: &[u8], #[case] said: &str) {
    let refused = read(bytes).unwrap_err();
    assert!(refused.contains(said), "{refused}");
}

/// The message for what `make` makes at a path.
fn said_of(make: impl FnOnce(&Path) -> PathBuf) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = make(folder.path());
    let said = read_text(&path, LIMIT).unwrap_err().to_string();
    said.replace(&folder.path().display().to_string(), "[here]")
}

#[test]
fn what_stands_in_a_files_place_is_named() {
    let file = |here: &Path| here.join("file");
    assert!(said_of(file).starts_with("is not there. "));
    assert!(said_of(|here| here.join("a/b/file")).starts_with("is not there, nor is [here]/a. "));
    assert!(said_of(Path::to_owned).starts_with("is a folder. "));
    let made = |make: fn(&Path)| {
        said_of(move |here| {
            make(&file(here));
            file(here)
        })
    };
    let dead_link = made(|path| symlink("/nowhere/at/all", path).unwrap());
    assert!(
        dead_link.starts_with("is a link that leads nowhere (to /nowhere/at/all)"),
        "{dead_link}"
    );
    let round = made(|path| symlink(path, path).unwrap());
    assert!(
        round.starts_with("is a link that leads back to itself"),
        "{round}"
    );
    let socket = made(|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()));
    assert!(socket.starts_with("is a socket"), "{socket}");
    let device = made(|path| symlink("/dev/zero", path).unwrap());
    assert!(device.starts_with("is a device"), "{device}");
    let below = said_of(|here| {
        std::fs::write(file(here), "").unwrap();
        file(here).join("below/it")
    });
    assert!(
        below.starts_with("cannot be there: [here]/file is no folder"),
        "{below}"
    );
}

#[test]
fn a_pipe_is_read_while_somebody_writes_and_never_waited_for_without_end() {
    use nix::sys::stat::Mode;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, "s3cret\n").unwrap()
    });
    assert_eq!(read_text(&pipe, LIMIT).unwrap().as_str(), "s3cret\n");
    writer.join().unwrap();
    let refused = read_text(&pipe, LIMIT).unwrap_err();
    assert!(matches!(refused, NoText::SilentPipe), "{refused}");
}

#[test]
fn who_may_not_read_it_is_told_whose_it_is() {
    let denied = NoText::Denied {
        user: 1000,
        owner: 0,
        mode: 0o600,
    }
    .to_string();
    assert!(
        denied.contains("user (id 1000): it belongs to user 0 and has mode 600"),
        "{denied}"
    );
}
