//! Quotas and session limits of accounts; a quota is exact to the byte.

use crate::support::random::{Random, setting};
use crate::support::wire::{Peer, connect, drain};
use crate::support::{Server, accounts, eventually};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tempfile::TempDir;

/// A server with these accounts, such as `anna:write:/anna:1000`, and their homes.
struct Site {
    server: Server,
    dir: TempDir,
}

impl Site {
    fn new(accounts: &[&str]) -> Site {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("users");
        let config = dir.path().join("config");
        fs::write(&config, format!("users = {}\nanonymous = write\n", file.display())).unwrap();
        Site::write(&file, accounts);
        let root = TempDir::new().unwrap();
        for account in accounts {
            let home = account.split(':').nth(2).unwrap();
            fs::create_dir_all(root.path().join(home.trim_start_matches('/'))).unwrap();
        }
        let config = config.to_str().unwrap();
        let server = Server::launch(root, "127.0.0.1", &["--config", config]);
        Site { server, dir }
    }

    fn write(file: &Path, accounts: &[&str]) {
        fs::write(file, accounts::lines(accounts)).unwrap();
    }

    fn reload(&self, accounts: &[&str]) {
        let reloads = || self.server.log().matches(" reloaded ").count();
        let before = reloads();
        Site::write(&self.dir.path().join("users"), accounts);
        self.server.signal("HUP");
        eventually("a reload", || reloads() > before);
    }

    /// Returns the total size of all files below a directory.
    fn size(&self, dir: &str) -> u64 {
        size_below(&self.server.path(dir))
    }
}

fn size_below(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => size_below(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |data| data.len()),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}

