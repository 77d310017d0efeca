//! curl: each command for data connections, resumed downloads and uploads, and many options.

use crate::support::content::{LARGE, NAMES, SIZES, TEXT, assert_holds, assert_same, noise, os};
use crate::support::fixture::{Site, run, run_to_fail, start};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// Returns a curl command without a progress bar and without expansion of `[` and `{` in URLs.
fn curl(site: &Site, args: &[&str]) -> Command {
    let mut command = site.client("curl");
    command.args(["-sSg"]).args(args);
    command
}

fn upload(site: &Site, args: &[&str], name: &[u8]) {
    let mut command = curl(site, args);
    // A full path, because curl reads its standard input if the name is "-".
    command.arg("-T").arg(site.here(name)).arg(site.url(name));
    run(&mut command);
}

fn download(site: &Site, args: &[&str], name: &[u8]) -> Vec<u8> {
    run(curl(site, args).arg(site.url(name))).stdout
}

/// Uploads and downloads a file of every size; `verb` is the command for data connections.
fn every_size_round_trips(site: &Site, args: &[&str], verb: &str) {
    for size in SIZES {
        let content = noise(size);
        site.put_here("file", &content);
        upload(site, args, b"file");
        assert_holds(site.there("file"), &content);
        assert_same("the download", &download(site, args, b"file"), &content);
    }
    assert_eq!(site.count(verb), 2 * SIZES.len(), "every transfer was set up by {verb}");
}

#[test]
#[ignore = "needs curl"]
fn every_size_round_trips_with_epsv() {
    every_size_round_trips(&Site::start(), &[], "EPSV");
}

#[test]
#[ignore = "needs curl"]
fn every_size_round_trips_with_pasv() {
    every_size_round_trips(&Site::start(), &["--disable-epsv"], "PASV");
}

#[test]
#[ignore = "needs curl"]
fn every_size_round_trips_with_eprt() {
    every_size_round_trips(&Site::start(), &["-P", "-"], "EPRT");
}

#[test]
#[ignore = "needs curl"]
fn every_size_round_trips_with_port() {
    every_size_round_trips(&Site::start(), &["-P", "-", "--disable-eprt"], "PORT");
}

#[test]
#[ignore = "needs curl and IPv6"]
fn every_size_round_trips_with_epsv_over_ipv6() {
    every_size_round_trips(&Site::start_on("::1"), &[], "EPSV");
}

#[test]
#[ignore = "needs curl and IPv6"]
fn every_size_round_trips_with_eprt_over_ipv6() {
    every_size_round_trips(&Site::start_on("::1"), &["-P", "-"], "EPRT");
}

#[test]
#[ignore = "needs curl"]
fn every_name_round_trips() {
    let site = Site::start();
    for name in NAMES {
        let content = noise(name.len() * 1000);
        site.put_here(name, &content);
        upload(&site, &[], name);
        assert_holds(site.there(name), &content);
        assert_same("the download", &download(&site, &[], name), &content);
    }
}

#[test]
#[ignore = "needs curl"]
fn an_upload_replaces_a_longer_file() {
    let site = Site::start();
    site.put_there("file", &noise(100_000));
    site.put_here("file", b"short");
    upload(&site, &[], b"file");
    assert_holds(site.there("file"), b"short");
}

#[test]
#[ignore = "needs curl"]
fn append_adds_to_a_file() {
    let site = Site::start();
    site.put_there("file", b"head ");
    site.put_here("file", b"tail");
    upload(&site, &["-a"], b"file");
    assert_holds(site.there("file"), b"head tail");
    site.assert_sent("APPE");
}

#[test]
#[ignore = "needs curl"]
fn append_makes_a_file() {
    let site = Site::start();
    site.put_here("file", b"all");
    upload(&site, &["-a"], b"file");
    assert_holds(site.there("file"), b"all");
}

