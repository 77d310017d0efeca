//! Commands that the user sends with QUOTE: the client follows what they change, or does not send them.

use crate::support::scripted_server::{Script, ScriptedServer, play, play_all};
use crate::support::tls::Identity;
use crate::support::wire::accept;
use crate::support::{Client, at_once};
use std::io::Write;

/// Ends the session after a command, so that the next one is sent over another connection.
fn leave(server: &mut ScriptedServer) {
    server.answer("NOOP", "200 and goodbye");
    server.close();
}

#[test]
fn what_the_client_could_not_follow_is_not_sent() {
    let cases = [
        ("RETR a", "use RETRIEVE"),
        ("retr", "use RETRIEVE"),
        ("STOR a", "use STORE"),
        ("STOU", "use STORE"),
        ("APPE a", "use APPEND"),
        ("LIST", "use LIST"),
        ("MLSD", "use LIST"),
        ("NLST", "use NLIST"),
        ("REST 5", "use REGET or REPUT"),
        ("RANG 0 9", "use REGET or REPUT"),
        ("MODE Z", "MODE S"),
        ("MODE B", "MODE S"),
        ("STRU R", "STRU F"),
    ];
    at_once(cases, |(line, words)| {
        let run = play(&Client::new(), &format!("QUOTE {line}"), |server| {
            server.welcome();
            assert_eq!(server.next().as_deref(), Some("QUIT"), "{line}");
        });
        run.expect(2).expect_error("QUOTE does not send").expect_error(words);
    });
}

#[test]
fn what_would_end_the_encryption_is_not_sent_under_tls() {
    let Some(identity) = Identity::new() else { return };
    for line in ["CCC", "REIN"] {
        let script: Script<'_> = Box::new(|server| {
            server.welcome_to_tls(&identity, 1);
            assert_eq!(server.next().as_deref(), Some("QUIT"), "{line}");
        });
        let options = ["--tls-pin", &identity.pin];
        let run = play_all(&Client::new(), &options, &format!("QUOTE {line}"), vec![script]);
        run.expect(2).expect_error("it would turn encryption off");
    }
}

#[test]
fn prot_decides_on_the_data_connections_of_this_connection_and_of_the_next() {
    let Some(identity) = Identity::new() else { return };
    let list = |server: &mut ScriptedServer, is_private: bool| {
        let listener = server.epsv();
        server.answer("NLST", "150 here");
        let mut tcp = accept(&listener);
        if is_private {
            let mut data = identity.accept(tcp, 1).unwrap();
            data.write_all(b"private\r\n").unwrap();
            data.end();
        } else {
            tcp.write_all(b"clear\r\n").unwrap();
        }
        server.say("226 done");
    };
    let first: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        list(server, true);
        server.answer("PROT C", "200 ok");
        list(server, false);
        server.answer("PROT P", "534 no");
        list(server, false);
        server.answer("PROT P", "200 ok");
        list(server, true);
        server.answer("prot c", "200 ok");
        leave(server);
    });
    let second: Script<'_> = Box::new(|server| {
        server.start_tls(&identity, 1);
        server.answer("USER", "331 password");
        server.answer("PASS", "230 in");
        server.answer("PBSZ 0", "200 ok");
        server.answer("PROT C", "200 ok");
        list(server, false);
        server.finish();
    });
    let commands = "NLIST; QUOTE PROT C; NLIST; QUOTE PROT P; NLIST; QUOTE PROT P; NLIST; \
                    QUOTE prot c; QUOTE NOOP; NLIST";
    let options = ["-k", "--tls-pin", &identity.pin];
    let run = play_all(&Client::new(), &options, commands, vec![first, second]);
    let names: Vec<&str> =
        run.stdout.lines().filter(|line| ["private", "clear"].contains(line)).collect();
    assert_eq!(names, ["private", "clear", "clear", "private", "clear"], "{run:#?}");
}

#[test]
fn another_connection_logs_in_as_the_user_has_done() {
    let first: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("USER anna", "331 password");
        server.answer("PASS secret", "332 account");
        server.answer("ACCT mine", "230 in");
        leave(server);
    });
    let second: Script<'_> = Box::new(|server| {
        server.say("220 ready");
        server.answer("USER anna", "331 password");
        server.answer("PASS secret", "332 account");
        server.answer("ACCT mine", "230 in");
        server.answer("PWD", "257 \"/\"");
        server.answer("USER ftp", "230 in");
        leave(server);
    });
    let third: Script<'_> = Box::new(|server| {
        server.say("220 ready");
        server.answer("USER ftp", "230 in");
        server.answer("PWD", "257 \"/\"");
        server.answer("REIN", "220 again");
        leave(server);
    });
    let last: Script<'_> = Box::new(|server| {
        server.say("220 ready");
        server.answer("PWD", "530 who are you?");
        server.finish();
    });
    let commands = "QUOTE USER anna; QUOTE PASS secret; QUOTE ACCT mine; QUOTE NOOP; PWD; \
                    QUOTE USER ftp; QUOTE NOOP; PWD; QUOTE REIN; QUOTE NOOP; PWD";
    let scripts = vec![first, second, third, last];
    play_all(&Client::new(), &[], commands, scripts).expect(1).expect_error("530 who are you?");
}

/// FEAT may list other features for another user.
#[test]
fn what_the_server_offers_is_asked_again_after_another_login() {
    for commands in ["QUOTE USER anna; QUOTE PASS secret; MKDIR a", "USER anna secret; MKDIR a"] {
        play(&Client::new(), commands, |server| {
            server.with_features();
            server.welcome();
            server.answer("FEAT", "211-Extensions:\r\n SIZE\r\n211 End");
            server.answer("USER anna", "331 password");
            server.answer("PASS secret", "230 in");
            if commands.starts_with("USER") {
                server.answer("FEAT", "211-Extensions:\r\n UTF8\r\n211 End");
                server.answer("OPTS UTF8 ON", "200 ok");
            }
            server.answer("MKD a", "257 made");
            server.finish();
        })
        .expect(0);
    }
}

#[test]
fn another_connection_names_the_same_host_and_the_same_encoding() {
    let features = "211-Extensions:\r\n UTF8\r\n211 End";
    let first: Script<'_> = Box::new(|server| {
        server.with_features();
        server.say("220 ready");
        server.answer("HOST a.example", "220 here");
        server.answer("USER me", "230 in");
        server.answer("FEAT", features);
        server.answer("OPTS UTF8 ON", "200 ok");
        server.answer("OPTS UTF8 OFF", "200 ok");
        leave(server);
    });
    let second: Script<'_> = Box::new(|server| {
        server.with_features();
        server.say("220 ready");
        server.answer("HOST a.example", "220 here");
        server.answer("USER me", "230 in");
        server.answer("OPTS UTF8 OFF", "200 ok");
        server.answer("PWD", "257 \"/\"");
        server.finish();
    });
    let commands = "QUOTE HOST a.example; USER me secret; QUOTE OPTS UTF8 OFF; QUOTE NOOP; PWD";
    play_all(&Client::new(), &["-n"], commands, vec![first, second]).expect(0);
}
