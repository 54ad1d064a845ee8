//! A disk as a program and a power cut see it. What was synced is there after the cut. Of what was not, each write may be
//! there, not be there, or be there in part; names come and go in their order, as a journalling file system keeps them.
//! A synced file keeps its name too, as on ext4, XFS and Btrfs; a synced folder keeps all of its names.

use std::collections::BTreeMap;

use super::random::Random;

/// Files with their content, by their names.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate { length: u64 },
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    /// With when each was made.
    pending: Vec<(usize, Change)>,
}

enum NameChange {
    Added { name: String, file: usize },
    Removed { name: String },
}

/// How much of what was not synced is there after a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    Nothing,
    Everything,
    /// The first so many writes, the next one torn.
    Beginning,
    /// Each write with this chance, in percent, whole or not at all.
    Some(usize),
    /// Each write whole, in some of its sectors of this size, torn at a byte, or not at all.
    Sectors(u64),
}

#[derive(Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    /// Counts everything that happens.
    now: usize,
}

impl Disk {
    /// The moment before what happens next.
    pub(crate) fn now(&self) -> usize {
        self.now
    }

    /// How long the file is for programs.
    pub(crate) fn length(&self, name: &str) -> Option<u64> {
        let file = &self.files[*self.names.get(name)?];
        let mut length = file.durable.len() as u64;
        for (_, change) in &file.pending {
            length = match change {
                Change::Write { offset, bytes } => length.max(offset + bytes.len() as u64),
                Change::Truncate { length } => *length,
            };
        }
        Some(length)
    }

    /// Makes an empty file, if there is none of this name.
    pub(crate) fn create(&mut self, name: &str) {
        self.now += 1;
        if !self.names.contains_key(name) {
            self.files.push(File::default());
            self.add_name(name, self.files.len() - 1);
        }
    }

    pub(crate) fn link(&mut self, from: &str, to: &str) {
        self.now += 1;
        if let Some(file) = self.names.get(from).copied() {
            self.add_name(to, file);
        }
    }

    pub(crate) fn unlink(&mut self, name: &str) {
        self.now += 1;
        if self.names.remove(name).is_some() {
            let name = name.to_owned();
            self.pending_names.push(NameChange::Removed { name });
        }
    }

    pub(crate) fn change(&mut self, name: &str, change: Change) {
        self.now += 1;
        if let Some(file) = self.names.get(name) {
            self.files[*file].pending.push((self.now, change));
        }
    }

    /// Everything that was done to the file until the sync began is durable, its name too.
    pub(crate) fn sync(&mut self, name: &str, began: usize) {
        self.now += 1;
        let Some(synced) = self.names.get(name).copied() else {
            return;
        };
        let file = &mut self.files[synced];
        let later = file.pending.iter().position(|(made, _)| *made > began);
        let kept = file.pending.split_off(later.unwrap_or(file.pending.len()));
        for (_, change) in std::mem::replace(&mut file.pending, kept) {
            apply(&mut file.durable, &change);
        }
        self.settle_names(|change| matches!(change, NameChange::Added { file, .. } if *file == synced));
    }

    pub(crate) fn sync_folder(&mut self, folder: &str) {
        self.now += 1;
        self.settle_names(|change| {
            let (NameChange::Added { name, .. } | NameChange::Removed { name }) = change;
            name.rsplit_once('/').map_or("", |(folder, _)| folder) == folder
        });
    }

    /// What is there when the power is back.
    pub(crate) fn after_power_cut(&self, luck: Luck, random: &mut Random) -> Image {
        let mut names = self.durable_names.clone();
        let came_through = match luck {
            Luck::Nothing => 0,
            Luck::Everything => self.pending_names.len(),
            Luck::Beginning | Luck::Some(_) | Luck::Sectors(_) => random.below(self.pending_names.len() + 1),
        };
        for change in &self.pending_names[..came_through] {
            change.apply(&mut names);
        }
        names
            .into_iter()
            .map(|(name, file)| (name, self.files[file].after_power_cut(luck, random)))
            .collect()
    }

    fn add_name(&mut self, name: &str, file: usize) {
        let change = NameChange::Added {
            name: name.to_owned(),
            file,
        };
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    /// All up to the last one that is meant are durable: their order is kept.
    fn settle_names(&mut self, is_meant: impl Fn(&NameChange) -> bool) {
        let settled = self
            .pending_names
            .iter()
            .rposition(is_meant)
            .map_or(0, |at| at + 1);
        for change in self.pending_names.drain(..settled) {
            change.apply(&mut self.durable_names);
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Added { name, file } => names.insert(name.clone(), *file),
            Self::Removed { name } => names.remove(name),
        };
    }
}

impl File {
    fn after_power_cut(&self, luck: Luck, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable.clone();
        let whole = random.below(self.pending.len() + 1);
        for (at, (_, change)) in self.pending.iter().enumerate() {
            let parts = match luck {
                Luck::Everything => vec![change.clone()],
                Luck::Beginning if at < whole => vec![change.clone()],
                Luck::Beginning if at == whole => torn(change, random).into_iter().collect(),
                Luck::Some(percent) if random.happens(percent) => vec![change.clone()],
                Luck::Nothing | Luck::Beginning | Luck::Some(_) => Vec::new(),
                Luck::Sectors(size) => match random.below(4) {
                    0 => Vec::new(),
                    1 => vec![change.clone()],
                    2 => torn(change, random).into_iter().collect(),
                    _ => some_sectors(change, size, random),
                },
            };
            for part in &parts {
                apply(&mut content, part);
            }
        }
        content
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => {
            let start = usize::try_from(*offset).unwrap_or(usize::MAX);
            let end = start + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[start..end].copy_from_slice(bytes);
        }
        Change::Truncate { length } => content.resize(usize::try_from(*length).unwrap_or(usize::MAX), 0),
    }
}

/// A write up to some byte; the length of a file changes wholly or not at all.
fn torn(change: &Change, random: &mut Random) -> Option<Change> {
    match change {
        Change::Write { offset, bytes } => {
            let written = random.below(bytes.len() + 1);
            Some(Change::Write {
                offset: *offset,
                bytes: bytes[..written].to_vec(),
            })
        }
        Change::Truncate { .. } => random.happens(50).then(|| change.clone()),
    }
}

/// Half of the sectors that a write touches, wherever it begins.
fn some_sectors(change: &Change, size: u64, random: &mut Random) -> Vec<Change> {
    let Change::Write { offset, bytes } = change else {
        return torn(change, random).into_iter().collect();
    };
    let mut parts = Vec::new();
    let (mut at, mut rest) = (*offset, &bytes[..]);
    while !rest.is_empty() {
        let to_border = usize::try_from(size - at % size).unwrap_or(usize::MAX);
        let (part, after) = rest.split_at(to_border.min(rest.len()));
        if random.happens(50) {
            parts.push(Change::Write {
                offset: at,
                bytes: part.to_vec(),
            });
        }
        at += part.len() as u64;
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests;
