//! The root disk end to end through the command line: made from folders, checked, listed, extracted, damaged.

use assert_cmd::Command;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

fn fsbuild() -> Command {
    Command::cargo_bin("fsbuild").expect("built")
}

/// A folder with a bit of everything, and a disk made of it.
fn disk() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let from = dir.path().join("from");
    std::fs::create_dir_all(from.join("bin")).expect("made");
    std::fs::write(from.join("bin/tool"), vec![0x5a; 3_000_001]).expect("written");
    std::fs::set_permissions(from.join("bin/tool"), std::fs::Permissions::from_mode(0o4775)).expect("set");
    std::fs::write(from.join("empty"), "").expect("written");
    symlink("bin/tool", from.join("link")).expect("linked");
    let disk = dir.path().join("root.img");
    fsbuild()
        .arg("root")
        .arg(&disk)
        .args(["--size", "64", "--add"])
        .arg(&from)
        .assert()
        .success()
        .stdout("")
        .stderr("");
    (dir, disk)
}

#[test]
fn what_goes_in_comes_out() {
    let (dir, disk) = disk();
    fsbuild().arg("check").arg(&disk).assert().success().stdout("").stderr("");
    let list = "drwxr-xr-x    0    0         0 /bin\n\
                -rwxr-xr-x    0    0   3000001 /bin/tool\n\
                -rw-r--r--    0    0         0 /empty\n\
                lrwxrwxrwx    0    0         8 /link -> bin/tool\n";
    fsbuild().arg("ls").arg(&disk).assert().success().stdout(list);
    let out = dir.path().join("out");
    fsbuild().arg("extract").arg(&disk).arg(&out).assert().success();
    assert!(std::fs::read(out.join("bin/tool")).expect("extracted") == vec![0x5a; 3_000_001]);
    assert_eq!(std::fs::read_link(out.join("link")).expect("a link"), PathBuf::from("bin/tool"));
    let mode = std::fs::metadata(out.join("bin/tool")).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o4755, "group and others lose their write permission, the rest stays");
}

#[test]
fn a_part_can_be_named() {
    let (_dir, disk) = disk();
    fsbuild().arg("ls").arg(&disk).arg("/bin").assert().success().stdout("-rwxr-xr-x    0    0   3000001 /tool\n");
    let run = fsbuild().arg("ls").arg(&disk).arg("/none").assert().code(1);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert_eq!(stderr, format!("fsbuild: {}: /none: no such file or directory\n", disk.display()));
}

#[test]
fn equal_folders_give_equal_disks() {
    let ((_one, a), (_two, b)) = (disk(), disk());
    assert!(std::fs::read(a).expect("readable") == std::fs::read(b).expect("readable"), "the bytes differ");
}

#[test]
fn a_full_disk_names_the_file() {
    let (dir, _) = disk();
    let (from, small) = (dir.path().join("from"), dir.path().join("small.img"));
    let run = fsbuild().arg("root").arg(&small).args(["--size", "2", "--add"]).arg(&from).assert().code(1);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert_eq!(stderr, format!("fsbuild: {}: /bin/tool: no space left on device\n", small.display()));
}

#[test]
fn damage_is_found() {
    let (_dir, disk) = disk();
    let file = std::fs::OpenOptions::new().write(true).open(&disk).expect("a disk");
    file.write_all_at(&[0xff; 4096], 0).expect("written");
    let run = fsbuild().arg("check").arg(&disk).assert().code(1);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(stderr.lines().count() >= 1 && stderr.contains("root.img: "), "{stderr}");
}
