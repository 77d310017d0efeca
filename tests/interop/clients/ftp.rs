//! Debian's two programs named `ftp`, of tnftp and inetutils, with a script as standard input, in
//! passive and active mode.

use crate::support::content::{NAMES, SIZES, TEXT, assert_holds, noise};
use crate::support::fixture::{Site, names_in, run_unrefused};
use std::process::Output;

/// A program, its options, and the command that it uses for data connections.
struct Ftp {
    program: &'static str,
    options: &'static [&'static str],
    verb: &'static str,
}

/// The programs, without automatic login and questions. They print every reply, because their exit
/// status does not show failures.
const PROGRAMS: [Ftp; 4] = [
    Ftp { program: "tnftp", options: &["-n", "-i", "-v"], verb: "EPSV" },
    Ftp { program: "tnftp", options: &["-n", "-i", "-v", "-A"], verb: "EPRT" },
    Ftp { program: "inetutils-ftp", options: &["-n", "-i", "-v"], verb: "PORT" },
    Ftp { program: "inetutils-ftp", options: &["-n", "-i", "-v", "-p"], verb: "PASV" },
];

impl Ftp {
    /// Runs `script` in a session, and checks that no command is refused.
    fn run(&self, site: &Site, script: impl AsRef<[u8]>) -> Output {
        let login = format!("open {} {}\nuser anonymous me@\n", site.host(), site.port());
        let script = [login.as_bytes(), script.as_ref(), b"\nquit\n"].concat();
        run_unrefused(site.scripted(self.program, &script).args(self.options))
    }
}

/// Escapes a name for a script.
fn escaped(name: &[u8]) -> Vec<u8> {
    name.iter().flat_map(|&byte| [b'\\', byte]).filter(|&byte| byte != 0).collect()
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn every_size_round_trips() {
    for ftp in PROGRAMS {
        let site = Site::start();
        for size in SIZES {
            site.put_here("file", &noise(size));
            ftp.run(&site, "binary\nput file\nget file back\n");
            assert_holds(site.there("file"), &noise(size));
            assert_holds(site.here("back"), &noise(size));
        }
        site.assert_sent(ftp.verb);
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn every_name_round_trips() {
    for ftp in PROGRAMS {
        let site = Site::start();
        let mut script = b"binary\n".to_vec();
        for (number, name) in NAMES.iter().enumerate() {
            site.put_here(format!("{number}"), name);
            let name = escaped(name);
            script.extend_from_slice(format!("put {number} ").as_bytes());
            script.extend_from_slice(&[&name, &b"\nget "[..], &name].concat());
            script.extend_from_slice(format!(" {number}.back\n").as_bytes());
        }
        ftp.run(&site, script);
        for (number, name) in NAMES.iter().enumerate() {
            assert_holds(site.there(name), name);
            assert_holds(site.here(format!("{number}.back")), name);
        }
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn lines_round_trip() {
    for ftp in PROGRAMS {
        let site = Site::start();
        site.put_here("text", TEXT);
        ftp.run(&site, "ascii\nput text\nget text back");
        assert_holds(site.there("text"), TEXT);
        assert_holds(site.here("back"), TEXT);
        assert!(site.commands().contains(&"TYPE A".into()));
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn many_files_round_trip() {
    for ftp in PROGRAMS {
        let site = Site::start();
        ["one", "two", "three"].iter().for_each(|name| site.put_here(name, name.as_bytes()));
        ["four", "five"].iter().for_each(|name| site.put_there(name, name.as_bytes()));
        ftp.run(&site, "binary\nmput t* one\nmget four five");
        assert_eq!(names_in(&site.there("")).len(), 5, "all are there");
        assert_eq!(names_in(&site.here("")).len(), 5, "all are here");
        ["one", "two", "three"]
            .iter()
            .for_each(|name| assert_holds(site.there(name), name.as_bytes()));
        ["four", "five"].iter().for_each(|name| assert_holds(site.here(name), name.as_bytes()));
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn globs_choose_files() {
    for ftp in PROGRAMS {
        let site = Site::start();
        ["a1", "a2", "b1", "c1"].iter().for_each(|name| site.put_there(name, name.as_bytes()));
        ftp.run(&site, "binary\nmget a* [bd]?\nmdelete a*");
        assert_eq!(names_in(&site.here("")), [&b"a1"[..], b"a2", b"b1"]);
        assert_eq!(names_in(&site.there("")), [&b"b1"[..], b"c1"]);
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn listings_show_every_name() {
    for ftp in PROGRAMS {
        let site = Site::start();
        NAMES.iter().for_each(|name| site.put_there(name, b"x"));
        for command in ["ls", "nlist"] {
            let output = ftp.run(&site, command).stdout;
            let shown = |name: &&[u8]| {
                output
                    .split(|&byte| byte == b'\n')
                    .any(|line| line.trim_ascii_end().ends_with(name))
            };
            let unseen: Vec<_> = NAMES.iter().filter(|name| !shown(name)).collect();
            assert!(unseen.is_empty(), "{command} of {} lacks {unseen:?}", ftp.program);
        }
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn directories_and_files_are_managed() {
    for ftp in PROGRAMS {
        let site = Site::start();
        site.put_there("old", b"content");
        site.put_there("doomed", b"");
        let script = "mkdir one\nmkdir \"one/t wo\"\ncd \"one/t wo\"\npwd\ncd ..\nrmdir \"t wo\"\n\
                      cdup\nrename old one/new\ndelete doomed\nchmod 600 one/new\nsize one/new\n\
                      modtime one/new\nsystem\nremotehelp\nrstatus";
        let text = String::from_utf8(ftp.run(&site, script).stdout).expect("UTF-8");
        assert!(text.contains("/one/t wo"), "{text}");
        assert_eq!(names_in(&site.there("")), [b"one"]);
        assert_holds(site.there("one/new"), b"content");
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn append_adds_to_a_file() {
    for ftp in PROGRAMS {
        let site = Site::start();
        site.put_there("file", b"head ");
        site.put_here("file", b"tail");
        ftp.run(&site, "binary\nappend file file");
        assert_holds(site.there("file"), b"head tail");
    }
}

#[test]
#[ignore = "needs tnftp and inetutils-ftp"]
fn transfers_start_again_where_they_ended() {
    for ftp in PROGRAMS {
        let site = Site::start();
        let content = noise(300_000);
        site.put_there("file", &content);
        site.put_here("file", &content[..100_000]);
        ftp.run(&site, "binary\nreget file");
        assert_holds(site.here("file"), &content);
        site.put_there("file", &content[..200_000]);
        ftp.run(&site, "binary\nrestart 200000\nput file");
        assert_holds(site.there("file"), &content);
    }
}

#[test]
#[ignore = "needs tnftp"]
fn tnftp_takes_urls() {
    let site = Site::start();
    let content = noise(100_000);
    site.put_here("file", &content);
    let url = site.url("file");
    run_unrefused(site.client("tnftp").args(["-u", &url, "file"]));
    assert_holds(site.there("file"), &content);
    run_unrefused(site.client("tnftp").args(["-o", "back", &url]));
    assert_holds(site.here("back"), &content);
}