#[test]
#[ignore = "needs curl"]
fn a_download_is_resumed() {
    let site = Site::start();
    let content = noise(LARGE);
    site.put_there("file", &content);
    site.put_here("file", &content[..LARGE / 3]);
    run(curl(&site, &["-C", "-", "-O"]).arg(site.url("file")));
    assert_holds(site.here("file"), &content);
    site.assert_sent("REST");
}

#[test]
#[ignore = "needs curl"]
fn an_upload_is_resumed_where_the_file_ends() {
    let site = Site::start();
    let content = noise(LARGE);
    site.put_there("file", &content[..LARGE / 3]);
    site.put_here("file", &content);
    upload(&site, &["-C", "-"], b"file");
    assert_holds(site.there("file"), &content);
}

#[test]
#[ignore = "needs curl"]
fn an_upload_of_a_new_file_is_resumed_after_curl_was_killed() {
    let site = Site::start();
    let content = noise(LARGE);
    site.put_here("file", &content);
    let slowly = start(curl(&site, &["--limit-rate", "2M", "-T", "file"]).arg(site.url("file")));
    site.wait_for_partial(1024 * 1024);
    site.cut_off(slowly);
    assert!(!site.there("file").exists(), "what is not whole has no name");
    upload(&site, &["-C", "-"], b"file");
    assert_holds(site.there("file"), &content);
}

#[test]
#[ignore = "needs curl"]
fn an_interrupted_upload_leaves_the_old_file() {
    let site = Site::start();
    site.put_there("file", b"old");
    site.put_here("file", &noise(LARGE));
    let slowly = start(curl(&site, &["--limit-rate", "2M", "-T", "file"]).arg(site.url("file")));
    site.wait_for_partial(1024 * 1024);
    site.cut_off(slowly);
    assert_holds(site.there("file"), b"old");
    site.put_here("file", b"new");
    upload(&site, &[], b"file");
    assert_holds(site.there("file"), b"new");
}

#[test]
#[ignore = "needs curl"]
fn a_curl_that_is_killed_leaves_the_old_file_complete() {
    // By chance, the server may see the end of the data before the end of the control connection, so
    // several rounds are needed.
    for round in 0..5 {
        let site = Site::start();
        site.put_there("file", b"old");
        site.put_here("file", &noise(LARGE));
        let slowly =
            start(curl(&site, &["--limit-rate", "2M", "-T", "file"]).arg(site.url("file")));
        site.wait_for_partial(1024 * 1024);
        site.cut_off(slowly);
        let found = fs::read(site.there("file")).expect("the file");
        assert_eq!(found.len(), 3, "bytes under the name, in round {round}");
    }
}

#[test]
#[ignore = "needs curl"]
fn a_range_is_fetched() {
    let site = Site::start();
    let content = noise(LARGE);
    site.put_there("file", &content);
    let middle = download(&site, &["-r", "1000000-1999999"], b"file");
    assert_same("the range", &middle, &content[1_000_000..2_000_000]);
    let end = download(&site, &["-r", "-100"], b"file");
    assert_same("the end", &end, &content[LARGE - 100..]);
}

#[test]
#[ignore = "needs curl"]
fn names_are_listed() {
    let site = Site::start();
    let mut expected: Vec<&[u8]> = NAMES.to_vec();
    expected.push(b"directory");
    expected.sort_unstable();
    NAMES.iter().for_each(|name| site.put_there(name, b"x"));
    fs::create_dir(site.there("directory")).expect("a directory");
    let listing = download(&site, &["-l"], b"");
    let expected: Vec<u8> = expected.iter().flat_map(|name| [name, &b"\n"[..]].concat()).collect();
    assert_same("the listing", &listing, &expected);
}

#[test]
#[ignore = "needs curl"]
fn a_listing_shows_kind_size_and_name() {
    let site = Site::start();
    site.put_there("directory/two  words", &noise(12345));
    let text = String::from_utf8(download(&site, &[], b"")).expect("UTF-8");
    assert!(text.starts_with('d') && text.ends_with(" directory\n"), "{text}");
    let text = String::from_utf8(download(&site, &[], b"directory/")).expect("UTF-8");
    assert!(text.starts_with('-') && text.ends_with(" two  words\n"), "{text}");
    assert_eq!(text.split_whitespace().nth(4), Some("12345"), "{text}");
}

