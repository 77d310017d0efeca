//! FTPS between our client and other servers, with TLS 1.3 and 1.2. Each server requires TLS for control
//! and data connections and, if it has that option, that data connections resume the TLS session of
//! their control connection.

use crate::support::content::{assert_holds, noise};
use crate::support::fixture::{run, run_to_fail};
use crate::support::servers::Peer;
use std::fs;

/// A size so large that the end of the file would be lost if a socket were closed with unread tickets.
const LARGE: usize = 4_000_000;

macro_rules! at_every_server {
    ($($module:ident $software:ident $needs:literal)*) => {
        $(
            mod $module {
                use crate::support::servers::{Peer, Software};

                #[test]
                #[ignore = $needs]
                fn files_and_listings_go_over_both_versions() {
                    let mut peer = Peer::start_encrypted(Software::$software);
                    super::transfers_round_trip(&peer, "TLSv1.3");
                    peer.without_tls_1_3();
                    super::transfers_round_trip(&peer, "TLSv1.2");
                }

                #[test]
                #[ignore = $needs]
                fn a_transfer_that_was_stopped_leaves_the_session_usable() {
                    let mut peer = Peer::start_encrypted(Software::$software);
                    super::stopped_transfers_leave_the_session_usable(&peer);
                    peer.without_tls_1_3();
                    super::stopped_transfers_leave_the_session_usable(&peer);
                }

                #[test]
                #[ignore = $needs]
                fn data_is_unencrypted_only_on_request() {
                    super::data_is_unencrypted(&Peer::start_with_clear_data(Software::$software));
                }

                #[test]
                #[ignore = $needs]
                fn a_server_that_requires_tls_gets_it() {
                    let mut peer = Peer::start_encrypted(Software::$software);
                    peer.on_demand();
                    super::tls_is_used_on_demand(&peer);
                }

                #[test]
                #[ignore = $needs]
                fn an_untrusted_certificate_is_refused() {
                    let mut peer = Peer::start_encrypted(Software::$software);
                    peer.distrust();
                    super::the_certificate_is_refused(&peer);
                }
            }
        )*
    };
}

at_every_server! {
    vsftpd Vsftpd "needs vsftpd and root"
    proftpd Proftpd "needs proftpd and root"
    pure_ftpd PureFtpd "needs pure-ftpd and root"
    pyftpdlib Pyftpdlib "needs pyftpdlib and root"
}

fn transfers_round_trip(peer: &Peer, version: &str) {
    peer.put_here("up", &noise(LARGE));
    peer.put_there("down", &noise(LARGE));
    let commands = "STATUS; LIST; RETRIEVE down a; RETRIEVE down b; RETRIEVE down c; STORE up d; \
                    STORE up e; STORE up f; LIST";
    for options in [&["--retries", "0"][..], &["--retries", "0", "-a"]] {
        let output = run(&mut peer.client(options, commands));
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains(&format!("encryption: {version}, ")), "{printed}");
        assert!(printed.contains("files and listings: encrypted"), "{printed}");
        for name in ["a", "b", "c"] {
            assert_holds(peer.here(name), &noise(LARGE));
            fs::remove_file(peer.here(name)).expect("it came");
        }
        for name in ["d", "e", "f"] {
            assert_holds(peer.there(name), &noise(LARGE));
            fs::remove_file(peer.there(name)).expect("it went");
        }
    }
}

fn data_is_unencrypted(peer: &Peer) {
    peer.put_here("up", &noise(LARGE));
    for (options, told) in [(&[][..], "encrypted"), (&["--tls-clear-data"], "in the clear")] {
        let commands = "STATUS; STORE up file; RETRIEVE file back; LIST";
        let output = run(&mut peer.client(options, commands));
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains(&format!("files and listings: {told}")), "{printed}");
        assert_holds(peer.there("file"), &noise(LARGE));
        assert_holds(peer.here("back"), &noise(LARGE));
    }
}

/// Each connection of PGET stops its transfer where the range of the next begins.
fn stopped_transfers_leave_the_session_usable(peer: &Peer) {
    peer.put_there("down", &noise(LARGE));
    let commands = "PGET down a; LIST; RETRIEVE down b; PGET down c; LIST";
    run(&mut peer.client(&["-j", "3"], commands));
    for name in ["a", "b", "c"] {
        assert_holds(peer.here(name), &noise(LARGE));
    }
}

fn tls_is_used_on_demand(peer: &Peer) {
    peer.put_there("down", &noise(1000));
    // pyftpdlib replies `550 SSL/TLS required on the control channel`; the others have similar replies.
    let output = run(&mut peer.client(&[], "STATUS; RETRIEVE down"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("encryption: TLSv1.3"));
    assert_holds(peer.here("down"), &noise(1000));
}

fn the_certificate_is_refused(peer: &Peer) {
    let output = run_to_fail(&mut peer.client(&[], "LIST"), 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("--tls-pin {}", peer.pin())), "{said}");
}
