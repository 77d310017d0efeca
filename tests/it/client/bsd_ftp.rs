//! Commands and options of BSD ftp, as scripts use them.

use crate::support::{Client, Run, Server, at_once};
use std::os::unix::fs::PermissionsExt;

/// Runs a here-document with `-n`, which logs in by itself.
fn script(server: &Server, client: &Client, lines: &str) -> Run {
    let (host, port) = (server.addr().ip(), server.addr().port());
    let script = format!("open {host} {port}\nuser anonymous me@here\n{lines}\nbye\n");
    client.pipe(&["-n", "-i"], &script)
}

#[test]
fn a_here_document_for_bsd_ftp_runs_unchanged() {
    let (server, client) = (Server::start(), Client::new());
    client.write("report.txt", "content");
    let lines = "binary\nhash\nprompt\nbell\nglob\nverbose\nmode stream\nform non-print\n\
                 struct file\nmkdir incoming\ncd incoming\nlcd .\nput report.txt\n\
                 rename report.txt today.txt\nget today.txt back.txt\nbin\ntype\nstatus";
    let run = script(&server, &client, lines).expect(0);
    assert_eq!(server.read("incoming/today.txt"), b"content");
    assert_eq!(client.read("back.txt"), b"content");
    assert!(run.stdout.starts_with("binary\nconnected to 127.0.0.1:/incoming\n"), "{run:#?}");
}

#[test]
fn without_automatic_login_the_script_logs_in() {
    let (server, client) = (Server::start(), Client::new());
    let open = format!("open {} {}", server.addr().ip(), server.addr().port());
    client.pipe(&["-n"], &format!("{open}\npwd\n")).expect(1).expect_error("530");
    let run = client.pipe(&["-n"], &format!("{open}\nuser ftp me@\npwd\n")).expect(0);
    assert_eq!(run.stdout, "/\n");
}

#[test]
fn the_options_of_bsd_ftp_are_accepted() {
    let (server, client) = (Server::start(), Client::new());
    let port = server.addr().port().to_string();
    let run = client.run(&["-p", "-e", "-t", "-c", "pwd", "127.0.0.1", &port]).expect(0);
    assert_eq!(run.stdout, "/\n");
}

#[test]
fn a_single_quote_is_part_of_a_name() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("'PROD.DATA.'");
    server.write("'PROD.DATA.'/don't.txt", "content");
    script(&server, &client, "cd 'PROD.DATA.'\nget don't.txt").expect(0);
    assert_eq!(client.read("don't.txt"), b"content");
}

#[test]
fn the_type_of_a_url_selects_the_transfer_type() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", "one\ntwo\n");
    for (code, heard) in [("a", "TYPE A"), ("i", "TYPE I")] {
        let url = format!("ftp://{}/a;type={code}", server.addr());
        client.run(&["-v", &url]).expect(0).expect_error(heard);
        assert_eq!(client.read("a"), b"one\ntwo\n");
    }
}

#[test]
fn unique_prefixes_of_commands_are_accepted() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a", "content");
    script(&server, &client, "bin\nsto a\nmodt a\nmkd dir\nstat\nrena a b").expect(0);
    assert!(server.has("b") && server.has("dir"));
    client.run(&["-c", "m"]).expect(2).expect_error("ambiguous command: ");
}

#[test]
fn a_listing_is_written_to_a_file_and_never_to_a_program() {
    let (server, client) = (Server::start(), Client::new());
    server.write("one", "");
    let run = script(&server, &client, "ls . lines\nnlist one names\nnlist one -").expect(0);
    assert!(String::from_utf8(client.read("lines")).unwrap().ends_with(" one\n"));
    assert_eq!(client.read("names"), b"one\n");
    assert_eq!(run.stdout, "one\n");
    script(&server, &client, "ls . \"|touch gotcha\"").expect(2).expect_error("begins with |");
    assert_eq!(client.names(), ["lines", "names"]);
}

#[test]
fn mdelete_deletes_only_matching_files() {
    let (server, client) = (Server::start(), Client::new());
    ["a.c", "b.c", "b.h", "c*"].iter().for_each(|name| server.write(name, ""));
    server.make_dir("d.c");
    server.write("d.c/inside", "");
    script(&server, &client, "rmdir d.c").expect(1);
    script(&server, &client, "mdelete b.? a.c").expect(0);
    assert!(!server.has("a.c") && !server.has("b.c") && !server.has("b.h"));
    script(&server, &client, "glob off\nmdelete c*").expect(0);
    assert!(!server.has("c*") && server.has("d.c/inside"));
    script(&server, &client, "mdelete x*").expect(1).expect_error("no file matches x*");
    server.write("d.c/e.c", "");
    script(&server, &client, "mdelete */*.c").expect(0);
    assert!(!server.has("d.c/e.c") && server.has("d.c/inside"));
    script(&server, &client, "mdelete missing d.c/inside").expect(1).expect_error("missing: 550");
    assert!(!server.has("d.c/inside"), "the others are deleted");
}

