//! wget: single files, trees, and files that have changed since the last run.

use crate::support::content::{LARGE, NAMES, SIZES, assert_holds, noise};
use crate::support::fixture::{Site, run, run_to_fail};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

fn wget(site: &Site, options: &[&str], path: &str) -> Command {
    let mut command = site.client("wget");
    command.args(["--no-config", "--no-verbose", "--tries=2", "--timeout=30"]);
    command.args(options).arg(site.url(path));
    command
}

fn every_size_is_downloaded(site: &Site, options: &[&str]) {
    for size in SIZES {
        site.put_there("file", &noise(size));
        let _ = fs::remove_file(site.here("file"));
        run(&mut wget(site, options, "file"));
        assert_holds(site.here("file"), &noise(size));
    }
}

#[test]
#[ignore = "needs wget"]
fn every_size_is_downloaded_in_passive_mode() {
    let site = Site::start();
    every_size_is_downloaded(&site, &[]);
    site.assert_sent("PASV");
}

#[test]
#[ignore = "needs wget"]
fn every_size_is_downloaded_in_active_mode() {
    let site = Site::start();
    every_size_is_downloaded(&site, &["--no-passive-ftp"]);
    site.assert_sent("PORT");
}

#[test]
#[ignore = "needs wget and IPv6"]
fn every_size_is_downloaded_over_ipv6() {
    let site = Site::start_on("::1");
    every_size_is_downloaded(&site, &[]);
    site.assert_sent("EPSV");
}

#[test]
#[ignore = "needs wget"]
fn a_tree_of_every_name_is_downloaded() {
    let site = Site::start();
    NAMES.iter().for_each(|name| site.put_there([b"tree/sub dir/", *name].concat(), name));
    // The names are kept unchanged, without the host name in front of them.
    run(&mut wget(&site, &["-r", "-nH", "--restrict-file-names=nocontrol"], "tree/"));
    for name in NAMES {
        assert_holds(site.here([b"tree/sub dir/", name].concat()), name);
    }
}

#[test]
#[ignore = "needs wget"]
fn only_changed_files_are_downloaded_again() {
    let site = Site::start();
    for name in ["tree/old", "tree/new"] {
        site.put_there(name, b"first");
        touch(&site, name, 1_000_000_000);
    }
    run(&mut wget(&site, &["-r", "-N", "-nH"], "tree/"));
    let time = fs::metadata(site.here("tree/old")).expect("the file").mtime();
    // For a file this old, the listing shows only the day.
    assert_eq!(time / 86_400, 1_000_000_000 / 86_400);
    assert_eq!(site.count("RETR"), 2);

    site.put_there("tree/new", b"other");
    touch(&site, "tree/new", 1_200_000_000);
    run(&mut wget(&site, &["-r", "-N", "-nH"], "tree/"));
    assert_holds(site.here("tree/new"), b"other");
    assert_holds(site.here("tree/old"), b"first");
    assert_eq!(site.count("RETR"), 3);
}

#[test]
#[ignore = "needs wget"]
fn a_time_is_kept_to_the_minute() {
    let site = Site::start();
    site.put_there("tree/file", b"content");
    let time = fs::metadata(site.there("tree/file")).expect("the file").mtime();
    run(&mut wget(&site, &["-r", "-N", "-nH"], "tree/"));
    assert_eq!(fs::metadata(site.here("tree/file")).expect("the file").mtime() / 60, time / 60);
}

#[test]
#[ignore = "needs wget"]
fn a_download_is_resumed() {
    let site = Site::start();
    site.put_there("file", &noise(LARGE));
    site.put_here("file", &noise(LARGE)[..LARGE / 3]);
    run(&mut wget(&site, &["-c"], "file"));
    assert_holds(site.here("file"), &noise(LARGE));
    site.assert_sent("REST");
}

#[test]
#[ignore = "needs wget"]
fn globs_choose_files() {
    let site = Site::start();
    ["a1", "a2", "b1"].iter().for_each(|name| site.put_there(name, name.as_bytes()));
    let url = format!("{}a*", site.url(""));
    run(site.client("wget").args(["--no-config", "--no-verbose", &url]));
    assert_holds(site.here("a1"), b"a1");
    assert_holds(site.here("a2"), b"a2");
    assert!(!site.here("b1").exists());
}

#[test]
#[ignore = "needs wget"]
fn links_inside_the_root_are_downloaded_as_links() {
    let site = Site::start();
    site.put_there("tree/file", b"content");
    std::os::unix::fs::symlink("file", site.there("tree/link")).expect("a link");
    run(&mut wget(&site, &["-r", "-nH", "--retr-symlinks=off"], "tree/"));
    assert_eq!(fs::read_link(site.here("tree/link")).expect("a link").as_os_str(), "file");
    run(&mut wget(&site, &["-r", "-nH", "-P", "files", "--retr-symlinks"], "tree/"));
    assert_holds(site.here("files/tree/link"), b"content");
}

#[test]
#[ignore = "needs wget"]
fn a_missing_file_is_a_failure() {
    const SERVER_ERROR: i32 = 8;
    run_to_fail(&mut wget(&Site::start(), &[], "missing"), SERVER_ERROR);
}

fn touch(site: &Site, name: &str, seconds: u64) {
    let file = File::options().write(true).open(site.there(name)).expect("the file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("its time can be set");
}