#[test]
#[ignore = "needs curl"]
fn an_empty_directory_lists_as_nothing() {
    let site = Site::start();
    assert_same("the listing", &download(&site, &[], b""), b"");
    assert_same("the names", &download(&site, &["-l"], b""), b"");
}

#[test]
#[ignore = "needs curl"]
fn facts_are_listed() {
    let site = Site::start();
    site.put_there("file", &noise(777));
    let text = String::from_utf8(download(&site, &["-X", "MLSD"], b"")).expect("UTF-8");
    let line = text.lines().find(|line| line.ends_with(" file")).expect("a line for the file");
    let line = line.to_ascii_lowercase();
    assert!(line.contains("type=file;") && line.contains("size=777;"), "{line}");
}

#[test]
#[ignore = "needs curl"]
fn missing_directories_are_made() {
    let site = Site::start();
    site.put_here("file", b"deep");
    let url = site.url("one/two words/three/file");
    run(curl(&site, &["--ftp-create-dirs", "-T", "file"]).arg(&url));
    assert_holds(site.there("one/two words/three/file"), b"deep");
    run(curl(&site, &["--ftp-create-dirs", "-T", "file"]).arg(&url));
}

#[test]
#[ignore = "needs curl"]
fn commands_run_before_and_after_a_transfer() {
    let site = Site::start();
    site.put_here("file", b"content");
    let before = ["-Q", "MKD made", "-Q", "*DELE missing"];
    let after = ["-Q", "-RNFR file", "-Q", "-RNTO made/renamed file"];
    upload(&site, &[before, after].concat(), b"file");
    assert_holds(site.there("made/renamed file"), b"content");
    assert!(!site.there("file").exists());
}

#[test]
#[ignore = "needs curl"]
fn a_command_that_fails_stops_curl() {
    let site = Site::start();
    run_to_fail(curl(&site, &["-Q", "DELE missing"]).arg(site.url("")), 21);
}

#[test]
#[ignore = "needs curl"]
fn text_keeps_its_lines() {
    let site = Site::start();
    site.put_here("text", TEXT);
    upload(&site, &["-B"], b"text");
    assert_holds(site.there("text"), TEXT);
    assert_same("the text", &download(&site, &["-B"], b"text"), TEXT);
    assert!(site.commands().contains(&"TYPE A".into()));
}

#[test]
#[ignore = "needs curl"]
fn every_way_to_reach_a_deep_file_works() {
    let site = Site::start();
    let path = "one/two words/three \u{fc}/file";
    for method in ["multicwd", "nocwd", "singlecwd"] {
        let content = method.as_bytes();
        site.put_here("file", content);
        let args = ["--ftp-method", method, "--ftp-create-dirs"];
        run(curl(&site, &args).args(["-T", "file"]).arg(site.url(path)));
        assert_holds(site.there(path), content);
        assert_same(method, &download(&site, &args, path.as_bytes()), content);
        let listing = download(&site, &["--ftp-method", method, "-l"], b"one/two words/");
        assert!(listing.ends_with("three \u{fc}\n".as_bytes()), "{}", listing.escape_ascii());
    }
}

#[test]
#[ignore = "needs curl"]
fn a_path_from_the_root_is_found() {
    let site = Site::start();
    site.put_there("one/file", b"here");
    assert_same("the file", &download(&site, &[], b"/one/file"), b"here");
}

#[test]
#[ignore = "needs curl"]
fn size_and_time_are_reported() {
    let site = Site::start();
    site.put_there("file", &noise(4321));
    touch(&site.there("file"), 1_000_000_000);
    let text = String::from_utf8(download(&site, &["-I"], b"file")).expect("UTF-8");
    assert!(text.contains("Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n"), "{text}");
    assert!(text.contains("Content-Length: 4321\r\n"), "{text}");
    assert!(text.contains("Accept-ranges: bytes\r\n"), "{text}");
}