#[test]
fn mkdir_p_makes_parent_directories() {
    let (server, client) = (Server::start(), Client::new());
    script(&server, &client, "mkdir -p a/b/c d\nmkdir -p a/b/c\nmkdir e f").expect(0);
    assert!(["a/b/c", "d", "e", "f"].iter().all(|dir| server.has(dir)));
    script(&server, &client, "mkdir d").expect(1);
}

#[test]
fn chmod_sets_modes() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a b", "");
    script(&server, &client, "chmod 640 \"a b\"").expect(0);
    assert_eq!(server.path("a b").metadata().unwrap().permissions().mode() & 0o777, 0o640);
    script(&server, &client, "chmod u+x \"a b\"").expect(2);
}

#[test]
fn replies_to_raw_commands_are_printed() {
    let (server, client) = (Server::start(), Client::new());
    let run = script(&server, &client, "system\nsite help\nrhelp\nrstatus\nfeatures").expect(0);
    for words in ["215 UNIX", "CHMOD", "RETR", "MLST"] {
        assert!(run.stdout.contains(words), "{words}: {run:#?}");
    }
}

#[test]
fn cat_and_more_print_files() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", "one\n");
    server.write("b", b"\x1b\xff");
    let run = script(&server, &client, "cat a a\nmore a").expect(0);
    assert_eq!(run.stdout, "one\none\none\n");
}

#[test]
fn macros_replace_their_words() {
    let (server, client) = (Server::start(), Client::new());
    ["a", "b", "x y"].iter().for_each(|name| server.write(name, name));
    let lines =
        "macdef fetch\nget $1 $2\n\nmacdef each\nsize $i\n\n$fetch \"x y\" \"z z\"\n$ each a b";
    let run = script(&server, &client, lines).expect(0);
    assert_eq!(client.read("z z"), b"x y");
    assert_eq!(run.stdout, "1\n1\n");
    script(&server, &client, "$missing").expect(2).expect_error("unknown macro missing");
    script(&server, &client, "macdef a\n$a\n\n$a")
        .expect(2)
        .expect_error("the macros expand to more than");
}

#[test]
fn local_commands_work_without_a_server() {
    let client = Client::new();
    client.write("a", "12345");
    let run = client
        .pipe(&[], "lmkdir dir\nlls\nlcd dir\nlls\n!echo \"$((1 + 1))\"; pwd\nlcd\nlcd ~/dir\n");
    let run = run.expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].contains(" 5 ") && lines[0].ends_with(" a"), "{run:#?}");
    assert!(lines[1].starts_with('d') && lines[1].ends_with(" dir"), "{run:#?}");
    assert_eq!(lines[2], "2");
    assert!(lines[3].ends_with("/dir"), "{run:#?}");
    client.run(&["-c", "!exit 3"]).expect(1).expect_error("status 3");
}

#[test]
fn lcd_minus_returns_to_the_previous_directory() {
    let client = Client::new();
    std::fs::create_dir(client.path("dir")).unwrap();
    let run = client.pipe(&[], "lcd dir\nlcd -\nlls\nlcd -\nlls\n").expect(0);
    assert_eq!(run.stdout.lines().count(), 1, "{run:#?}");
    client.pipe(&[], "lcd -\n").expect(2);
}

#[test]
fn newer_fetches_only_a_newer_file() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", "new");
    let run = script(&server, &client, "newer a\nnewer a\nnewer a b").expect(0);
    assert_eq!(run.stderr.matches("not newer").count(), 1, "{run:#?}");
    client.write("a", "old");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let old = std::fs::File::options().write(true).open(client.path("a")).unwrap();
    old.set_modified(long_ago).unwrap();
    script(&server, &client, "newer a").expect(0);
    assert_eq!(client.read("a"), b"new");
    assert_eq!(client.read("b"), b"new");
    script(&server, &client, "newer missing").expect(1);
}

#[test]
fn a_program_does_not_read_the_script() {
    let client = Client::new();
    client.write("a", "");
    let run = client.pipe(&[], "!cat\nlls\n").expect(0);
    assert!(run.stdout.ends_with(" a\n"), "{run:#?}");
}

