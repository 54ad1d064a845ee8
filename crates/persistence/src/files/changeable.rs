//! Refuses files and folders that other users can change. Checks owner and mode of the file, and of each folder and
//! link on the way to it: a user who can write in a folder can replace the files in it, and a user who owns a folder
//! can give himself that right.

use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid};

use crate::files::file_error::FileError;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A file that is read. In a folder made like `/tmp` nobody else can replace it.
    File,
    /// A folder in which Vega looks for files and makes them. Nobody else may make files there.
    Folder,
}

/// Refuses a place that another user may change or replace, also through the folders and links on its path. Root may
/// change everything anyway. A missing file or folder is accepted; one that cannot be examined is reported by the code
/// that reads it.
pub fn refuse_if_others_may_change(path: &Path, place: Place) -> Result<(), FileError> {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(Identity::of_this_process).look(path, place)
}

/// The same, where this owner may change it, too: for what belongs to another user whom this one trusts with it.
pub fn refuse_if_others_than_may_change(owner: u32, path: &Path, place: Place) -> Result<(), FileError> {
    let identity = Identity {
        trusted: Some(owner),
        ..Identity::of_this_process()
    };
    identity.look(path, place)
}

/// The user and groups that this process runs as, and what is known of the others.
struct Identity {
    user: u32,
    /// Another user who may change it.
    trusted: Option<u32>,
    name: Option<String>,
    /// The groups of which this process is a member.
    groups: Vec<u32>,
    /// The user that the kernel shows as owner where this process cannot see the real owner; `None` if it sees all.
    unseen: Option<u32>,
    passwd: String,
    group: String,
}

