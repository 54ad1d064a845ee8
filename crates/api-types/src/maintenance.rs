//! What the commands did that keep database and key.

use serde::Serialize;
use utoipa::ToSchema;

use crate::machines::MachineView;

/// A copy of the database: the answer of `vega backup --json`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BackupView {
    pub v: u8,
    /// The copy.
    pub file: String,
    pub bytes: u64,
    /// How many APIs have a token in it.
    pub apis: u32,
    pub audit_entries: u64,
    /// The file with the key, which is not in the copy, and without which nobody can read its tokens.
    pub key_file: String,
}

/// The database in another place: the answer of `vega move --json`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MoveView {
    pub v: u8,
    /// What `VEGA__DATABASE__URL` is to be set to, on every machine.
    pub url: String,
    pub audit_entries: u64,
    /// What is wrong with the audit trail, in words, as it was before.
    pub fault: Option<String>,
    /// How many sealed values were opened there.
    pub opened: u64,
    /// The values that could not be read before either, and are unchanged, each in words.
    pub unreadable: Vec<String>,
}

/// A backup in the place of the database: the answer of `vega restore --json`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RestoreView {
    pub v: u8,
    /// The backup.
    pub file: String,
    /// The file with what was there before; `null` where nothing was.
    pub kept: Option<String>,
    pub audit_entries: u64,
    /// How many entries were written after the backup, as far as this machine knows.
    pub missing: u64,
    /// How many of its sealed values were opened.
    pub opened: u64,
    /// The values that do not open, each in words.
    pub unreadable: Vec<String>,
}

/// A key that is to follow: the answer of `vega seal rotate --prepare --json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreparedKeyView {
    pub v: u8,
    /// Tells keys apart without telling anything of them.
    pub key_id: String,
    /// The file to be copied to the other machines.
    pub file: String,
    /// What each machine has of it now.
    pub machines: Vec<MachineView>,
}

/// A new root key: the answer of `vega seal rotate --json`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RotationView {
    pub v: u8,
    /// The file with the key in force.
    pub key_file: String,
    /// The file with the key before it: earlier copies of the database open only with that.
    pub old_key_file: String,
    /// How many values are sealed with the new key.
    pub sealed: u64,
    /// The values that could not be read with the old key either, and are unchanged, each in words.
    pub unreadable: Vec<String>,
    /// Whether nothing that the old key sealed is left in the database's log.
    pub log_emptied: bool,
}