#[test]
fn a_failed_connect_keeps_the_old_connection() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("dir");
    let taken = crate::support::wire::connect(server.addr());
    let nobody = taken.local_addr().unwrap().port();
    let (host, port) = (server.addr().ip(), server.addr().port());
    let script = format!("open {host} {port}\ncd dir\nopen {host} {nobody}\npwd\n");
    let run = client.pipe(&["-k"], &script).expect(3).expect_error("cannot connect");
    assert_eq!(run.stdout, "/dir\n");
}

#[test]
fn open_takes_a_user_and_a_url() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("a b");
    let (host, port) = (server.addr().ip(), server.addr().port());
    for open in [
        format!("open -u ftp {host} {port}"),
        format!("open -u ftp -p {port} {host}"),
        format!("open ftp://ftp@{host}:{port}"),
    ] {
        let run = client.run(&["-c", &format!("{open}; pwd")]).expect(0).expect_error("as ftp");
        assert_eq!(run.stdout, "/\n");
    }
    let run = client.run(&["-c", &format!("open ftp://{host}:{port}/a%20b; pwd")]).expect(0);
    assert_eq!(run.stdout, "/a b\n");
}

#[test]
fn no_password_is_shown_in_an_error() {
    let cases = [
        ("open ftp://me:hunter2@HOST:PORT/", 4),
        ("open ftps://me:hunter2@HOST:PORT/", 3),
        ("open ftp://me:hunter2@HOST:x/", 2),
        ("open -u me,hunter2 HOST PORT", 4),
        ("open HOST PORT; account hunter2", 1),
        ("open HOST PORT; user me hunter2", 4),
        ("open HOST PORT; quote PASS hunter2", 1),
        ("user me \"hunter2", 2),
    ];
    at_once(cases, |(command, status)| {
        let (server, client) = (Server::start(), Client::new());
        let (host, port) = (server.addr().ip().to_string(), server.addr().port().to_string());
        let command = command.replace("HOST", &host).replace("PORT", &port);
        let run = client.run(&["-c", &command]);
        assert!(!run.stderr.contains("hunter2"), "{run:#?}");
        if !command.contains("account") {
            run.expect(status);
        }
    });
}

#[test]
fn cd_changes_to_the_previous_directory_and_the_root() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("a");
    server.make_dir("b");
    let run = script(&server, &client, "cd /a\ncd /b\ncd -\npwd\ncd\npwd").expect(0);
    assert_eq!(run.stdout, "/a\n/\n");
}

#[test]
fn cd_minus_works_after_relative_paths() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("a/b");
    server.make_dir("c");
    let lines = "cd a\ncd b\ncd -\npwd\ncd b\ncd ..\ncd -\npwd\ncd /c\ncd -\npwd\ncdup\ncd -\npwd";
    let run = script(&server, &client, lines).expect(0);
    assert_eq!(run.stdout, "/a\n/a/b\n/a/b\n/a/b\n");
    script(&server, &client, "cd -").expect(2).expect_error("there is no previous");
}

#[test]
fn runique_and_case_change_local_names() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d");
    for name in ["README", "d/README", "Mixed"] {
        server.write(name, name);
    }
    client.write("readme", "here");
    let lines = "runique\ncase\nget README\nget README README\nmget README d/README Mi*\nprompt";
    script(&server, &client, lines).expect(0);
    assert_eq!(client.names(), ["Mixed", "README", "readme", "readme.1", "readme.2", "readme.3"]);
    assert_eq!(client.read("readme"), b"here");
    assert_eq!(client.read("readme.3"), b"d/README");
    script(&server, &client, "get README").expect(0);
    assert_eq!(client.names().len(), 6);
    script(&server, &client, "case\nget README\nget Mixed").expect(0);
    assert_eq!(client.names().len(), 6);
    assert_eq!(client.read("readme"), b"README");
}

#[test]
fn cr_off_keeps_carriage_returns() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", "one\ntwo\n");
    script(&server, &client, "ascii\nget a\ncr\nget a b\ncr on\nget a c").expect(0);
    assert_eq!(client.read("a"), b"one\ntwo\n");
    assert_eq!(client.read("b"), b"one\r\ntwo\r\n");
    assert_eq!(client.read("c"), b"one\ntwo\n");
}

#[test]
fn unsupported_commands_say_why() {
    let (server, client) = (Server::start(), Client::new());
    for line in ["sunique", "nmap $1 $2", "ntrans", "proxy open there", "type tenex", "help proxy"]
    {
        script(&server, &client, line).expect(2).expect_error("not supported: ");
    }
    script(&server, &client, "type strange").expect(2).expect_error("expected ascii or binary");
}
