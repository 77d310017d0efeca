//! Tests of uploads to new names. They are skipped on file systems without unnamed files.

use super::*;
use crate::sys::Dir;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// A directory with unnamed files, and its jail.
fn jail() -> Option<(TempDir, Jail)> {
    let dir = tempfile::tempdir().unwrap();
    Dir::open_path(dir.path()).unwrap().create_unnamed().ok()?;
    let jail = Jail::new(dir.path()).unwrap();
    Some((dir, jail))
}

fn begin(jail: &Jail, only_new: bool) -> Upload {
    let path = FtpPath::root().join(&Name::of_file(b"name".to_vec()).unwrap()).unwrap();
    Upload::begin(jail, &path, UploadMode::Replace, only_new).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_small_new_file_appears_when_it_is_complete() {
    let Some((dir, jail)) = jail() else { return };
    let mut upload = begin(&jail, false);
    upload.write_all(b"content").unwrap();
    assert!(names(dir.path()).is_empty());
    upload.commit(false).unwrap();
    assert_eq!(names(dir.path()), ["name"]);
    assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"content");
}

#[test]
fn a_new_file_becomes_a_partial_when_it_pauses_is_large_or_is_interrupted() {
    let Some((dir, jail)) = jail() else { return };
    let steps: [fn(&mut Upload); 3] = [
        |upload| upload.flush().unwrap(),
        |upload| upload.write_all(&[0; NAMED_FROM as usize]).unwrap(),
        |_| {},
    ];
    for step in steps {
        let mut upload = begin(&jail, false);
        upload.write_all(b"half").unwrap();
        step(&mut upload);
        drop(upload);
        let [partial] = &names(dir.path())[..] else { panic!("{:?}", names(dir.path())) };
        assert!(fs::read(dir.path().join(partial)).unwrap().starts_with(b"half"));
        fs::remove_file(dir.path().join(partial)).unwrap();
    }
    drop(begin(&jail, false));
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_file_created_during_the_upload_is_replaced() {
    let Some((dir, jail)) = jail() else { return };
    let name = dir.path().join("name");
    let mut upload = begin(&jail, false);
    upload.write_all(b"new").unwrap();
    fs::write(&name, "old").unwrap();
    fs::set_permissions(&name, fs::Permissions::from_mode(0o640)).unwrap();
    upload.commit(false).unwrap();
    assert_eq!(fs::read(&name).unwrap(), b"new");
    assert_eq!(fs::metadata(&name).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(names(dir.path()), ["name"]);
}

#[test]
fn a_file_created_during_the_upload_is_kept_if_it_may_not_be_replaced() {
    let Some((dir, jail)) = jail() else { return };
    let name = dir.path().join("name");
    let mut upload = begin(&jail, true);
    upload.write_all(b"new").unwrap();
    fs::write(&name, "old").unwrap();
    assert!(matches!(upload.commit(false), Err(Refusal::NameTaken)));
    drop(upload);
    assert_eq!(fs::read(&name).unwrap(), b"old");
    fs::remove_file(&name).unwrap();
    let mut upload = begin(&jail, false);
    upload.write_all(b"new").unwrap();
    fs::create_dir(&name).unwrap();
    assert!(upload.commit(false).is_err());
    drop(upload);
    assert_eq!(names(dir.path()), ["name"]);
}

#[test]
fn the_last_of_two_uploads_to_a_new_name_wins() {
    let Some((dir, jail)) = jail() else { return };
    let (mut first, mut second) = (begin(&jail, false), begin(&jail, false));
    first.write_all(b"first").unwrap();
    second.write_all(b"second").unwrap();
    second.flush().unwrap();
    first.commit(false).unwrap();
    assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"first");
    second.commit(false).unwrap();
    assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"second");
    assert_eq!(names(dir.path()), ["name"]);
}
