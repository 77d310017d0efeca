//! TLS of the control connection: how it starts, and which errors end it before a password is sent.

mod commands;
mod data;
mod trust;

use crate::support::scripted_server::{Script, ScriptedServer, listener, play, play_all};
use crate::support::tls::Identity;
use crate::support::wire::accept;
use crate::support::{Client, Run, Server, at_once, noise};
use mt_ftp::sys::TlsVersion;
use std::io::Write;
use std::net::Shutdown;

/// Runs commands with `--tls` and the server's certificate pinned.
fn play_tls(
    client: &Client,
    options: &[&str],
    identity: &Identity,
    commands: &str,
    scripts: Vec<Script<'_>>,
) -> Run {
    let options = [options, &["--tls", "--tls-pin", &identity.pin]].concat();
    play_all(client, &options, commands, scripts)
}

#[test]
fn tls_starts_before_any_other_command_and_protects_data() {
    for min in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let Some(identity) = Identity::with(min) else { return };
        let client = Client::new();
        let script: Script<'_> = Box::new(|server| {
            server.welcome_to_tls(&identity, 1);
            server.answer("PWD", "257 \"/\"");
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", "213 7");
            server.answer("MDTM", "213 20250102030405");
            let listener = server.epsv();
            server.answer("RETR a", "150 here");
            let mut data = identity.accept(accept(&listener), 1).unwrap();
            assert!(data.is_resumed());
            data.write_all(b"content").unwrap();
            data.end();
            server.say("226 done");
            server.finish();
        });
        let run = play_tls(&client, &[], &identity, "STATUS; RETRIEVE a", vec![script]).expect(0);
        assert_eq!(client.read("a"), b"content");
        let version = run.stdout.contains("encryption: TLSv1.3, TLS_");
        assert!(version && run.stdout.contains("files and listings: encrypted"), "{run:#?}");
    }
}

#[test]
fn the_scheme_of_a_url_selects_explicit_or_implicit_tls() {
    let Some(identity) = Identity::new() else { return };
    for scheme in ["ftpes", "FTPS"] {
        let client = Client::trusting(identity.file());
        let listener = listener();
        let url = format!("{scheme}://127.0.0.1:{}/", listener.local_addr().unwrap().port());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut server = ScriptedServer::on(&listener);
                if scheme == "ftpes" {
                    server.start_tls(&identity, 1);
                } else {
                    server.accept_tls(&identity, 1).unwrap();
                    server.say("220 ready");
                }
                server.answer("USER", "331 password");
                server.answer("PASS", "230 in");
                server.answer("PBSZ 0", "200 ok");
                server.answer("PROT P", "200 ok");
                server.finish();
            });
            let run = client.run(&["-c", "", &url]);
            run.expect(0).expect_error("over TLSv1.");
        });
    }
}

#[test]
fn connect_has_an_option_for_tls() {
    let Some(identity) = Identity::new() else { return };
    let client = Client::trusting(identity.file());
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut server = ScriptedServer::on(&listener);
            server.welcome_to_tls(&identity, 1);
            server.finish();
        });
        let connect = format!("CONNECT --tls 127.0.0.1 {port}");
        client.run(&["-c", &connect]).expect(0);
    });
}

#[test]
fn a_server_that_refuses_tls_gets_no_user_name() {
    let replies = ["502 no", "500 what?", "534 policy", "230 you are in", "200 ok", "334 more"];
    at_once(replies, |reply| {
        let script = |server: &mut ScriptedServer| {
            server.say("220 ready");
            server.answer("AUTH TLS", reply);
            assert!(server.is_left(), "{reply}");
        };
        let run = play_all(&Client::new(), &["--tls"], "PWD", vec![Box::new(script)]).expect(3);
        run.expect_error("the server refuses TLS").expect_error(reply);
    });
}

