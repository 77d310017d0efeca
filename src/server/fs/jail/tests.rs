//! Tests of the jail with links, replaced directories and names that lead out.

use super::*;
use crate::protocol::Name;
use crate::server::error::Refusal;
use crate::sys::FileKind;
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::symlink;

fn path(text: &str) -> FtpPath {
    FtpPath::root().join(&Name::new(text).unwrap()).unwrap()
}

/// Creates a jail with `root/in/file`, and `secret` beside the root.
fn jail() -> (tempfile::TempDir, Jail) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("root/in/deep")).unwrap();
    fs::create_dir(dir.path().join("outside")).unwrap();
    fs::write(dir.path().join("root/in/file"), "inside").unwrap();
    fs::write(dir.path().join("outside/secret"), "secret").unwrap();
    let jail = Jail::new(&dir.path().join("root")).unwrap();
    (dir, jail)
}

fn read(jail: &Jail, name: &str) -> Option<String> {
    let (mut file, _) = jail.open_file(&path(name)).ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    Some(text)
}

#[test]
fn files_are_found() {
    let (_dir, jail) = jail();
    assert_eq!(read(&jail, "/in/file").as_deref(), Some("inside"));
    assert_eq!(read(&jail, "/in/none"), None);
    assert!(jail.locate(&path("/in/none"), FinalLink::NoFollow).unwrap().found.is_none());
    assert!(jail.locate(&path("/none/x"), FinalLink::NoFollow).is_err());
    assert_eq!(jail.stat(&path("/"), FinalLink::NoFollow).unwrap().kind, FileKind::Dir);
    assert!(jail.check_dir(&path("/in/file")).is_err());
}

#[test]
fn links_that_stay_inside_are_followed() {
    let (dir, jail) = jail();
    let root = dir.path().join("root");
    symlink("file", root.join("in/relative")).unwrap();
    symlink("../in/./file", root.join("in/winding")).unwrap();
    symlink(root.join("in/file"), root.join("absolute")).unwrap();
    symlink("in", root.join("dir")).unwrap();
    symlink("../..", root.join("in/deep/up")).unwrap();
    for name in ["in/relative", "in/winding", "absolute", "dir/file", "in/deep/up/in/file"] {
        assert_eq!(read(&jail, name).as_deref(), Some("inside"), "{name}");
    }
    assert_eq!(jail.stat(&path("dir"), FinalLink::NoFollow).unwrap().kind, FileKind::Link);
    assert_eq!(jail.stat(&path("dir"), FinalLink::Follow).unwrap().kind, FileKind::Dir);
    assert_eq!(jail.stat(&path("in/deep/up"), FinalLink::Follow).unwrap().kind, FileKind::Dir);
}

#[test]
fn links_that_leave_are_missing_files() {
    let (dir, jail) = jail();
    let root = dir.path().join("root");
    symlink("../outside", root.join("up")).unwrap();
    symlink("../../outside/secret", root.join("in/up")).unwrap();
    symlink("../../root/in/file", root.join("in/out-and-back")).unwrap();
    symlink(dir.path().join("outside"), root.join("absolute")).unwrap();
    symlink(dir.path().join("root/../outside"), root.join("sly")).unwrap();
    symlink("/proc/self/root/etc/passwd", root.join("proc")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    for name in
        ["up/secret", "in/up", "in/out-and-back", "absolute/secret", "sly/secret", "proc", "loop"]
    {
        assert_eq!(read(&jail, name), None, "{name}");
        let error = jail.stat(&path(name), FinalLink::Follow).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
    }
}

#[test]
fn only_plain_files_are_opened() {
    let (dir, jail) = jail();
    let fifo = dir.path().join("root/fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(matches!(jail.open_file(&path("fifo")), Err(Refusal::NotPlainFile)));
    assert!(jail.open_file(&path("in")).is_err());
}

#[test]
fn partial_uploads_have_no_name_for_clients() {
    let (dir, jail) = jail();
    let hidden = ".ftp-partial-0123";
    fs::write(dir.path().join("root").join(hidden), "half").unwrap();
    assert_eq!(read(&jail, hidden), None);
    assert_eq!(read(&jail, &hidden.to_uppercase()), None);
    symlink(hidden, dir.path().join("root/in/link")).unwrap();
    symlink(format!("../{hidden}"), dir.path().join("root/in/link2")).unwrap();
    assert_eq!(read(&jail, "in/link2"), None);
    let mut listing = jail.read_dir(&FtpPath::root()).unwrap();
    assert_eq!(listing.next_name().unwrap().as_deref(), Some(OsStr::new("in")));
    assert_eq!(listing.next_name().unwrap(), None);
}

#[test]
fn targets_of_links_reveal_nothing_outside() {
    let (dir, jail) = jail();
    let root = dir.path().join("root");
    symlink(root.join("in/file"), root.join("absolute")).unwrap();
    symlink(dir.path().join("outside"), root.join("outside")).unwrap();
    symlink("../outside/secret", root.join("up")).unwrap();
    symlink("in/../in/file", root.join("winding")).unwrap();
    let listing = jail.read_dir(&FtpPath::root()).unwrap();
    assert_eq!(listing.stat(b"absolute").unwrap().1, b"/in/file");
    assert_eq!(listing.stat(b"outside").unwrap().1, b"");
    assert_eq!(listing.stat(b"up").unwrap().1, b"");
    assert_eq!(listing.stat(b"winding").unwrap().1, b"in/../in/file");
}

#[test]
fn a_directory_that_is_swapped_for_a_link_never_leads_out() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (dir, jail) = jail();
    let root = dir.path().join("root");
    fs::create_dir(root.join("real")).unwrap();
    symlink(dir.path().join("outside"), root.join("link")).unwrap();
    fs::create_dir(root.join("flip")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::rename(root.join("flip"), root.join("real2"));
                let _ = fs::rename(root.join("link"), root.join("flip"));
                let _ = fs::rename(root.join("flip"), root.join("link"));
                let _ = fs::rename(root.join("real2"), root.join("flip"));
            }
        });
        for _ in 0..20_000 {
            assert_eq!(read(&jail, "flip/secret"), None);
        }
        done.store(true, Ordering::Relaxed);
    });
}
