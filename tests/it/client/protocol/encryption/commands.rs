//! Every kind of command over TLS on `ftp_server`, which accepts no cleartext and no data connection
//! without session resumption.

use crate::support::scripted_server::{ScriptedServer, listener};
use crate::support::tls::Identity;
use crate::support::wire::accept;
use crate::support::{Client, Run, Server, noise, signal};
use std::io::Read;
use std::process::Child;

/// A server that requires TLS, and a client that trusts it.
struct Pair {
    identity: Identity,
    server: Server,
    client: Client,
}

impl Pair {
    fn new() -> Option<Pair> {
        let identity = Identity::new()?;
        let file = identity.file();
        let server = Server::with(&[
            "--anonymous",
            "write",
            "--tls-cert",
            file.to_str().unwrap(),
            "--tls-required",
            "all",
            "--tls-reuse",
            "require",
        ]);
        Some(Pair { identity, server, client: Client::new() })
    }

    fn run(&self, options: &[&str], commands: &str) -> Run {
        let (host, port) = (self.server.addr().ip().to_string(), self.server.addr().port());
        let port = port.to_string();
        let own = ["--tls", "--tls-pin", &self.identity.pin, "--retries", "0"];
        let words = [&own, options, &["-c", commands, &host, &port]].concat();
        self.client.run(&words)
    }
}

#[test]
fn files_are_transferred_and_resumed() {
    let Some(pair) = Pair::new() else { return };
    let bytes = noise(300_000, 1);
    for options in [&[][..], &["-a"], &["--tls-min", "1.3"], &["--rate-limit", "4M"]] {
        pair.client.write("up", &bytes);
        pair.run(options, "STORE up; RETRIEVE up down; APPEND up; REGET up down").expect(0);
        assert!(pair.server.read("up") == [&bytes[..], &bytes].concat(), "{options:?}");
        assert!(pair.client.read("down") == pair.server.read("up"), "{options:?}");
        pair.client.write("rest", &bytes);
        pair.server.write("rest", &bytes[..100_000]);
        pair.run(options, "REPUT rest; CAT rest; EPSV off; RETRIEVE rest again").expect(0);
        assert!(pair.server.read("rest") == bytes && pair.client.read("again") == bytes);
    }
}

#[test]
fn text_files_are_transferred() {
    let Some(pair) = Pair::new() else { return };
    pair.client.write("text", "one\ntwo\n");
    let run = pair.run(&[], "ASCII; STORE text; RETRIEVE text back; CAT text").expect(0);
    assert_eq!(run.stdout, "one\ntwo\n");
    assert_eq!(pair.client.read("back"), b"one\ntwo\n");
}

#[test]
fn listings_are_printed() {
    let Some(pair) = Pair::new() else { return };
    pair.server.make_dir("dir/sub");
    pair.server.write("dir/sub/file", "content");
    for (command, words) in [
        ("LIST dir", "sub"),
        ("NLIST dir", "sub"),
        ("FIND dir", "dir/sub/file"),
        ("DU dir", "dir"),
        ("SIZE dir/sub/file", "7"),
        ("MODTIME dir/sub/file", "T"),
        ("QUOTE NOOP", "200"),
    ] {
        let run = pair.run(&[], command).expect(0);
        assert!(run.stdout.contains(words) || run.stderr.contains(words), "{command}: {run:#?}");
    }
    let run = pair.run(&["--json"], "LIST dir/sub; STATUS").expect(0);
    assert!(run.stdout.contains("\"name\":\"file\""), "{run:#?}");
    let status = run.stdout.lines().last().unwrap();
    assert!(status.contains("\"tls\":\"TLSv1.") && status.contains("\"data\":\"encrypted\""));
}

#[test]
fn every_parallel_connection_is_encrypted() {
    let Some(pair) = Pair::new() else { return };
    let bytes = noise(3_000_000, 2);
    for number in 0..40_u8 {
        pair.server.make_dir(format!("tree/{}", number % 4));
        pair.server.write(format!("tree/{}/{number}", number % 4), &bytes[..usize::from(number)]);
    }
    pair.server.write("large", &bytes);
    let commands = "MIRROR tree copy; MIRROR -R copy back; MIRROR --delete back copy; PGET large; \
                    LMKDIR many; LCD many; CD tree/1; MGET *; MKDIR many; CD many; MPUT *";
    pair.run(&["-j", "4", "-i"], commands).expect(0);
    assert!(pair.client.read("large") == bytes);
    for number in 0..40_u8 {
        let expected = &bytes[..usize::from(number)];
        assert_eq!(pair.client.read(format!("copy/{}/{number}", number % 4)), expected);
        assert_eq!(pair.server.read(format!("back/{}/{number}", number % 4)), expected);
        if number % 4 == 1 {
            assert_eq!(pair.server.read(format!("tree/1/many/{number}")), expected);
        }
    }
}

#[test]
fn files_and_directories_are_changed() {
    let Some(pair) = Pair::new() else { return };
    pair.server.write("file", "content");
    pair.run(&[], "MKDIR dir; RENAME file dir/file; CD dir; DELETE file; CDUP; RMDIR dir")
        .expect(0);
    assert!(!pair.server.has("dir") && !pair.server.has("file"));
}

/// Starts a client that can receive Ctrl-C, and runs a script with it.
fn with_client(
    words: &[&str],
    client: &Client,
    script: impl FnOnce(&mut ScriptedServer, &Child),
) -> Option<i32> {
    let listener = listener();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut child = client.spawn(&[words, &["127.0.0.1", &port]].concat());
    let mut server = ScriptedServer::on(&listener);
    script(&mut server, &child);
    child.wait().unwrap().code()
}

#[test]
fn ctrl_c_ends_a_handshake() {
    let status = with_client(&["--tls", "-c", "PWD"], &Client::new(), |server, child| {
        server.say("220 ready");
        server.answer("AUTH TLS", "234 go ahead");
        server.tcp().peek(&mut [0]).unwrap();
        signal(child, "INT");
        // The client has sent the beginning of a handshake, which is not a line.
        assert!(server.rest().is_ok());
    });
    assert_eq!(status, Some(130));
}

#[test]
fn ctrl_c_ends_the_handshake_of_a_data_connection() {
    let Some(identity) = Identity::new() else { return };
    let words = ["--tls", "--tls-pin", &identity.pin, "-c", "NLIST"];
    let status = with_client(&words, &Client::new(), |server, child| {
        server.welcome_to_tls(&identity, 1);
        let listener = server.epsv();
        server.answer("NLST", "150 here");
        let data = accept(&listener);
        data.peek(&mut [0]).unwrap();
        signal(child, "INT");
        server.answer("ABOR", "426 aborted\r\n226 done");
        server.finish();
    });
    assert_eq!(status, Some(130));
}

#[test]
fn ctrl_c_ends_an_upload_without_a_close_notify() {
    let Some(identity) = Identity::new() else { return };
    let client = Client::new();
    client.write("a", noise(50_000_000, 1));
    let words = ["--tls", "--tls-pin", &identity.pin, "-c", "STORE a"];
    let status = with_client(&words, &client, |server, child| {
        server.welcome_to_tls(&identity, 1);
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "550 none");
        let listener = server.epsv();
        server.answer("STOR", "150 here");
        let mut data = identity.accept(accept(&listener), 1).unwrap();
        data.read_exact(&mut [0; 1000]).unwrap();
        signal(child, "INT");
        server.hear("ABOR");
        assert!(data.all().is_err());
        server.say("426 aborted\r\n226 done");
        server.finish();
    });
    assert_eq!(status, Some(130));
}