#[test]
fn cleartext_after_the_234_is_refused() {
    let pieces: [&[u8]; 4] = [
        b"234 go ahead\r\n230 you are in\r\n",
        b"234 go ahead\r\n2",
        b"234-go ahead\r\n234 now\r\n\xff",
        b"234 go ahead\r\n\r\n",
    ];
    at_once(pieces, |piece| {
        let script = |server: &mut ScriptedServer| {
            server.say("220 ready");
            server.hear("AUTH TLS");
            server.send_raw(piece).unwrap();
            assert!(server.next().is_none());
        };
        let run = play_all(&Client::new(), &["--tls"], "PWD", vec![Box::new(script)]).expect(3);
        run.expect_error("sent cleartext after agreeing to TLS");
    });
}

#[test]
fn cleartext_instead_of_a_handshake_is_reported() {
    let script = |server: &mut ScriptedServer| {
        server.say("220 ready");
        server.answer("AUTH TLS", "234 go ahead");
        // The 500 must not arrive together with the 234.
        server.tcp().peek(&mut [0]).unwrap();
        server.say("500 OOPS: cannot load the certificate");
        while server.next().is_some() {}
    };
    let run = play_all(&Client::new(), &["--tls"], "PWD", vec![Box::new(script)]).expect(3);
    run.expect_error("the server continued without TLS");
}

#[test]
fn cleartext_after_the_handshake_is_reported() {
    let Some(identity) = Identity::new() else { return };
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        server.hear("PWD");
        server.tcp().write_all(b"500 OOPS: child died\r\n").unwrap();
        while server.next().is_some() {}
    });
    let run = play_tls(&Client::new(), &[], &identity, "PWD", vec![script]).expect(3);
    run.expect_error("the server continued without TLS");
}

#[test]
fn a_silent_handshake_times_out() {
    let script = |server: &mut ScriptedServer| {
        server.say("220 ready");
        server.answer("AUTH TLS", "234 go ahead");
        while server.next().is_some() {}
    };
    let run = play_all(&Client::new(), &["--tls"], "PWD", vec![Box::new(script)]).expect(3);
    run.expect_error("no reply from the server for 2 s");
}

#[test]
fn tls_starts_before_the_password_if_the_server_requires_it() {
    let Some(identity) = Identity::new() else { return };
    for demand in ["530 Non-anonymous sessions must use encryption.", "331 TLS required"] {
        let script: Script<'_> = Box::new(|server| {
            server.say("220 ready");
            server.answer("USER me", demand);
            server.answer("AUTH TLS", "234 go ahead");
            server.accept_tls(&identity, 1).unwrap();
            server.answer("USER me", "331 password");
            server.answer("PASS secret", "230 in");
            server.answer("PBSZ 0", "200 ok");
            server.answer("PROT P", "200 ok");
            server.answer("PWD", "257 \"/\"");
            server.finish();
        });
        let client = Client::trusting(identity.file());
        play_all(&client, &["-n"], "USER me secret; PWD", vec![script]).expect(0);
    }
}

/// Without this, an option of TLS without `--tls` would have no effect, and passwords would be sent in the clear.
#[test]
fn options_of_tls_imply_tls() {
    let Some(identity) = Identity::new() else { return };
    let (file, pin) = (identity.file(), identity.pin.as_str());
    for (options, level) in [
        (&["--tls-ca", file.to_str().unwrap()][..], "PROT P"),
        (&["--tls-pin", pin], "PROT P"),
        (&["--tls-min", "1.2"], "PROT P"),
        (&["--tls-clear-data"], "PROT C"),
    ] {
        let script: Script<'_> = Box::new(move |server| {
            server.say("220 ready");
            server.answer("AUTH TLS", "502 no");
            assert!(server.is_left(), "{level}");
        });
        let run = play_all(&Client::new(), options, "PWD", vec![script]).expect(3);
        run.expect_error("the server refuses TLS");
        let script: Script<'_> = Box::new(|server| {
            server.start_tls(&identity, 1);
            server.answer("USER", "331 password");
            server.answer("PASS", "230 in");
            server.answer("PBSZ 0", "200 ok");
            server.answer(level, "200 ok");
            server.finish();
        });
        let client = Client::trusting(identity.file());
        play_all(&client, options, "", vec![script]).expect(0);
    }
}

