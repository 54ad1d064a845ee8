//! Detects a database file whose very first commit was cut off by a power failure. Such a file has no application id
//! yet; if it were taken for another program's, Vega could never start again.

use std::io::Read;
use std::path::Path;

/// Whether the file's very first commit is under way or was cut off: its journal says that nothing was there before.
/// SQLite then empties the file, unless that commit is still made.
pub(crate) fn is_taken_back(path: &Path) -> bool {
    // SQLite file format, "The Rollback Journal": the magic, then at 16 the size of the database in pages before.
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    let mut header = [0; 20];
    let read = std::fs::File::open(journal).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.starts_with(&MAGIC) && header[16..] == [0; 4]
}
