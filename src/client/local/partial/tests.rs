//! Tests of partial files: what is continued, what is removed, and what is never touched.

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

    fn open(&self, of: PartOf) -> Partial {
        let name = b"a".to_vec();
        let continuation = Continuation { name, command: "REGET a".to_owned() };
        Partial::open(&PartialFiles::default(), &self.path("a"), of, continuation).unwrap()
    }

    /// Leaves a part of so many bytes.
    fn leave(&self, of: PartOf, count: usize) -> String {
        let mut partial = self.open(of);
        partial.write_all(&vec![b'x'; count]).unwrap();
        partial.name.to_str().unwrap().to_owned()
    }

    fn came(&self, of: PartOf) -> u64 {
        self.open(of).came().unwrap()
    }
}

fn modified_at(time: u64) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_secs(time))
}

fn version(time: u64) -> PartOf {
    PartOf::new(b"h:21\nme\na".to_vec(), Some(1 << 20), modified_at(time))
}

#[test]
fn what_is_dropped_stays_if_it_is_large_enough_and_leaves_the_old_file() {
    for (count, stays) in [(LARGE, true), (1000, false), (0, false)] {
        let scene = Scene::new();
        fs::write(scene.path("a"), "old").unwrap();
        let name = scene.leave(version(1), count);
        assert_eq!(fs::read(scene.path("a")).unwrap(), b"old");
        assert_eq!(scene.path(&name).exists(), stays, "{count}");
        assert_eq!(scene.came(version(1)), if stays { count as u64 } else { 0 });
    }
}

#[test]
fn what_is_committed_replaces_the_old_file_and_is_all_that_is_left() {
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
fn parts_of_other_versions_and_of_text_are_removed() {
    let scene = Scene::new();
    let name = scene.leave(version(1), LARGE);
    assert_eq!(scene.came(version(2)), 0);
    assert!(scene.names().is_empty(), "{name} was left");
    scene.leave(version(1).in_text(), LARGE);
    assert!(scene.names().is_empty());
    scene.leave(version(1), LARGE);
    let mut partial = scene.open(version(1));
    partial.become_part_of(Some(1 << 20), modified_at(2)).unwrap();
    assert_eq!((partial.came().unwrap(), scene.names().len()), (0, 1));
    // What is not told, or was not, is no other version.
    scene.leave(version(1), LARGE);
    let mut partial = scene.open(version(1));
    for (size, modified) in [(None, None), (Some(1 << 20), None), (None, modified_at(1))] {
        partial.become_part_of(size, modified).unwrap();
        assert_eq!(partial.came().unwrap(), LARGE as u64);
    }
}

#[test]
fn parts_for_other_targets_are_left_alone() {
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
fn two_clients_at_once_have_a_part_each() {
    let scene = Scene::new();
    scene.leave(version(1), LARGE);
    let mut first = scene.open(version(1));
    let mut second = scene.open(version(1));
    assert_eq!((first.came().unwrap(), second.came().unwrap()), (LARGE as u64, 0));
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
fn a_part_of_a_client_that_has_ended_meanwhile_goes_when_the_file_is_whole() {
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
fn nothing_is_written_through_a_name_that_another_user_could_have_made() {
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
        assert_eq!(partial.came().unwrap(), 0);
        partial.write_all(b"new").unwrap();
        partial.commit(None).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), [b'v'; LARGE]);
        assert_eq!(fs::read(scene.path("a")).unwrap(), b"new");
        assert_eq!(scene.names().len(), 2);
    }
    // A directory stays, and another name is used.
    fs::create_dir(&name).unwrap();
    assert_eq!(scene.came(version(1)), 0);
    assert!(name.is_dir());
}

#[test]
fn a_link_is_replaced_and_permissions_of_a_file_are_kept() {
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
        assert_eq!(partial.came().unwrap(), LARGE as u64);
        partial.commit(None).unwrap();
        assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_signal_keeps_what_is_large_enough_and_says_what_continues_it() {
    for (count, text) in
        [(LARGE, Some("a: 97.7 KiB of 1.0 MiB kept; REGET a continues")), (9, None)]
    {
        let scene = Scene::new();
        let mut partial = scene.open(version(1));
        partial.write_all(&vec![b'x'; count]).unwrap();
        assert_eq!(partial.kept().as_deref(), text);
        let held = Held {
            file: partial.file.try_clone().unwrap(),
            dir: Arc::clone(&partial.dir),
            name: partial.name.clone(),
        };
        let tidy = Partial::tidying(&held, &partial.of, partial.continuation.clone());
        assert_eq!(tidy().as_deref(), text);
        assert_eq!(scene.names().len(), usize::from(text.is_some()));
    }
}

#[test]
fn what_is_under_the_name_is_copied_only_once_it_is_known_to_be_the_beginning() {
    let scene = Scene::new();
    fs::write(scene.path("a"), "begin").unwrap();
    let mut partial = scene.open(version(1));
    assert!(partial.begin_with_target().unwrap());
    assert_eq!((partial.length().unwrap(), partial.came().unwrap()), (5, 0));
    assert_eq!(partial.tail(3).unwrap(), b"gin");
    partial.write_all(b"ning").unwrap();
    assert_eq!(partial.tail(9).unwrap(), b"beginning");
    assert!(!partial.begin_with_target().unwrap());
    partial.restart().unwrap();
    assert!(partial.begin_with_target().unwrap());
    partial.commit(None).unwrap();
    assert_eq!(fs::read(scene.path("a")).unwrap(), b"begin");
}

#[test]
fn ranges_are_found_again_until_the_file_is_whole() {
    let scene = Scene::new();
    let piece = |start, at, end| Piece { start, at, end, synced: start };
    let pieces = [piece(0, LARGE as u64, 500_000), piece(500_000, 500_000, 1 << 20)];
    let partial = scene.open(version(1));
    partial.begin_pieces(&pieces).unwrap();
    partial.write_at(&[b'x'; LARGE], 0).unwrap();
    drop(partial);
    let partial = scene.open(version(1));
    assert_eq!(partial.came().unwrap(), LARGE as u64);
    assert_eq!(partial.pieces().unwrap().len(), 2);
    assert_eq!(partial.read_at(LARGE as u64 - 2, 3).unwrap(), b"xx\0");
    partial.end_pieces().unwrap();
    assert_eq!((partial.came().unwrap(), partial.pieces()), (1 << 20, None));
    drop(partial);
    assert_eq!(scene.came(version(1)), 1 << 20);
    // What is longer than the file and has no table is of no use.
    let name = scene.names().remove(0);
    let file = fs::OpenOptions::new().write(true).open(scene.path(&name)).unwrap();
    file.set_len((1 << 20) + 1).unwrap();
    drop(file);
    assert_eq!(scene.came(version(1)), 0);
}

#[test]
fn what_can_be_no_file_is_refused_and_leaves_nothing() {
    let scene = Scene::new();
    for bad in ["b/", "", "..", "missing/b"] {
        let continuation = Continuation { name: b"b".to_vec(), command: String::new() };
        let path = scene.dir.path().join(bad);
        let opened = Partial::open(&PartialFiles::default(), &path, version(1), continuation);
        assert!(opened.is_err(), "{bad}");
    }
    assert!(scene.names().is_empty() && !is_partial(b"a"));
}