/// Returns the number of bytes that the server reports as used.
fn used(peer: &mut Peer) -> u64 {
    let text = peer.say("SITE QUOTA").expect(200).text();
    text.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Tries to store data, and returns the code of the final reply.
fn try_to(peer: &mut Peer, command: &str, bytes: &[u8]) -> u16 {
    let data = peer.epsv();
    let mut data = connect(data);
    let opened = peer.say(command).hear().code;
    if opened != 150 {
        return opened;
    }
    // A refusal may close the connection before all data is sent.
    let _ = data.write_all(bytes);
    drop(data);
    peer.hear().code
}

#[test]
fn a_quota_is_exact_to_the_byte() {
    let site = Site::new(&["anna:write:/anna:1000"]);
    site.server.write("anna/old", [1; 300]);
    let mut anna = site.server.user("anna");
    assert_eq!(try_to(&mut anna, "STOR a", &[2; 700]), 226);
    assert_eq!(try_to(&mut anna, "STOR b", &[3; 1]), 552);
    assert_eq!(try_to(&mut anna, "STOR empty", b""), 226);
    assert_eq!(site.server.partials("anna"), 0);
    assert_eq!(anna.say("AVBL").expect(213).text(), "213 0");
    anna.say("ALLO 1").expect(552);
    anna.say("DELE old").expect(250);
    assert_eq!(anna.say("AVBL").expect(213).text(), "213 300");
    anna.say("ALLO 300").expect(200);
    let text = anna.say("SITE QUOTA").expect(200).text();
    assert!(text.ends_with("700 of 1000 bytes used, 300 bytes left."), "{text}");
    assert_eq!(try_to(&mut anna, "APPE a", &[4; 301]), 552);
    assert_eq!(try_to(&mut anna, "STOU", &[4; 300]), 226);
    assert_eq!(site.size("anna"), 1000);
}

#[test]
fn text_counts_with_its_stored_size() {
    let site = Site::new(&["anna:write:/anna:10"]);
    let mut anna = site.server.user("anna");
    anna.say("TYPE A").expect(200);
    assert_eq!(try_to(&mut anna, "STOR a", &b"\r\n".repeat(10)), 226);
    assert_eq!(site.size("anna"), 10);
}

#[test]
fn large_files_are_stopped_at_the_same_byte() {
    const QUOTA: usize = 9_000_001;
    let site = Site::new(&[&format!("anna:write:/anna:{QUOTA}")]);
    let mut anna = site.server.user("anna");
    assert_eq!(try_to(&mut anna, "STOR a", &vec![7; QUOTA + 1]), 552);
    assert_eq!((site.size("anna"), used(&mut anna)), (0, 0));
    assert_eq!(try_to(&mut anna, "STOR a", &vec![7; QUOTA]), 226);
    assert_eq!(used(&mut anna), QUOTA as u64);
}

#[test]
fn a_replacement_needs_space_in_addition_to_the_old_file() {
    let site = Site::new(&["anna:write:/anna:1000"]);
    let mut anna = site.server.user("anna");
    anna.stor("a", [1; 600]);
    assert_eq!(try_to(&mut anna, "STOR a", &[2; 401]), 552);
    assert_eq!(site.server.read("anna/a"), [1; 600]);
    anna.stor("a", [2; 400]);
    assert_eq!(used(&mut anna), 400);
    anna.stor("b", [3; 100]);
    anna.say("RNFR b").expect(350);
    anna.say("RNTO a").expect(250);
    assert_eq!(used(&mut anna), 100);
}

#[test]
fn an_interrupted_upload_counts_until_it_is_removed() {
    let site = Site::new(&["anna:write:/anna:1000"]);
    let mut anna = site.server.user("anna");
    anna.break_off("STOR a", [1; 600]);
    assert_eq!((site.size("anna"), used(&mut anna)), (600, 600));
    assert_eq!(try_to(&mut anna, "STOR b", &[2; 401]), 552);
    anna.say("REST 500").expect(350);
    assert_eq!(try_to(&mut anna, "STOR a", &[2; 500]), 226);
    assert_eq!((site.size("anna"), used(&mut anna)), (1000, 1000));
    anna.say("DELE a").expect(250);
    anna.break_off("STOR b", [1; 10]);
    anna.say("DELE b").expect(250);
    anna.break_off("STOR c", [1; 10]);
    anna.send("STOR c", [1; 5]);
    assert_eq!(used(&mut anna), 5);
    anna.say("MKD dir").expect(257);
    anna.break_off("STOR dir/d", [1; 10]);
    anna.say("RMD dir").expect(250);
    assert_eq!(used(&mut anna), 5);
}

#[test]
fn a_quota_applies_to_all_clients() {
    let site = Site::new(&[
        "anna:write:/anna:1000",
        "ben:write:/anna/ben:500",
        "carl:write:/anna:900",
        "root:write:/",
    ]);
    let mut ben = site.server.user("ben");
    assert_eq!(try_to(&mut ben, "STOR a", &[1; 501]), 552);
    ben.stor("a", [1; 500]);
    let mut root = site.server.user("root");
    assert_eq!(try_to(&mut root, "STOR anna/r", &[1; 401]), 552);
    root.stor("anna/r", [1; 300]);
    let mut visitor = site.server.visitor();
    assert_eq!(try_to(&mut visitor, "STOR anna/v", &[1; 101]), 552);
    visitor.stor("anna/v", [1; 100]);
    visitor.stor("outside", [1; 5000]);
    let (mut anna, mut carl) = (site.server.user("anna"), site.server.user("carl"));
    assert_eq!([used(&mut anna), used(&mut carl), used(&mut ben)], [900, 900, 500]);
    assert_eq!(try_to(&mut anna, "STOR x", &[1; 1]), 552);
    anna.say("DELE v").expect(250);
    assert_eq!(try_to(&mut carl, "STOR x", &[1; 100]), 226);
    let text = root.say("SITE QUOTA").expect(200).text();
    assert!(text.ends_with("No quota is set."), "{text}");
}

#[test]
fn renaming_moves_bytes_between_quotas() {
    let site = Site::new(&["anna:write:/anna:1000", "ben:write:/anna/ben:500", "root:write:/"]);
    let (mut root, mut anna, mut ben) =
        (site.server.user("root"), site.server.user("anna"), site.server.user("ben"));
    root.say("MKD tree").expect(257);
    root.stor("tree/a", [1; 400]);
    root.stor("tree/b", [1; 200]);
    let mut rename = |from: &str, to: &str, code| {
        root.say(format!("RNFR {from}")).expect(350);
        root.say(format!("RNTO {to}")).expect(code);
    };
    rename("tree", "anna/ben/tree", 552);
    rename("tree", "anna/tree", 250);
    assert_eq!([used(&mut anna), used(&mut ben)], [600, 0]);
    rename("anna/tree/a", "anna/ben/a", 250);
    assert_eq!([used(&mut anna), used(&mut ben)], [600, 400]);
    rename("anna/tree/b", "anna/ben/b", 552);
    rename("anna/tree/b", "anna/ben/a", 250);
    assert_eq!([used(&mut anna), used(&mut ben)], [200, 200]);
    rename("anna/ben/a", "anna/ben/a", 250);
    rename("anna/ben/a", "out", 250);
    assert_eq!([used(&mut anna), used(&mut ben)], [0, 0]);
    rename("anna/ben", "elsewhere", 550);
    rename("anna", "elsewhere", 550);
    rename("anna/tree", "empty", 250);
    root.stor("anna/ben/x", [1; 50]);
    root.say("RMDA anna/ben").expect(250);
    assert_eq!(used(&mut anna), 0);
}

#[test]
fn no_directory_replaces_one_with_a_quota() {
    let site = Site::new(&["anna:write:/homes/anna:1000", "root:write:/"]);
    let (mut anna, mut root) = (site.server.user("anna"), site.server.user("root"));
    root.say("MKD tree").expect(257);
    root.say("MKD tree/anna").expect(257);
    root.stor("tree/anna/a", [1; 5000]);
    let refuse = |root: &mut Peer, from: &str, to: &str| {
        root.say(format!("RNFR {from}")).expect(350);
        root.say(format!("RNTO {to}")).expect(550);
    };
    // The system itself would replace an empty directory with another one.
    refuse(&mut root, "tree", "homes/anna");
    root.say("RMD homes/anna").expect(250);
    root.say("RMD homes").expect(250);
    refuse(&mut root, "tree", "homes");
    root.say("SITE MKDIR homes/anna").expect(200);
    refuse(&mut root, "tree/anna", "homes/anna");
    assert_eq!((site.size("homes"), used(&mut anna)), (0, 0));
    root.say("RNFR tree").expect(350);
    root.say("RNTO homes/other").expect(250);
}

#[test]
fn links_do_not_count_and_their_targets_count_where_they_are() {
    let site = Site::new(&["anna:write:/anna:1000", "root:write:/"]);
    symlink("anna", site.server.path("way")).unwrap();
    site.server.make_dir("other");
    site.server.write("other/large", [1; 5000]);
    symlink("../other/large", site.server.path("anna/link")).unwrap();
    let mut root = site.server.user("root");
    root.stor("way/a", [1; 900]);
    assert_eq!(try_to(&mut root, "STOR way/b", &[1; 101]), 552);
    let mut anna = site.server.user("anna");
    assert_eq!(used(&mut anna), 900);
    anna.say("DELE link").expect(250);
    assert_eq!(used(&mut anna), 900);
}

#[test]
fn changes_by_other_programs_count_after_a_reload() {
    let site = Site::new(&["anna:write:/anna:1000"]);
    let mut anna = site.server.user("anna");
    anna.stor("a", [1; 600]);
    site.server.write("anna/b", [1; 300]);
    assert_eq!(used(&mut anna), 600);
    site.reload(&["anna:write:/anna:800"]);
    let text = anna.say("SITE QUOTA").expect(200).text();
    assert!(text.ends_with("900 of 800 bytes used, 0 bytes left."), "{text}");
    assert_eq!(try_to(&mut anna, "STOR c", &[1; 1]), 552);
    fs::remove_file(site.server.path("anna/a")).unwrap();
    site.reload(&["anna:write:/anna:"]);
    anna.stor("c", [1; 5000]);
    site.reload(&["anna:write:/anna:8K"]);
    assert_eq!(used(&mut anna), 5300);
}

#[test]
fn a_new_quota_applies_to_running_uploads() {
    let site = Site::new(&["anna:write:/anna", "ben:write:/ben:1000"]);
    let mut anna = site.server.user("anna");
    let mut data = anna.begin_with("STOR a", [1; 600]);
    site.reload(&["anna:write:/anna:1000", "ben:write:/ben:1000"]);
    data.write_all(&[1; 401]).unwrap();
    drop(data);
    anna.expect(552);
    assert_eq!((site.size("anna"), used(&mut anna)), (0, 0));
    let mut data = anna.begin_with("STOR a", [1; 600]);
    site.reload(&["anna:write:/anna", "ben:write:/ben:1000"]);
    site.reload(&["anna:write:/anna:1000", "ben:write:/ben:1000"]);
    data.write_all(&[1; 400]).unwrap();
    drop(data);
    anna.expect(226);
    assert_eq!((site.size("anna"), used(&mut anna)), (1000, 1000));
}

#[test]
fn a_file_removed_during_its_upload_is_released_at_the_end() {
    let site = Site::new(&["anna:write:/anna:1000"]);
    let (mut anna, mut other) = (site.server.user("anna"), site.server.user("anna"));
    anna.say("MKD dir").expect(257);
    let mut data = anna.begin_with("STOR dir/a", [1; 300]);
    other.say("RMDA dir").expect(250);
    data.write_all(&[1; 100]).unwrap();
    drop(data);
    anna.hear();
    assert_eq!((site.size("anna"), used(&mut anna)), (0, 0));
    anna.stor("a", [1; 100]);
    let mut data = anna.begin("APPE a");
    data.write_all(&[1; 200]).unwrap();
    while !anna.say("STAT").expect(213).text().contains("200 bytes") {}
    other.say("RNFR a").expect(350);
    other.say("RNTO b").expect(450);
    other.say("DELE a").expect(250);
    assert_eq!(used(&mut other), 300);
    drop(data);
    anna.hear();
    assert_eq!((site.size("anna"), used(&mut anna)), (0, 0));
}

#[test]
fn the_sessions_of_an_account_are_limited() {
    let site = Site::new(&["anna:write:/anna::2:"]);
    let (first, mut second) = (site.server.user("anna"), site.server.user("anna"));
    let mut third = site.server.caller();
    third.say("USER anna").expect(331);
    third.say("PASS wrong").expect(530);
    third.say("USER anna").expect(331);
    third.say("PASS secret").expect(421);
    third.expect_end();
    drop(first);
    eventually("a free slot", || {
        let mut peer = site.server.caller();
        peer.say("USER anna").expect(331);
        peer.say("PASS secret").hear().code == 230
    });
    // A second login in the same session does not count twice.
    second.say("USER anna").expect(331);
    eventually("the place again", || second.say("PASS secret").hear().code == 230);
    site.reload(&["anna:write:/anna"]);
    let _more = [(); 3].map(|()| site.server.user("anna"));
}

#[test]
fn all_sessions_of_an_account_share_its_rate() {
    let site = Site::new(&["anna:write:/anna:::1", "ben:write:/ben"]);
    site.server.write_sparse("anna/large", 1 << 30);
    site.server.write("ben/small", [7; 1000]);
    let mut sessions = [site.server.user("anna"), site.server.user("anna")];
    let data = sessions.each_mut().map(|peer| peer.begin("RETR large"));
    assert_eq!(site.server.user("ben").retr("small").len(), 1000);
    for peer in &mut sessions {
        peer.say("ABOR").expect(426);
        peer.expect(226);
    }
    assert!(data.map(|data| drain(data).len()).iter().sum::<usize>() < 1000);
}

/// Performs a random change; its outcome does not matter.
fn act(peer: &mut Peer, random: &mut Random) {
    let names = ["a", "b", "c", "in/a", "in/b", "in/deep/a"];
    let mut name = || random.pick(&names);
    let (one, other) = (name(), name());
    let bytes = vec![7; random.index(400)];
    match random.below(12) {
        0..4 => drop(try_to(peer, &format!("STOR {one}"), &bytes)),
        4 => drop(try_to(peer, &format!("APPE {one}"), &bytes)),
        5 => {
            peer.say(format!("REST {}", random.below(300))).expect(350);
            try_to(peer, &format!("STOR {one}"), &bytes);
        }
        6 => {
            let data = connect(peer.epsv());
            if peer.say(format!("STOR {one}")).hear().code == 150 {
                let _ = (&data).write_all(&bytes);
                peer.say("ABOR").hear();
                peer.hear();
            }
        }
        7 => drop(peer.say(format!("DELE {one}")).hear()),
        8 | 9 => {
            if peer.say(format!("RNFR {one}")).hear().code == 350 {
                peer.say(format!("RNTO {other}")).hear();
            }
        }
        10 => drop(peer.say("RMDA in/deep").hear()),
        _ => {
            peer.say("SITE MKDIR in/deep").hear();
            peer.say("RNFR in/deep").hear();
            peer.say("RNTO deep").hear();
            peer.say("RMDA deep").hear();
        }
    }
}

/// Returns the total size below a directory in which files are being renamed, so that a file may
/// be seen twice.
fn least_size(site: &Site, dir: &str) -> u64 {
    (0..4).map(|_| site.size(dir)).min().unwrap()
}

/// Checks the disk and forces recounts from time to time, until the other threads are done.
fn watch(site: &Site, accounts: &[&str], running: &AtomicUsize) {
    while running.load(Ordering::SeqCst) > 0 {
        let (all, inner) = (least_size(site, "anna"), least_size(site, "anna/in"));
        assert!(all <= 1000 && inner <= 500, "{all} {inner}");
        site.reload(accounts);
    }
}

/// `QUOTA_ROUNDS=1000 QUOTA_SEED=7` runs a longer test.
#[test]
fn concurrent_sessions_keep_and_count_a_quota_exactly() {
    const SESSIONS: u64 = 4;
    const ACTS: usize = 40;
    const ACCOUNTS: [&str; 2] = ["anna:write:/anna:1000", "ben:write:/anna/in:500"];
    let site = Site::new(&ACCOUNTS);
    let seed = setting("QUOTA_SEED", 1) << 32;
    for round in 0..setting("QUOTA_ROUNDS", 5) {
        let running = AtomicUsize::new(SESSIONS as usize);
        thread::scope(|scope| {
            for session in 0..SESSIONS {
                let (site, running) = (&site, &running);
                scope.spawn(move || {
                    let _last = Last(running);
                    let mut random = Random(seed + round * SESSIONS + session);
                    let mut anna = site.server.user("anna");
                    (0..ACTS).for_each(|_| act(&mut anna, &mut random));
                });
            }
            watch(&site, &ACCOUNTS, &running);
        });
        let (mut anna, mut ben) = (site.server.user("anna"), site.server.user("ben"));
        let books = (used(&mut anna), used(&mut ben));
        assert_eq!(books, (site.size("anna"), site.size("anna/in")), "round {round}");
        site.reload(&ACCOUNTS);
        assert_eq!((used(&mut anna), used(&mut ben)), books, "round {round}");
    }
}

/// Decrements the number of running sessions when a session ends, even if it fails.
struct Last<'a>(&'a AtomicUsize);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