impl Identity {
    fn of_this_process() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let user = geteuid();
        Self {
            user: user.as_raw(),
            trusted: None,
            name: User::from_uid(user).ok().flatten().map(|user| user.name),
            groups: own_groups(),
            unseen: unseen_owner(&text("/proc/self/uid_map"), &text("/proc/sys/kernel/overflowuid")),
            passwd: text("/etc/passwd"),
            group: text("/etc/group"),
        }
    }

    /// Follows the path as the system does, link by link.
    fn look(&self, path: &Path, place: Place) -> Result<(), FileError> {
        const LINKS: usize = 40;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut ahead = reversed(&path);
        let mut here = PathBuf::from("/");
        let mut is_shared = self.enter(&here, false)?;
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == ".." {
                here.pop();
                is_shared = self.enter(&here, false)?;
                continue;
            }
            let next = here.join(&name);
            let Ok(about) = next.symlink_metadata() else {
                return Ok(());
            };
            if about.is_dir() {
                is_shared = self.enter(&next, false)?;
                here = next;
                continue;
            }
            if !about.is_symlink() {
                return self.judge_file(&next, &about);
            }
            if is_shared {
                self.refuse_foreign(&next, &about)?;
            }
            links += 1;
            let (Ok(goal), Ok(end)) = (next.read_link(), next.metadata()) else {
                return Ok(());
            };
            // What the kernel made up for an open file, such as `/dev/fd/63`, has no place.
            if here.join(&goal).symlink_metadata().is_err() {
                return self.judge_file(&next, &end);
            }
            if links > LINKS {
                return Ok(());
            }
            if goal.is_absolute() {
                here = PathBuf::from("/");
                is_shared = self.enter(&here, false)?;
            }
            ahead.extend(reversed(&goal));
        }
        self.enter(&here, place == Place::Folder).map(drop)
    }

    /// Judges a folder, if it exists.
    fn enter(&self, path: &Path, is_the_place: bool) -> Result<bool, FileError> {
        path.metadata()
            .map_or(Ok(false), |about| self.judge_folder(path, &about, is_the_place))
    }

    /// Whether others may make files in this folder; an error if the folder is refused.
    fn judge_folder(&self, path: &Path, about: &Metadata, is_the_place: bool) -> Result<bool, FileError> {
        self.refuse_foreign(path, about)?;
        if !self.others_write(about) || is_read_only(path) {
            return Ok(false);
        }
        if about.mode() & STICKY != 0 && !is_the_place {
            return Ok(true);
        }
        Err(FileError::Changeable {
            path: path.to_owned(),
            mode: about.mode() & 0o7777,
            by: self.sudo(about),
        })
    }

    fn judge_file(&self, path: &Path, about: &Metadata) -> Result<(), FileError> {
        if !about.is_file() && !about.file_type().is_fifo() {
            return Ok(());
        }
        self.refuse_foreign(path, about)?;
        if self.others_write(about) && !is_read_only(path) {
            return Err(FileError::Writable {
                path: path.to_owned(),
                mode: about.mode() & 0o7777,
                by: self.sudo(about),
            });
        }
        Ok(())
    }

    fn refuse_foreign(&self, path: &Path, about: &Metadata) -> Result<(), FileError> {
        let owner = about.uid();
        let is_known = || User::from_uid(Uid::from_raw(owner)).ok().flatten().is_some();
        let is_ours =
            [self.user, ROOT].contains(&owner) || [self.unseen, self.trusted].contains(&Some(owner));
        // A container's volumes and secrets bear the users of its host, of whom it knows none.
        if is_ours || !is_known() || is_read_only(path) {
            return Ok(());
        }
        Err(FileError::Foreign {
            path: path.to_owned(),
            mode: about.mode() & 0o7777,
            owner: called(owner),
            user: self.user,
            by: self.sudo(about),
        })
    }

    /// The prefix of the command that corrects it.
    fn sudo(&self, about: &Metadata) -> &'static str {
        if self.user == ROOT || about.uid() == self.user {
            ""
        } else {
            "sudo "
        }
    }

    fn others_write(&self, about: &Metadata) -> bool {
        about.mode() & OTHERS_WRITE != 0
            || about.mode() & GROUP_WRITES != 0 && !self.has_nobody_else(about.gid())
    }

    /// Whether a group contains only this user and root: a user's private group, as many systems make it, or the group
    /// that a container gives to its only user, for whom the system may have no name.
    fn has_nobody_else(&self, group: u32) -> bool {
        let is_of_us = |name: &str| name == "root" || self.name.as_deref() == Some(name);
        let listed = self.group.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let mut fields = fields.skip(1);
            (fields.next()?.parse() == Ok(group)).then(|| (name, fields.next().unwrap_or_default()))
        });
        if let Some((name, members)) = listed {
            let is_without_others = members
                .split(',')
                .map(str::trim)
                .all(|name| name.is_empty() || is_of_us(name));
            // Where people come from a directory, as on macOS, nobody can list who else has it as the first group (`staff`).
            let is_known = self.is_listed() || self.name.as_deref() == Some(name);
            let is_others = || !is_known || self.is_anothers_first_group(group);
            // System accounts that may have root's group are nobody's.
            return is_without_others && (group == ROOT || !is_others());
        }
        match Group::from_gid(Gid::from_raw(group)).ok().flatten() {
            // Of a directory, whose people cannot be listed: only what is named after the user is theirs alone.
            Some(group) => {
                self.name.as_ref() == Some(&group.name) && group.mem.iter().all(|name| is_of_us(name))
            }
            None => self.groups.contains(&group) && !self.is_anothers_first_group(group),
        }
    }

    /// Whether this user is in the file of users.
    fn is_listed(&self) -> bool {
        let id = |line: &str| line.split(':').nth(2)?.parse::<u32>().ok();
        self.passwd.lines().any(|line| id(line) == Some(self.user))
    }

    fn is_anothers_first_group(&self, group: u32) -> bool {
        self.passwd.lines().any(|line| {
            let mut ids = line.split(':').skip(2).map(str::parse::<u32>);
            match (ids.next(), ids.next()) {
                (Some(Ok(user)), Some(Ok(first))) => first == group && user != self.user && user != ROOT,
                _ => false,
            }
        })
    }
}

/// The components without the root, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let mut components: Vec<OsString> = path
        .components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| component.as_os_str().to_owned())
        .collect();
    components.reverse();
    components
}

fn called(user: u32) -> String {
    let known = User::from_uid(Uid::from_raw(user)).ok().flatten();
    known.map_or_else(|| user.to_string(), |user| user.name)
}

/// Whether the file system is read-only, so that nobody can write there, as with files that a cluster mounts into a
/// container.
fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|facts| facts.flags().contains(FsFlags::ST_RDONLY))
}

/// The owner that the kernel shows for unknown users: in a user namespace that has only some users, the files of all
/// others seem to belong to one user. Mostly the real owner is the host's root.
fn unseen_owner(uid_map: &str, overflow: &str) -> Option<u32> {
    const ALL: u64 = u32::MAX as u64;
    let lengths = uid_map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    let seen: u64 = lengths.sum();
    (seen > 0 && seen < ALL).then(|| overflow.trim().parse().unwrap_or(65_534))
}

#[cfg(not(target_vendor = "apple"))]
fn own_groups() -> Vec<u32> {
    let others = nix::unistd::getgroups().unwrap_or_default();
    others.into_iter().chain([getegid()]).map(Gid::as_raw).collect()
}

#[cfg(target_vendor = "apple")]
fn own_groups() -> Vec<u32> {
    vec![getegid().as_raw()]
}

#[cfg(test)]
mod tests;
