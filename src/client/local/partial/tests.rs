//! Tests of partial files: which are continued, removed, or left alone.

use super::super::partial_files::PartialFiles;
use super::super::partial_name::{is_partial, numbered, partial_name};
use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

const LARGE: usize = 100_000;

/// A directory with a target `a`.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Scene {
        Scene { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn open(&self, of: RemoteIdentity) -> Partial {
        let name = b"a".to_vec();
        let continuation = Continuation { name, command: "REGET a".to_owned() };
        Partial::open(&PartialFiles::default(), &self.path("a"), of, continuation).unwrap()
    }

    /// Leaves a partial file of `count` bytes.
    fn leave(&self, of: RemoteIdentity, count: usize) -> String {
        let mut partial = self.open(of);
        partial.write_all(&vec![b'x'; count]).unwrap();
        partial.name.to_str().unwrap().to_owned()
    }

    fn received(&self, of: RemoteIdentity) -> u64 {
        self.open(of).received().unwrap()
    }
}

fn modified_at(time: u64) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_secs(time))
}

fn version(time: u64) -> RemoteIdentity {
    RemoteIdentity::new(b"h:21\nme\na".to_vec(), Some(1 << 20), modified_at(time))
}

#[test]
fn a_dropped_partial_file_is_kept_if_large_enough_and_the_target_is_unchanged() {
    for (count, stays) in [(LARGE, true), (1000, false), (0, false)] {
        let scene = Scene::new();
        fs::write(scene.path("a"), "old").unwrap();
        let name = scene.leave(version(1), count);
        assert_eq!(fs::read(scene.path("a")).unwrap(), b"old");
        assert_eq!(scene.path(&name).exists(), stays, "{count}");
        assert_eq!(scene.received(version(1)), if stays { count as u64 } else { 0 });
    }
}

#[test]
fn a_committed_file_replaces_the_target_and_leaves_no_partial_file() {
    for old in [None, Some("old")] {
        let scene = Scene::new();
        if let Some(old) = old {
            fs::write(scene.path("a"), old).unwrap();
        }
        scene.leave(version(1), LARGE);
        let mut partial = scene.open(version(1));
        partial.write_all(b"new").unwrap();
        partial.commit(None).unwrap();
        assert_eq!(fs::read(scene.path("a")).unwrap().len(), LARGE + 3);
        assert_eq!(scene.names(), ["a"]);
    }
}

#[test]
fn partial_files_of_other_versions_and_of_text_are_removed() {
    let scene = Scene::new();
    let name = scene.leave(version(1), LARGE);
    assert_eq!(scene.received(version(2)), 0);
    assert!(scene.names().is_empty(), "{name} was left");
    scene.leave(version(1).for_ascii(), LARGE);
    assert!(scene.names().is_empty());
    scene.leave(version(1), LARGE);
    let mut partial = scene.open(version(1));
    partial.update_identity(Some(1 << 20), modified_at(2)).unwrap();
    assert_eq!((partial.received().unwrap(), scene.names().len()), (0, 1));
    // An unknown time is not another version.
    scene.leave(version(1), LARGE);
    let mut partial = scene.open(version(1));
    for (size, modified) in [(None, None), (Some(1 << 20), None), (None, modified_at(1))] {
        partial.update_identity(size, modified).unwrap();
        assert_eq!(partial.received().unwrap(), LARGE as u64);
    }
}

#[test]
fn partial_files_for_other_targets_are_left_alone() {
    let scene = Scene::new();
    let other = partial_name("b".as_ref(), &version(1));
    for name in [&other, ".a.part-0123456789abcdef", ".a.part-"] {
        fs::write(scene.path(name), "x").unwrap();
    }
    scene.leave(version(1), LARGE);
    scene.leave(version(2), LARGE);
    assert_eq!(scene.names().len(), 4);
}

#[test]
fn two_clients_at_once_have_separate_partial_files() {
    let scene = Scene::new();
    scene.leave(version(1), LARGE);
    let mut first = scene.open(version(1));
    let mut second = scene.open(version(1));
    assert_eq!((first.received().unwrap(), second.received().unwrap()), (LARGE as u64, 0));
    drop(scene.open(version(2)));
    first.write_all(b"first").unwrap();
    second.write_all(&[b'y'; LARGE]).unwrap();
    first.commit(None).unwrap();
    assert!(fs::read(scene.path("a")).unwrap().ends_with(b"xfirst"));
    drop(second);
    let name = partial_name("a".as_ref(), &version(1));
    assert!(scene.path(&numbered(&name, 1)).exists());
    drop(scene.open(version(1)));
    assert_eq!(scene.names(), ["a"]);
}

#[test]
fn a_commit_removes_the_partial_file_of_a_client_that_has_ended() {
    let scene = Scene::new();
    scene.leave(version(1), LARGE);
    let first = scene.open(version(1));
    let second = scene.open(version(1));
    drop(first);
    assert_eq!(scene.names().len(), 2);
    second.commit(None).unwrap();
    assert_eq!(scene.names(), ["a"]);
}

