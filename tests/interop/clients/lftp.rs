//! lftp: trees in both directions, segmented downloads, pipelined commands, and lost connections that
//! the user or lftp itself resumes.

use crate::support::content::{LARGE, NAMES, SIZES, TEXT, assert_holds, assert_same, noise, os};
use crate::support::fixture::{Site, kill, names_in, run, run_to_fail, start};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// A rate limit without a burst at the start, so that a transfer can be interrupted in the middle.
const SLOWLY: &str = "set net:limit-total-rate 2M:2M; set net:limit-total-max 64K";

/// Returns an lftp command with a script that stops at the first failure.
fn lftp(site: &Site, script: &str) -> Command {
    let settings = "set cmd:fail-exit yes; set net:max-retries 5; set net:timeout 20; \
                    set net:reconnect-interval-base 1; set net:reconnect-interval-multiplier 1";
    let url = site.url("");
    let mut command = site.client("lftp");
    command.args(["--norc", "-c", &format!("{settings}; open {url}; {script}")]);
    command
}

fn every_size_round_trips(site: &Site, setting: &str) {
    for size in SIZES {
        let content = noise(size);
        site.put_here("file", &content);
        run(&mut lftp(site, &format!("{setting}; put file; get file -o back; !rm file")));
        assert_holds(site.there("file"), &content);
        assert_holds(site.here("back"), &content);
        fs::remove_file(site.here("back")).expect("lftp does not replace it");
    }
}

#[test]
#[ignore = "needs lftp"]
fn every_size_round_trips_in_passive_mode() {
    every_size_round_trips(&Site::start(), "set ftp:passive-mode yes");
}

#[test]
#[ignore = "needs lftp"]
fn every_size_round_trips_in_active_mode() {
    let site = Site::start();
    every_size_round_trips(&site, "set ftp:passive-mode no");
    site.assert_sent("PORT");
}

#[test]
#[ignore = "needs lftp and IPv6"]
fn every_size_round_trips_over_ipv6() {
    let site = Site::start_on("::1");
    every_size_round_trips(&site, "set ftp:passive-mode yes");
    site.assert_sent("EPSV");
}

#[test]
#[ignore = "needs lftp"]
fn lines_round_trip() {
    let site = Site::start();
    site.put_here("text", TEXT);
    run(&mut lftp(&site, "put -a text; get -a text -o back"));
    assert_holds(site.there("text"), TEXT);
    assert_holds(site.here("back"), TEXT);
}

#[test]
#[ignore = "needs lftp"]
fn a_tree_of_every_name_round_trips() {
    let site = Site::start();
    plant(&site.here("tree"));
    run(&mut lftp(&site, "mirror -R tree up; mirror up back"));
    assert_same_tree(&site.there("up"), &site.here("tree"));
    assert_same_tree(&site.here("back"), &site.here("tree"));
}

#[test]
#[ignore = "needs lftp"]
fn a_tree_round_trips_over_parallel_connections() {
    let site = Site::start();
    for number in 0..100 {
        let name = format!("tree/{}/{number}", number % 7);
        site.put_here(name, &noise(number * 1000));
    }
    run(&mut lftp(&site, "mirror -R --parallel=4 tree up; mirror --parallel=4 up back"));
    assert_same_tree(&site.there("up"), &site.here("tree"));
    assert_same_tree(&site.here("back"), &site.here("tree"));
    assert!(site.count("USER") > 1, "it was parallel");
}

#[test]
#[ignore = "needs lftp"]
fn a_tree_round_trips_with_pipelined_commands() {
    let site = Site::start();
    plant(&site.here("tree"));
    let ahead = "set ftp:sync-mode off";
    run(&mut lftp(&site, &format!("{ahead}; mirror -R tree up; mirror up back")));
    assert_same_tree(&site.there("up"), &site.here("tree"));
    assert_same_tree(&site.here("back"), &site.here("tree"));
}

#[test]
#[ignore = "needs lftp"]
fn a_tree_is_fetched_with_list_only() {
    let site = Site::start();
    plant(&site.there("tree"));
    run(&mut lftp(&site, "set ftp:use-mlsd no; mirror tree back"));
    assert_same_tree(&site.here("back"), &site.there("tree"));
    site.assert_sent("LIST");
}

#[test]
#[ignore = "needs lftp"]
fn a_second_mirror_has_nothing_to_do() {
    let site = Site::start();
    plant(&site.here("tree"));
    run(&mut lftp(&site, "mirror -R tree up; mirror up back"));
    let moved = |site: &Site| site.count("STOR") + site.count("RETR");
    let before = moved(&site);
    run(&mut lftp(&site, "mirror -R tree up; mirror up back"));
    assert_eq!(moved(&site), before);
}

