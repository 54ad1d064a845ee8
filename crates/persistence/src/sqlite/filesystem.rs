//! Detects network file systems. SQLite's write-ahead log needs locks and memory shared by all programs, which only a local disk
//! gives.

use std::path::Path;

/// The kind of a file system that is not this machine's, or `None` where the database may live.
#[cfg(target_os = "linux")]
pub(crate) fn foreign_kind(path: &Path) -> Option<String> {
    // The database itself may not be there yet; then the nearest folder above it counts.
    let there = path.ancestors().find(|place| place.exists())?;
    let there = there.canonicalize().ok()?;
    let magic = nix::sys::statfs::statfs(&there).ok()?.filesystem_type().0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a magic number has 32 bits, on every system"
    )]
    let magic = magic as u32;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    foreign(magic, type_of_mount(&mounts, &there))
}

/// The kind of file system is unknown on this system; the operator decides.
#[cfg(not(target_os = "linux"))]
pub(crate) fn foreign_kind(_path: &Path) -> Option<String> {
    None
}

/// Decides by the magic number that the kernel gives, and for file systems in user space, which share one number, by
/// the mount's type.
#[cfg(any(target_os = "linux", test))]
fn foreign(magic: u32, mount_type: Option<&str>) -> Option<String> {
    const FUSE: u32 = 0x6573_5546;
    // Others of this family, such as encrypted folders, are this machine's own.
    const REMOTE: [&str; 13] = [
        "virtiofs",
        "sshfs",
        "rclone",
        "s3fs",
        "goofys",
        "gcsfuse",
        "glusterfs",
        "davfs",
        "davfs2",
        "curlftpfs",
        "smbnetfs",
        "juicefs",
        "vmhgfs-fuse",
    ];
    let name = match magic {
        0x6969 => "NFS",
        0x517B => "SMB",
        0xFF53_4D42 => "CIFS",
        0xFE53_4D42 => "SMB2",
        0x0102_1997 => "9P",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x00C3_6400 => "Ceph",
        0x564C => "NCP",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        0x786F_4256 => "vboxsf",
        0xBACB_ACBC => "vmhgfs",
        FUSE => {
            let kind = mount_type?;
            let plain = kind.strip_prefix("fuse.").unwrap_or(kind);
            return REMOTE
                .contains(&plain)
                .then(|| format!("a file system of another machine ({plain})"));
        }
        _ => return None,
    };
    Some(format!("a file system of another machine ({name})"))
}

/// The type of the mount that holds this path, from the kernel's table: the longest mount point, and the last of equal
/// ones.
#[cfg(any(target_os = "linux", test))]
fn type_of_mount<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let line = mounts
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let point = unescaped(before.split(' ').nth(4)?);
            let kind = after.split(' ').next()?;
            path.starts_with(&point).then_some((point.len(), kind))
        })
        .max_by_key(|(length, _)| *length)?;
    Some(line.1)
}

/// Decodes a path of the table, in which blanks and backslashes are three octal digits.
#[cfg(any(target_os = "linux", test))]
fn unescaped(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |point, (written, meant)| {
            point.replace(written, meant)
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ext4(0xEF53, None)]
    #[case::xfs(0x5846_5342, None)]
    #[case::btrfs(0x9123_683E, None)]
    #[case::zfs(0x2FC1_2FC1, None)]
    #[case::f2fs(0xF2F5_2010, None)]
    #[case::tmpfs(0x0102_1994, None)]
    #[case::overlay(0x794C_7630, None)]
    #[case::nfs(0x6969, Some("NFS"))]
    #[case::smb(0x517B, Some("SMB"))]
    #[case::cifs(0xFF53_4D42, Some("CIFS"))]
    #[case::smb2(0xFE53_4D42, Some("SMB2"))]
    #[case::of_a_virtual_machine(0x0102_1997, Some("9P"))]
    #[case::afs(0x5346_414F, Some("AFS"))]
    #[case::ceph(0x00C3_6400, Some("Ceph"))]
    #[case::lustre(0x0BD0_0BD0, Some("Lustre"))]
    fn a_magic_number_tells_whose_it_is(#[case] magic: u32, #[case] name: Option<&str>) {
        let expected = name.map(|name| format!("a file system of another machine ({name})"));
        assert_eq!(foreign(magic, Some("fuse.sshfs")), expected);
    }

    #[rstest]
    #[case::sshfs(Some("fuse.sshfs"), Some("sshfs"))]
    #[case::rclone(Some("fuse.rclone"), Some("rclone"))]
    #[case::of_a_virtual_machine(Some("virtiofs"), Some("virtiofs"))]
    #[case::an_encrypted_folder(Some("fuse.gocryptfs"), None)]
    #[case::a_disk_of_windows(Some("fuseblk"), None)]
    #[case::of_a_container(Some("fuse.fuse-overlayfs"), None)]
    #[case::no_table(None, None)]
    fn file_systems_in_user_space_are_told_by_their_mount(
        #[case] kind: Option<&str>,
        #[case] name: Option<&str>,
    ) {
        let expected = name.map(|name| format!("a file system of another machine ({name})"));
        assert_eq!(foreign(0x6573_5546, kind), expected);
    }

    #[rstest]
    #[case("/home/me/remote/data", Some("fuse.sshfs"))]
    #[case("/home/me/remote", Some("fuse.sshfs"))]
    #[case("/home/me/remotely", Some("ext4"))]
    #[case("/home/me/my files/x", Some("fuse.rclone"))]
    #[case("/mnt/over", Some("nfs4"))]
    fn the_innermost_mount_counts(#[case] path: &str, #[case] kind: Option<&str>) {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
             40 22 0:40 / /home/me/remote rw,nosuid shared:2 master:3 - fuse.sshfs me@host: rw\n\
             41 22 0:41 / /home/me/my\\040files rw - fuse.rclone r: rw\n\
             42 22 0:42 / /mnt/over rw - ext4 /dev/sdb rw\n\
             43 42 0:43 / /mnt/over rw - nfs4 host:/ rw\n\
             not a line\n";
        assert_eq!(type_of_mount(mounts, Path::new(path)), kind);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_is_asked_about_the_nearest_folder_that_is_there() {
        assert_eq!(foreign_kind(Path::new("/proc/nowhere/vega_trade.db")), None);
        assert_eq!(foreign_kind(Path::new("/dev/shm/a/b/vega_trade.db")), None);
    }
}
