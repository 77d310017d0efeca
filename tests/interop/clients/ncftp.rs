//! ncftpget, ncftpput and ncftpls.
//!
//! `ncftpput -z` is not tested: 3.2.6 sends REST and then the file from its beginning, to any server.

use crate::support::content::{LARGE, NAMES, SIZES, assert_holds, noise, os};
use crate::support::fixture::{Site, names_in, run};
use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

fn ncftp(site: &Site, program: &str, options: &[&str]) -> Command {
    let mut command = site.client(program);
    // -V: no progress; -t: a time limit.
    command.args(["-V", "-t", "20", "-P", &site.port()]).args(options).arg(site.host());
    command
}

fn ncftpls(site: &Site, options: &[&str], path: &str) -> Vec<u8> {
    let mut command = site.client("ncftpls");
    run(command.args(["-t", "20"]).args(options).arg(site.url(path))).stdout
}

fn every_size_round_trips(site: &Site, mode: &str) {
    for size in SIZES {
        site.put_here("file", &noise(size));
        run(ncftp(site, "ncftpput", &[mode]).args(["/", "file"]));
        assert_holds(site.there("file"), &noise(size));
        fs::remove_file(site.here("file")).expect("it would be resumed otherwise");
        run(ncftp(site, "ncftpget", &[mode]).args([".", "/file"]));
        assert_holds(site.here("file"), &noise(size));
    }
}

#[test]
#[ignore = "needs ncftp"]
fn every_size_round_trips_in_passive_mode() {
    let site = Site::start();
    every_size_round_trips(&site, "-F");
    site.assert_sent("PASV");
}

#[test]
#[ignore = "needs ncftp"]
fn every_size_round_trips_in_active_mode() {
    let site = Site::start();
    every_size_round_trips(&site, "-E");
    site.assert_sent("PORT");
}

#[test]
#[ignore = "needs ncftp"]
fn a_tree_of_every_name_round_trips() {
    let site = Site::start();
    NAMES.iter().for_each(|name| site.put_here([b"tree/sub dir/", *name].concat(), name));
    run(ncftp(&site, "ncftpput", &["-R"]).args(["/", "tree"]));
    fs::create_dir(site.here("back")).expect("a directory");
    run(ncftp(&site, "ncftpget", &["-R"]).args(["back", "/tree"]));
    for name in NAMES {
        let name = [b"tree/sub dir/", name].concat();
        assert_holds(site.there(&name), &name[13..]);
        assert_holds(site.here("back").join(os(&name)), &name[13..]);
    }
}

#[test]
#[ignore = "needs ncftp"]
fn globs_choose_files() {
    let site = Site::start();
    ["a1", "a2", "b1"].iter().for_each(|name| site.put_there(name, name.as_bytes()));
    run(ncftp(&site, "ncftpget", &[]).args([".", "/a*"]));
    assert_eq!(names_in(&site.here("")), [b"a1", b"a2"]);
}

#[test]
#[ignore = "needs ncftp"]
fn a_download_is_resumed() {
    let site = Site::start();
    site.put_there("file", &noise(LARGE));
    site.put_here("file", &noise(LARGE)[..LARGE / 3]);
    run(ncftp(&site, "ncftpget", &["-z"]).args([".", "/file"]));
    assert_holds(site.here("file"), &noise(LARGE));
    site.assert_sent("REST");
}

#[test]
#[ignore = "needs ncftp"]
fn append_adds_to_a_file() {
    let site = Site::start();
    site.put_there("file", b"head ");
    site.put_here("file", b"tail");
    run(ncftp(&site, "ncftpput", &["-A"]).args(["/", "file"]));
    assert_holds(site.there("file"), b"head tail");
}

#[test]
#[ignore = "needs ncftp"]
fn missing_directories_are_made() {
    let site = Site::start();
    site.put_here("file", b"deep");
    run(ncftp(&site, "ncftpput", &["-m"]).args(["/one/two", "file"]));
    assert_holds(site.there("one/two/file"), b"deep");
}

#[test]
#[ignore = "needs ncftp"]
fn an_upload_under_another_name_is_renamed() {
    let site = Site::start();
    site.put_here("file", b"content");
    run(ncftp(&site, "ncftpput", &["-T", "tmp."]).args(["/", "file"]));
    assert_holds(site.there("file"), b"content");
    site.assert_sent("RNTO");
}

#[test]
#[ignore = "needs ncftp"]
fn files_are_deleted_after_their_transfer() {
    let site = Site::start();
    site.put_there("file", b"content");
    run(ncftp(&site, "ncftpget", &["-DD"]).args([".", "/file"]));
    assert_holds(site.here("file"), b"content");
    assert!(!site.there("file").exists());
}

#[test]
#[ignore = "needs ncftp"]
fn times_are_kept_in_both_directions() {
    const LONG_AGO: u64 = 1_000_000_000;
    let site = Site::start();
    site.put_here("file", b"content");
    let file = File::options().write(true).open(site.here("file")).expect("the file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(LONG_AGO)).expect("its time can be set");
    run(ncftp(&site, "ncftpput", &[]).args(["/", "file"]));
    let time = |path| fs::metadata(path).expect("the file").modified().expect("its time");
    assert_eq!(time(site.there("file")), time(site.here("file")));
    fs::create_dir(site.here("back")).expect("a directory");
    run(ncftp(&site, "ncftpget", &[]).args(["back", "/file"]));
    assert_eq!(time(site.here("back/file")), time(site.here("file")));
}

#[test]
#[ignore = "needs ncftp"]
fn names_are_listed() {
    let site = Site::start();
    site.put_there("two  words", b"12345");
    site.put_there("other", b"");
    let text = String::from_utf8(ncftpls(&site, &["-1"], "")).expect("UTF-8");
    assert_eq!(text, "other\ntwo  words\n");
    let text = String::from_utf8(ncftpls(&site, &["-l"], "")).expect("UTF-8");
    assert!(
        text.lines().any(|line| line.starts_with('-') && line.ends_with(" two  words")),
        "{text}"
    );
}