#[test]
#[ignore = "needs lftp"]
fn a_mirror_transfers_changes_and_deletions() {
    let site = Site::start();
    plant(&site.here("tree"));
    run(&mut lftp(&site, "mirror -R tree up; mirror up back"));
    site.put_here("tree/plain.bin", b"changed");
    fs::remove_dir_all(site.here("tree/sub")).expect("the directory goes");
    run(&mut lftp(&site, "mirror -R --delete tree up; mirror --delete up back"));
    assert_same_tree(&site.there("up"), &site.here("tree"));
    assert_same_tree(&site.here("back"), &site.here("tree"));
}

#[test]
#[ignore = "needs lftp"]
fn one_file_is_downloaded_over_parallel_connections() {
    let site = Site::start();
    let content = noise(50 * 1024 * 1024);
    site.put_there("file", &content);
    // A rate limit, so that no connection finishes before the others have begun.
    run(&mut lftp(&site, "set net:limit-rate 20M:20M; pget -n 4 file"));
    assert_holds(site.here("file"), &content);
    site.assert_sent("REST");
}

#[test]
#[ignore = "needs lftp"]
fn a_download_is_resumed() {
    let site = Site::start();
    let content = noise(LARGE);
    site.put_there("file", &content);
    site.put_here("file", &content[..LARGE / 3]);
    run(&mut lftp(&site, "get -c file"));
    assert_holds(site.here("file"), &content);
    site.assert_sent("REST");
}

#[test]
#[ignore = "needs lftp"]
fn an_upload_is_resumed_where_the_file_ends() {
    let site = Site::start();
    let content = noise(LARGE);
    site.put_there("file", &content[..LARGE / 3]);
    site.put_here("file", &content);
    run(&mut lftp(&site, "put -c file"));
    assert_holds(site.there("file"), &content);
    site.assert_sent("REST");
}

/// Kills lftp in the middle of an upload, and resumes it with a command. `old` is the content of the
/// file that the upload replaces, if there is one.
fn resumed_after_lftp_was_killed(old: Option<&[u8]>) {
    let site = Site::start();
    let content = noise(LARGE);
    site.put_here("file", &content);
    old.inspect(|old| site.put_there("file", old));
    let slowly = start(&mut lftp(&site, &format!("{SLOWLY}; put file")));
    site.wait_for_partial(1024 * 1024);
    site.cut_off(slowly);
    match old {
        Some(old) => assert_holds(site.there("file"), old),
        None => assert!(!site.there("file").exists(), "what is not whole has no name"),
    }
    run(&mut lftp(&site, "put -c file"));
    assert_holds(site.there("file"), &content);
    assert_eq!(names_in(&site.there("")), [b"file"], "nothing is left over");
}

#[test]
#[ignore = "needs lftp"]
fn a_new_file_is_complete_after_a_cut_and_put_c() {
    resumed_after_lftp_was_killed(None);
}

#[test]
#[ignore = "needs lftp"]
fn a_file_that_was_short_is_complete_after_a_cut_and_put_c() {
    resumed_after_lftp_was_killed(Some(&[b'o'; 1000]));
}

#[test]
#[ignore = "needs lftp"]
fn a_file_that_was_long_is_complete_after_a_cut_and_put_c() {
    resumed_after_lftp_was_killed(Some(&vec![b'o'; LARGE - 1]));
}

/// Kills the server in the middle of an upload over a file that holds `old`, and resumes by a command.
///
/// lftp does not resume by itself here: lftp 4.9.2 would send the data that it has already read again at
/// the resumed offset, to any server, so the file would be wrong.
fn resumed_after_the_server_was_killed(host: &str, old: Option<&[u8]>) {
    let mut site = Site::start_on(host);
    let content = noise(LARGE);
    site.put_here("file", &content);
    old.inspect(|old| site.put_there("file", old));
    let slowly = start(&mut lftp(&site, &format!("{SLOWLY}; put file")));
    site.wait_for_partial(1024 * 1024);
    site.kill();
    kill(slowly);
    site.restart();
    run(&mut lftp(&site, "put -c file"));
    assert_holds(site.there("file"), &content);
    assert_eq!(names_in(&site.there("")), [b"file"], "nothing is left over");
}

#[test]
#[ignore = "needs lftp"]
fn a_new_file_is_complete_after_the_server_was_killed() {
    resumed_after_the_server_was_killed("127.0.1.1", None);
}

#[test]
#[ignore = "needs lftp"]
fn a_file_that_was_short_is_complete_after_the_server_was_killed() {
    resumed_after_the_server_was_killed("127.0.1.2", Some(&[b'o'; 1000]));
}

#[test]
#[ignore = "needs lftp"]
fn a_file_that_was_long_is_complete_after_the_server_was_killed() {
    resumed_after_the_server_was_killed("127.0.1.3", Some(&vec![b'o'; LARGE - 1]));
}