#[test]
fn a_partial_file_is_not_opened_through_a_link_or_a_file_of_another_user() {
    let scene = Scene::new();
    let victim = scene.path("victim");
    let name = scene.path(&partial_name("a".as_ref(), &version(1)));
    type Plant = fn(&Path, &Path) -> io::Result<()>;
    let plants: [Plant; 3] = [
        |victim, name| symlink(victim, name),
        |victim, name| fs::hard_link(victim, name),
        |_, name| symlink("nowhere", name),
    ];
    for plant in plants {
        fs::write(&victim, [b'v'; LARGE]).unwrap();
        plant(&victim, &name).unwrap();
        let mut partial = scene.open(version(1));
        assert_eq!(partial.received().unwrap(), 0);
        partial.write_all(b"new").unwrap();
        partial.commit(None).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), [b'v'; LARGE]);
        assert_eq!(fs::read(scene.path("a")).unwrap(), b"new");
        assert_eq!(scene.names().len(), 2);
    }
    // A directory is kept, and another name is used.
    fs::create_dir(&name).unwrap();
    assert_eq!(scene.received(version(1)), 0);
    assert!(name.is_dir());
}

#[test]
fn a_link_is_replaced_and_the_permissions_of_a_file_are_kept() {
    let scene = Scene::new();
    let [file, link] = ["file", "a"].map(|name| scene.path(name));
    fs::write(&file, "old").unwrap();
    symlink(&file, &link).unwrap();
    scene.open(version(1)).commit(None).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_file());
    assert_eq!(fs::read(&file).unwrap(), b"old");
    for mode in [0o600, 0o444] {
        fs::set_permissions(&link, fs::Permissions::from_mode(mode)).unwrap();
        let name = scene.leave(version(1), LARGE);
        assert_eq!(fs::metadata(scene.path(&name)).unwrap().permissions().mode() & 0o777, 0o600);
        let partial = scene.open(version(1));
        assert_eq!(partial.received().unwrap(), LARGE as u64);
        partial.commit(None).unwrap();
        assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_signal_keeps_a_large_partial_file_and_names_the_command_that_continues_it() {
    for (count, text) in
        [(LARGE, Some("a: 97.7 KiB of 1.0 MiB kept; use REGET a to continue")), (9, None)]
    {
        let scene = Scene::new();
        let mut partial = scene.open(version(1));
        partial.write_all(&vec![b'x'; count]).unwrap();
        assert_eq!(partial.kept().as_deref(), text);
        let locked = LockedPartial {
            file: partial.file.try_clone().unwrap(),
            dir: Arc::clone(&partial.dir),
            name: partial.name.clone(),
            is_new: true,
        };
        let tidy = Partial::cleanup(&locked, &partial.of, partial.continuation.clone());
        assert_eq!(tidy().as_deref(), text);
        assert_eq!(scene.names().len(), usize::from(text.is_some()));
    }
}

#[test]
fn the_target_is_copied_only_once_it_is_known_to_be_the_beginning_of_the_file() {
    let scene = Scene::new();
    fs::write(scene.path("a"), "begin").unwrap();
    let mut partial = scene.open(version(1));
    assert!(partial.continue_target().unwrap());
    assert_eq!((partial.length().unwrap(), partial.received().unwrap()), (5, 0));
    assert_eq!(partial.tail(3).unwrap(), b"gin");
    partial.write_all(b"ning").unwrap();
    assert_eq!(partial.tail(9).unwrap(), b"beginning");
    assert!(!partial.continue_target().unwrap());
    partial.restart().unwrap();
    assert!(partial.continue_target().unwrap());
    partial.commit(None).unwrap();
    assert_eq!(fs::read(scene.path("a")).unwrap(), b"begin");
}

#[test]
fn ranges_are_continued_until_the_file_is_complete() {
    let scene = Scene::new();
    let range = |start, at, end| FileRange { start, at, end, synced: start };
    let ranges = [range(0, LARGE as u64, 500_000), range(500_000, 500_000, 1 << 20)];
    let mut partial = scene.open(version(1));
    partial.begin_ranges(&ranges).unwrap();
    partial.write_at(&[b'x'; LARGE], 0).unwrap();
    drop(partial);
    let partial = scene.open(version(1));
    assert_eq!(partial.received().unwrap(), LARGE as u64);
    assert_eq!(partial.ranges().unwrap().len(), 2);
    assert_eq!(partial.read_at(LARGE as u64 - 2, 3).unwrap(), b"xx\0");
    partial.finish_ranges().unwrap();
    assert_eq!((partial.received().unwrap(), partial.ranges()), (1 << 20, None));
    drop(partial);
    assert_eq!(scene.received(version(1)), 1 << 20);
    // A file that is too long and has no table is not continued.
    let name = scene.names().remove(0);
    let file = fs::OpenOptions::new().write(true).open(scene.path(&name)).unwrap();
    file.set_len((1 << 20) + 1).unwrap();
    drop(file);
    assert_eq!(scene.received(version(1)), 0);
}

#[test]
fn a_target_that_cannot_be_a_file_is_refused_and_leaves_nothing() {
    let scene = Scene::new();
    for bad in ["b/", "", "..", "missing/b"] {
        let continuation = Continuation { name: b"b".to_vec(), command: String::new() };
        let path = scene.dir.path().join(bad);
        let opened = Partial::open(&PartialFiles::default(), &path, version(1), continuation);
        assert!(opened.is_err(), "{bad}");
    }
    assert!(scene.names().is_empty() && !is_partial(b"a"));
}
