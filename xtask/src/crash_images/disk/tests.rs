//! What a power cut leaves of what was and what was not synced.

use rstest::rstest;

use super::*;

const NAME: &str = "data/db";

fn write(offset: u64, text: &str) -> Change {
    Change::Write {
        offset,
        bytes: text.as_bytes().to_vec(),
    }
}

/// A synced `aaaa`, then `bb` at 3 and a cut to 4 that were not synced.
fn disk() -> Disk {
    let mut disk = Disk::default();
    disk.create(NAME);
    disk.change(NAME, write(0, "aaaa"));
    disk.sync(NAME, disk.now());
    disk.change(NAME, write(3, "bb"));
    disk.change(NAME, Change::Truncate { length: 4 });
    disk
}

fn after(disk: &Disk, luck: Luck, stream: u64) -> Option<String> {
    let image = disk.after_power_cut(luck, &mut Random::new(1, stream));
    let bytes = image.get(NAME)?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

#[rstest]
#[case::nothing(Luck::Nothing, &["aaaa"])]
#[case::everything(Luck::Everything, &["aaab"])]
#[case::the_beginning(Luck::Beginning, &["aaaa", "aaab", "aaabb"])]
#[case::some(Luck::Some(50), &["aaaa", "aaab", "aaabb"])]
#[case::parts(Luck::Sectors(4), &["aaaa", "aaab", "aaabb", "aaaab"])]
fn what_was_synced_stays_and_the_rest_may(#[case] luck: Luck, #[case] possible: &[&str]) {
    let disk = disk();
    let mut seen: Vec<String> = (0..500).filter_map(|stream| after(&disk, luck, stream)).collect();
    seen.sort();
    seen.dedup();
    let mut possible = possible.to_vec();
    possible.sort_unstable();
    assert_eq!(seen, possible);
}

#[test]
fn a_sync_covers_what_came_before_it_began() {
    let mut disk = Disk::default();
    disk.create(NAME);
    disk.change(NAME, write(0, "a"));
    let began = disk.now();
    disk.change(NAME, write(1, "b"));
    disk.sync(NAME, began);
    assert_eq!(after(&disk, Luck::Nothing, 0).unwrap(), "a");
    disk.sync(NAME, disk.now());
    assert_eq!(after(&disk, Luck::Nothing, 0).unwrap(), "ab");
}

#[rstest]
#[case::never_synced(&[], false)]
#[case::the_file(&["file"], true)]
#[case::its_folder(&["folder"], true)]
#[case::removed_after_the_sync(&["file", "unlink"], true)]
#[case::removed_and_synced(&["file", "unlink", "folder"], false)]
#[case::another_folder(&["other folder"], false)]
#[case::what_came_before_in_the_journal(&["another file"], true)]
fn a_name_is_durable_with_its_file_or_its_folder(#[case] steps: &[&str], #[case] is_there: bool) {
    let mut disk = Disk::default();
    disk.create(NAME);
    for step in steps {
        match *step {
            "file" => disk.sync(NAME, disk.now()),
            "folder" => disk.sync_folder("data"),
            "other folder" => disk.sync_folder("config"),
            "unlink" => disk.unlink(NAME),
            _ => {
                disk.create("config/key");
                disk.sync("config/key", disk.now());
            }
        }
    }
    assert_eq!(after(&disk, Luck::Nothing, 0).is_some(), is_there);
}

#[test]
fn two_names_of_one_file_share_its_content() {
    let mut disk = Disk::default();
    disk.create("config/draft");
    disk.change("config/draft", write(0, "key"));
    disk.sync("config/draft", disk.now());
    disk.link("config/draft", NAME);
    disk.unlink("config/draft");
    disk.sync_folder("data");
    let image = disk.after_power_cut(Luck::Nothing, &mut Random::new(1, 1));
    assert_eq!(image[NAME], b"key");
    disk.sync_folder("config");
    let image = disk.after_power_cut(Luck::Nothing, &mut Random::new(1, 1));
    assert_eq!(image.keys().collect::<Vec<_>>(), [NAME]);
}

#[test]
fn the_length_is_what_programs_see() {
    let disk = disk();
    assert_eq!(disk.length(NAME), Some(4));
    assert_eq!(disk.length("data/other"), None);
}