#[test]
#[ignore = "needs curl"]
fn a_download_keeps_its_time() {
    let site = Site::start();
    site.put_there("file", b"old");
    touch(&site.there("file"), 1_234_567_890);
    run(curl(&site, &["-R", "-O"]).arg(site.url("file")));
    assert_eq!(fs::metadata(site.here("file")).expect("the file").mtime(), 1_234_567_890);
}

#[test]
#[ignore = "needs curl"]
fn a_file_that_is_not_newer_is_not_fetched() {
    let site = Site::start();
    site.put_there("file", b"content");
    touch(&site.there("file"), 1_000_000_000);
    let since = |date: &str| download(&site, &["-z", date], b"file");
    assert_same("since 2010", &since("1 Jan 2010"), b"");
    assert_same("since 2000", &since("1 Jan 2000"), b"content");
}

#[test]
#[ignore = "needs curl"]
fn one_connection_carries_many_transfers() {
    let site = Site::start();
    let names: Vec<String> = (0..200).map(|number| format!("dir{}/{number}", number % 3)).collect();
    names.iter().for_each(|name| site.put_there(name, name.as_bytes()));
    let urls: Vec<String> = names.iter().map(|name| site.url(name)).collect();
    assert_same("all of them", &run(curl(&site, &[]).args(urls)).stdout, names.concat().as_bytes());
    assert_eq!(site.count("USER"), 1);
}

#[test]
#[ignore = "needs curl"]
fn a_missing_file_has_its_own_exit_status() {
    let site = Site::start();
    const NO_SUCH_DIRECTORY: i32 = 9;
    const NO_SUCH_FILE: i32 = 78;
    run_to_fail(curl(&site, &[]).arg(site.url("missing/file")), NO_SUCH_DIRECTORY);
    run_to_fail(curl(&site, &[]).arg(site.url("missing")), NO_SUCH_FILE);
    run_to_fail(curl(&site, &["-I"]).arg(site.url("missing")), NO_SUCH_FILE);
}

#[test]
#[ignore = "needs curl"]
fn a_wrong_login_is_refused() {
    const LOGIN_DENIED: i32 = 67;
    let site = Site::start();
    run_to_fail(curl(&site, &["-u", "stranger:secret"]).arg(site.url("")), LOGIN_DENIED);
}

#[test]
#[ignore = "needs curl"]
fn encryption_is_refused_and_not_missed() {
    const NO_TLS: i32 = 64;
    let site = Site::start();
    site.put_there("file", b"plain");
    run_to_fail(curl(&site, &["--ssl-reqd"]).arg(site.url("file")), NO_TLS);
    assert_same("the file", &download(&site, &["--ssl"], b"file"), b"plain");
}

#[test]
#[ignore = "needs curl"]
fn eight_curls_at_once_get_what_they_sent() {
    let site = Site::start();
    let names: Vec<String> = (0..8).map(|number| format!("file{number}")).collect();
    let content = |number: usize| noise(1024 * 1024 + number);
    names.iter().enumerate().for_each(|(number, name)| site.put_here(name, &content(number)));
    let files = names.join(",");
    let url = site.url("");
    let parallel = ["--parallel", "--parallel-immediate"];
    run(site.client("curl").arg("-sS").args(parallel).args(["-T", &format!("{{{files}}}"), &url]));
    fs::create_dir(site.here("back")).expect("a directory");
    let fetch = ["--output-dir", "back", "--remote-name-all"];
    let urls = format!("{url}{{{files}}}");
    run(site.client("curl").arg("-sS").args(parallel).args(fetch).arg(urls));
    for (number, name) in names.iter().enumerate() {
        assert_holds(site.there(name), &content(number));
        assert_holds(site.here("back").join(os(name.as_bytes())), &content(number));
    }
}

fn touch(path: &std::path::Path, seconds: u64) {
    let file = File::options().write(true).open(path).expect("the file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("its time can be set");
}