#[test]
fn after_a_server_closes_a_clear_session_the_client_reconnects_with_tls() {
    let Some(identity) = Identity::new() else { return };
    for demand in [
        "421 Sorry, cleartext sessions are not accepted on this server.",
        "530 Non-anonymous sessions must use encryption.",
    ] {
        let first: Script<'_> = Box::new(|server| {
            server.say("220 ready");
            server.answer("USER", demand);
            server.close();
        });
        let second: Script<'_> = Box::new(|server| {
            server.welcome_to_tls(&identity, 1);
            server.answer("PWD", "257 \"/\"");
            server.finish();
        });
        let client = Client::trusting(identity.file());
        play_all(&client, &[], "PWD", vec![first, second]).expect(0);
    }
}

/// AUTH that the user sends with QUOTE starts TLS, too. Before, later commands were sent in the clear over a new
/// connection.
#[test]
fn auth_with_quote_starts_tls() {
    let Some(identity) = Identity::new() else { return };
    for typed in ["AUTH TLS", "auth ssl"] {
        let first: Script<'_> = Box::new(|server| {
            server.say("220 ready");
            server.answer(typed, "234 go ahead");
            server.accept_tls(&identity, 1).unwrap();
            server.answer("USER me", "331 password");
            server.answer("PASS secret", "230 in");
            server.answer("PBSZ 0", "200 ok");
            server.answer("PROT P", "200 ok");
            server.answer("NOOP", "200 and goodbye");
            server.close();
        });
        let second: Script<'_> = Box::new(|server| {
            server.welcome_to_tls(&identity, 1);
            server.answer("PWD", "257 \"/\"");
            server.finish();
        });
        let commands = format!("QUOTE {typed}; USER me secret; QUOTE NOOP; PWD");
        let client = Client::trusting(identity.file());
        play_all(&client, &["-n"], &commands, vec![first, second]).expect(0);
    }
}

#[test]
fn after_auth_with_quote_nothing_is_sent_unencrypted_if_tls_fails() {
    let Some(identity) = Identity::new() else { return };
    let script = |server: &mut ScriptedServer| {
        server.say("220 ready");
        server.answer("AUTH TLS", "234 go ahead");
        assert!(server.accept_tls(&identity, 1).is_err() || server.next().is_none());
    };
    let options = ["-n", "-k", "--retries", "0"];
    let commands = "QUOTE AUTH TLS; USER me secret";
    let run = play_all(&Client::new(), &options, commands, vec![Box::new(script)]).expect(3);
    run.expect_error("--tls-pin");
}

#[test]
fn connect_without_operands_uses_tls_if_the_server_required_it_before() {
    let Some(identity) = Identity::new() else { return };
    let first: Script<'_> = Box::new(|server| {
        server.say("220 ready");
        server.answer("USER", "530 Non-anonymous sessions must use encryption.");
        server.answer("AUTH TLS", "234 go ahead");
        server.accept_tls(&identity, 1).unwrap();
        server.answer("USER", "331 password");
        server.answer("PASS", "230 in");
        server.answer("PBSZ 0", "200 ok");
        server.answer("PROT P", "200 ok");
        server.finish();
    });
    let second: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        server.finish();
    });
    let client = Client::trusting(identity.file());
    play_all(&client, &[], "CLOSE; CONNECT", vec![first, second]).expect(0);
}

#[test]
fn a_reconnected_session_uses_tls_and_the_same_trust() {
    let Some(identity) = Identity::new() else { return };
    let Some(other) = Identity::new() else { return };
    for second_identity in [&identity, &other] {
        let is_same = second_identity.pin == identity.pin;
        let client = Client::new();
        let first: Script<'_> = Box::new(|server| {
            server.welcome_to_tls(&identity, 1);
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", "213 7");
            server.answer("MDTM", "213 20250102030405");
            server.close();
        });
        let second: Script<'_> = Box::new(|server| {
            server.say("220 ready");
            server.answer("AUTH TLS", "234 go ahead");
            server.accept_tls(second_identity, 1).unwrap();
            if !is_same {
                return assert!(server.next().is_none());
            }
            server.answer("USER", "331 password");
            server.answer("PASS", "230 in");
            server.answer("PBSZ 0", "200 ok");
            server.answer("PROT P", "200 ok");
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", "213 7");
            server.answer("MDTM", "213 20250102030405");
            let listener = server.epsv();
            server.answer("RETR", "150 here");
            let mut data = second_identity.accept(accept(&listener), 1).unwrap();
            data.write_all(b"content").unwrap();
            data.end();
            server.say("226 done");
            server.finish();
        });
        let run = play_tls(&client, &[], &identity, "RETRIEVE a", vec![first, second]);
        run.expect(if is_same { 0 } else { 3 });
    }
}

