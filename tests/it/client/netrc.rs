//! `.netrc`: logins, and files that are refused.

use crate::support::{Client, Run, Server};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// Returns a server with the account anna, whose password is "secret", and a client.
fn with_account() -> (Server, Client) {
    (Server::with_accounts(&["anna:write:"], &[]), Client::new())
}

fn netrc(client: &Client, mode: u32, text: &str) {
    client.write(".netrc", text);
    fs::set_permissions(client.path(".netrc"), Permissions::from_mode(mode)).unwrap();
}

fn connect(client: &Client, server: &Server, options: &[&str]) -> Run {
    let (host, port) = (server.addr().ip().to_string(), server.addr().port().to_string());
    client.run(&[options, &["-v", "-c", "pwd", &host, &port]].concat())
}

#[test]
fn netrc_determines_the_login() {
    let (server, client) = with_account();
    netrc(&client, 0o600, "machine 127.0.0.1 login anna password secret\n");
    let run = connect(&client, &server, &[]).expect(0).expect_error("as anna");
    assert!(!run.stderr.contains("secret"), "{run:#?}");
    connect(&client, &server, &["-u", "anna"]).expect(0);
    connect(&client, &server, &["-u", "ben"]).expect(4).expect_error("no password");
    connect(&client, &server, &["--no-netrc"]).expect(4).expect_error("USER anonymous");
}

#[test]
fn the_default_entry_and_another_file_are_used() {
    let (server, client) = with_account();
    netrc(&client, 0o600, "machine example.org login x password y\n");
    connect(&client, &server, &[]).expect(4).expect_error("USER anonymous");
    client.write("other", "machine example.org login x\ndefault login anna password secret");
    fs::set_permissions(client.path("other"), Permissions::from_mode(0o600)).unwrap();
    let (host, port) = (server.addr().ip().to_string(), server.addr().port().to_string());
    let mut command = client.command();
    command.env("NETRC", client.path("other")).args(["-c", "pwd", &host, &port]);
    command.assert().success();
}

#[test]
fn a_password_that_others_can_read_is_refused() {
    let (server, client) = with_account();
    netrc(&client, 0o644, "machine 127.0.0.1 login anna password secret\n");
    let run = connect(&client, &server, &[]).expect(4);
    let run = run.expect_error("other users can read the password in it");
    assert!(!run.stderr.contains("USER"), "nothing was sent: {run:#?}");
    netrc(&client, 0o644, "machine 127.0.0.1 login anna\n");
    connect(&client, &server, &[]).expect(4).expect_error("no password");
    netrc(&client, 0o644, "default login ftp password me@here\n");
    connect(&client, &server, &[]).expect(4).expect_error("USER ftp");
}

#[test]
fn the_macro_init_runs_after_the_login() {
    let (server, client) = with_account();
    server.make_dir("pub");
    let text = "machine 127.0.0.1 login anna password secret\nmacdef init\nascii\ncd pub\n\n\
                machine other login x\n";
    netrc(&client, 0o600, text);
    assert_eq!(connect(&client, &server, &[]).expect(0).stdout, "/pub\n");
    let run = connect(&client, &server, &["-n"]).expect(1);
    assert!(!run.stderr.contains("CWD"), "{run:#?}");
}
