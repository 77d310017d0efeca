//! Passwords are hashed once: successful logins are cached, and the hashes of a flood wait behind
//! those of addresses without wrong passwords.

use crate::server::service::status::Watched;
use crate::support::accounts::{AccountsFile, PASSWORD, SECRET};
use crate::support::wire::{self, Peer};
use crate::support::{Server, eventually};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

/// Starts a server with a status page and these accounts.
fn watched(accounts: &AccountsFile) -> Watched {
    Watched::of(Server::with(&["--status", "127.0.0.1:0", "--users", accounts.path()]))
}

/// Returns the numbers of passwords that were hashed and that were found in the cache.
fn checks(watched: &Watched) -> (u32, u32) {
    let count =
        |by: &str| watched.metric(&format!("mt_ftp_password_checks_total{{by=\"{by}\"}}")) as u32;
    (count("hash"), count("cache"))
}

/// Connects from a separate address.
fn from(watched: &Watched, number: u8) -> Peer {
    let host = IpAddr::V4(Ipv4Addr::new(127, 0, 1, number));
    let mut peer = Peer::new(wire::connect_as(host, watched.server.addr()));
    peer.expect(220);
    peer
}

fn attempt(watched: &Watched, number: u8, name: &str, password: &str) -> u16 {
    let mut peer = from(watched, number);
    peer.say(format!("USER {name}")).expect(331);
    peer.say(format!("PASS {password}")).hear().code
}

#[test]
fn a_repeated_login_needs_no_second_hash() {
    let accounts = AccountsFile::new(&["anna:write:", "ben::"]);
    let watched = watched(&accounts);
    for number in 1..=5 {
        assert_eq!(attempt(&watched, number, "anna", "secret"), 230);
    }
    assert_eq!(checks(&watched), (1, 4));
    // Everything else is hashed: another password, another account, an unknown name.
    for (name, password, code) in
        [("anna", "Secret", 530), ("ben", "secret", 230), ("nobody", "secret", 530)]
    {
        assert_eq!(attempt(&watched, 6, name, password), code, "{name} {password}");
    }
    assert_eq!(checks(&watched), (4, 4));
    assert_eq!(attempt(&watched, 6, "anna", "secret"), 230);
    assert_eq!(checks(&watched), (4, 5));
}

#[test]
fn a_changed_password_invalidates_the_login_cache() {
    let accounts = AccountsFile::new(&["anna::"]);
    let watched = watched(&accounts);
    assert_eq!(attempt(&watched, 1, "anna", "secret"), 230);
    for (reloads, hash, right, wrong) in
        [(1, PASSWORD, "password", "secret"), (2, SECRET, "secret", "password")]
    {
        fs::write(accounts.path(), format!("anna:{hash}::\n")).unwrap();
        watched.server.signal("HUP");
        eventually("a reload", || watched.server.log().matches(" reloaded ").count() == reloads);
        assert_eq!(attempt(&watched, 1, "anna", wrong), 530);
        assert_eq!(attempt(&watched, 1, "anna", right), 230);
        assert_eq!(attempt(&watched, 1, "anna", right), 230);
    }
    // A wrong password twice, and each correct one once after the account has changed.
    assert_eq!(checks(&watched), (5, 2));
}

/// Creates accounts of which every check costs as much as the most expensive one, 10 to 20 ms: enough
/// for a crowd to be still waiting when its last client has connected, and little enough for two checks
/// on a busy machine.
fn costly_accounts() -> AccountsFile {
    const ROUNDS: u32 = if cfg!(debug_assertions) { 4_000 } else { 100_000 };
    let costly = SECRET.replace("$1$", &format!("${ROUNDS}$"));
    AccountsFile::with_text(&format!("anna:{SECRET}::\nben:{costly}::\n"))
}

/// Sends a wrong password from each of this many addresses.
fn crowd(watched: &Watched, clients: u8) -> Vec<Peer> {
    let mut crowd: Vec<Peer> = (1..=clients).map(|number| from(watched, number)).collect();
    for peer in &mut crowd {
        peer.raw("USER ben\r\nPASS wrong\r\n");
    }
    crowd
}

#[test]
fn a_correct_login_does_not_wait_for_a_flood_of_wrong_ones() {
    const CROWD: u8 = 100;
    let accounts = costly_accounts();
    let watched = watched(&accounts);
    let _crowd = crowd(&watched, CROWD);
    let (before, _) = checks(&watched);
    assert_eq!(attempt(&watched, CROWD + 1, "anna", "secret"), 230);
    let (after, _) = checks(&watched);
    let left = u32::from(CROWD) - before;
    assert!(after - before < left / 2, "{} of {left} were hashed before it", after - before);
}

#[test]
fn a_shutdown_ends_the_wait_for_a_hash() {
    let accounts = costly_accounts();
    let watched = watched(&accounts);
    let crowd = crowd(&watched, 100);
    eventually("the first hash", || checks(&watched).0 > 0);
    watched.server.terminate();
    let answers = crowd.into_iter().map(|mut peer| {
        let first = peer.hear();
        if first.code == 331 { peer.hear() } else { first }
    });
    let ended = answers.filter(|answer| answer.text().contains("Too many logins at the same time"));
    assert!(ended.count() > 0, "all passwords were hashed");
}