#[test]
#[ignore = "needs lftp"]
fn a_download_is_complete_after_the_server_was_killed() {
    let mut site = Site::start_on("127.0.1.4");
    let content = noise(LARGE);
    site.put_there("file", &content);
    let mut slowly = start(&mut lftp(&site, &format!("{SLOWLY}; get file")));
    site.wait_here("file", 1024 * 1024);
    site.kill();
    site.restart();
    let status = slowly.wait().expect("lftp ends");
    assert!(status.success(), "{status}");
    assert_holds(site.here("file"), &content);
    assert!(site.count("USER") > 1, "lftp has connected again");
}

#[test]
#[ignore = "needs lftp"]
fn listings_show_every_name() {
    let site = Site::start();
    NAMES.iter().for_each(|name| site.put_there(name, b"x"));
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    let wanted: Vec<u8> = names.iter().flat_map(|name| [name, &b"\n"[..]].concat()).collect();
    assert_same("cls", &run(&mut lftp(&site, "cls -1 --sort=name")).stdout, &wanted);
    assert_same("nlist", &run(&mut lftp(&site, "nlist")).stdout, &wanted);
    let long = run(&mut lftp(&site, "ls")).stdout;
    for (line, name) in long.split(|&byte| byte == b'\n').zip(names) {
        assert!(line.ends_with(name), "{}", line.escape_ascii());
    }
}

#[test]
#[ignore = "needs lftp"]
fn globs_choose_files() {
    let site = Site::start();
    ["a1", "a2", "b1"].iter().for_each(|name| site.put_there(name, name.as_bytes()));
    ["c1", "c2", "d1"].iter().for_each(|name| site.put_here(name, name.as_bytes()));
    run(&mut lftp(&site, "mget a*; mput c*"));
    assert_eq!(names_in(&site.here("")), [&b"a1"[..], b"a2", b"c1", b"c2", b"d1"]);
    assert_eq!(names_in(&site.there("")), [&b"a1"[..], b"a2", b"b1", b"c1", b"c2"]);
}

#[test]
#[ignore = "needs lftp"]
fn directories_and_files_are_managed() {
    let site = Site::start();
    site.put_there("tree/a/b/file", b"content");
    site.put_there("file", b"content");
    run(&mut lftp(
        &site,
        "mkdir -p one/two/three; cd one; mkdir \"fo ur\"; rmdir \"fo ur\"; cd ..; rm -r tree; \
         mv file one/moved; chmod 600 one/moved",
    ));
    assert!(site.there("one/two/three").is_dir());
    assert!(!site.there("tree").exists() && !site.there("one/fo ur").exists());
    assert_holds(site.there("one/moved"), b"content");
    assert_eq!(mode(&site.there("one/moved")), 0o600);
}

#[test]
#[ignore = "needs lftp"]
fn a_file_is_shown() {
    let site = Site::start();
    site.put_there("file", &noise(100_000));
    assert_same("cat", &run(&mut lftp(&site, "cat file")).stdout, &noise(100_000));
}

#[test]
#[ignore = "needs lftp"]
fn a_missing_file_is_a_failure() {
    let site = Site::start();
    run_to_fail(&mut lftp(&site, "get missing"), 1);
    run_to_fail(&mut lftp(&site, "cd missing"), 1);
    run_to_fail(&mut lftp(&site, "rm missing"), 1);
}

/// Creates a tree with all names, an empty directory, a directory with a file, old times, and modes.
fn plant(tree: &Path) {
    let _ = fs::create_dir_all(tree.join("empty"));
    let _ = fs::create_dir_all(tree.join("sub/two words/\u{fc}"));
    let mut paths: Vec<_> = NAMES.iter().map(|name| tree.join(os(name))).collect();
    paths.push(tree.join("sub/two words/\u{fc}/deep"));
    for (number, path) in paths.iter().enumerate() {
        fs::write(path, noise(number * 1000)).expect("a file");
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000 + 1000 * number as u64);
        let mode = if number % 2 == 0 { 0o644 } else { 0o750 };
        File::open(path).and_then(|file| file.set_modified(time)).expect("an old time");
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    }
}

/// Checks that both trees have the same names, contents, times and modes.
fn assert_same_tree(found: &Path, wanted: &Path) {
    assert_eq!(show(&names_in(found)), show(&names_in(wanted)), "{}", found.display());
    for name in names_in(wanted) {
        let name = os(&name);
        let (found, wanted) = (found.join(name), wanted.join(name));
        if wanted.is_dir() {
            assert_same_tree(&found, &wanted);
            continue;
        }
        assert_holds(&found, &fs::read(&wanted).expect("a file"));
        let time = |path: &Path| fs::metadata(path).expect("a file").mtime();
        assert_eq!(time(&found), time(&wanted), "the time of {}", found.display());
        assert_eq!(mode(&found), mode(&wanted), "the mode of {}", found.display());
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").mode() & 0o777
}

fn show(names: &[Vec<u8>]) -> Vec<String> {
    names.iter().map(|name| name.escape_ascii().to_string()).collect()
}