#[test]
fn without_the_library_or_the_authorities_the_client_does_not_connect() {
    let (server, missing) = (Server::start(), "/nonexistent/file");
    let port = server.addr().port();
    for option in ["--tls-library", "--tls-ca"] {
        for connect in [
            format!("CONNECT --tls 127.0.0.1 {port}"),
            format!("CONNECT ftpes://127.0.0.1:{port}"),
            format!("CONNECT ftps://127.0.0.1:{port}"),
        ] {
            let run = Client::new().run(&[option, missing, "-c", &connect]).expect(3);
            let run = run.expect_error(missing);
            assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
        }
        let connect = format!("CONNECT 127.0.0.1 {port}");
        // The library option alone does not require TLS.
        let status = if option == "--tls-library" { 0 } else { 3 };
        Client::new().run(&[option, missing, "-c", &connect]).expect(status);
    }
}

#[test]
fn implicit_tls_fails_at_a_server_without_tls() {
    let (server, client) = (Server::start(), Client::new());
    let url = format!("ftps://127.0.0.1:{}/", server.addr().port());
    client.run(&["-c", "PWD", &url]).expect(3).expect_error("the server continued without TLS");
}

#[test]
fn quit_ends_with_a_close_notify() {
    let Some(identity) = Identity::new() else { return };
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        server.answer("QUIT", "221 bye");
        assert!(server.rest().unwrap().is_empty());
    });
    play_tls(&Client::new(), &[], &identity, "QUIT", vec![script]).expect(0);
}

#[test]
fn an_end_without_close_notify_is_a_lost_connection() {
    let Some(identity) = Identity::new() else { return };
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        server.hear("PWD");
        server.tcp().shutdown(Shutdown::Write).unwrap();
        while server.next().is_some() {}
    });
    let run = play_tls(&Client::new(), &["--retries", "0"], &identity, "PWD", vec![script]);
    run.expect(3).expect_error("the server closed the connection");
}

#[test]
fn without_options_no_tls_is_used() {
    play(&Client::new(), "STATUS", |server| {
        server.welcome();
        server.answer("PWD", "257 \"/\"");
        server.finish();
    })
    .expect(0);
}

#[test]
fn garbage_instead_of_a_handshake_or_after_it_ends_the_connection() {
    let Some(identity) = Identity::new() else { return };
    at_once(0..16, |seed| {
        let garbage = match seed % 4 {
            // Handshake, alert and data records with random contents.
            0 => [&b"\x16\x03\x03\x01\x00"[..], &noise(256, seed)].concat(),
            1 => [&b"\x15\x03\x03\x00\x02"[..], &noise(2, seed)].concat(),
            2 => [&b"\x17\x03\x03\x00\x40"[..], &noise(64, seed)].concat(),
            _ => noise(1000, seed),
        };
        let is_early = seed < 8;
        let script: Script<'_> = Box::new(|server| {
            if is_early {
                server.say("220 ready");
                server.answer("AUTH TLS", "234 go ahead");
                server.tcp().peek(&mut [0]).unwrap();
            } else {
                server.welcome_to_tls(&identity, 1);
                server.hear("PWD");
            }
            server.tcp().write_all(&garbage).unwrap();
            // The client may have reset the connection.
            let _ = server.tcp().shutdown(Shutdown::Write);
            let _ = server.rest();
        });
        play_tls(&Client::new(), &["--retries", "0"], &identity, "PWD", vec![script]).expect(3);
    });
}
