//! Setting the times of uploads on servers without MFMT: by which command, and how
//! often an unsupported command is tried.

use crate::support::Client;
use crate::support::scripted_server::{Script, ScriptedServer, play_all};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

/// 2001-09-09 01:46:40, the time of every file here.
const SECONDS: u64 = 1_000_000_000;
const DIGITS: &str = "20010909014640";

const FEATURES: &str = "211-Features:\r\n SIZE\r\n MDTM\r\n211 End";
const NONE: &str = "502 none";

/// The time at which the server stores a file.
const NOW: &str = "20260102030405";

/// The support of a server for commands that set times.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    Mfmt,
    /// `MDTM YYYYMMDDHHMMSS name`, as vsftpd does.
    Mdtm,
    /// `SITE UTIME name atime mtime ctime UTC`, and MDTM answers with the old time.
    ThreeTimes,
    /// `SITE UTIME YYYYMMDDHHMMSS name`.
    Seconds,
    /// `SITE UTIME YYYYMMDDHHMM name`.
    Minutes,
    /// SITE UTIME, which replies 200 but sets another time.
    Wrongly,
    Nothing,
}

/// The files of a server with their times.
struct TimedServer {
    takes: Takes,
    /// The reply to FEAT.
    features: &'static str,
    times: BTreeMap<String, String>,
    heard: Vec<String>,
}

impl TimedServer {
    fn new(takes: Takes, features: &'static str) -> TimedServer {
        TimedServer { takes, features, times: BTreeMap::new(), heard: Vec::new() }
    }

    fn serve(&mut self, server: &mut ScriptedServer) {
        server.with_features();
        server.serve(|server, verb, operand| {
            self.heard.push(format!("{verb} {operand}"));
            match verb {
                "FEAT" if self.takes == Takes::Mfmt && self.features == FEATURES => {
                    server.say("211-\r\n MFMT\r\n211 End");
                }
                "FEAT" => server.say(self.features),
                "STOR" => {
                    server.say("150 give me");
                    server.data().read_to_end(&mut Vec::new()).unwrap();
                    server.say("226 done");
                    self.times.insert(operand.to_owned(), NOW.to_owned());
                }
                "SIZE" => server.say("213 3"),
                "MLSD" => server.say("502 no"),
                "LIST" => server.send(self.listing()),
                "MDTM" | "MFMT" | "SITE" => {
                    let reply = self.time(verb, operand);
                    server.say(&reply);
                }
                _ => return false,
            }
            true
        });
    }

    fn listing(&self) -> String {
        let line = |(name, time): (&String, &String)| {
            let [year, month, day] = [&time[..4], &time[4..6], &time[6..8]];
            format!(
                "-rw-r--r-- 1 0 0 3 {year}-{month}-{day} {}:{} {name}\r\n",
                &time[8..10],
                &time[10..12]
            )
        };
        self.times.iter().map(line).collect()
    }

    fn time(&mut self, verb: &str, operand: &str) -> String {
        let words: Vec<&str> = operand.split(' ').collect();
        match (verb, self.takes, words.as_slice()) {
            ("MDTM", _, [name]) => {
                self.times.get(*name).map_or("550 none".to_owned(), |time| format!("213 {time}"))
            }
            ("MDTM", Takes::Mdtm, [time, name]) | ("MFMT", Takes::Mfmt, [time, name]) => {
                self.set(name, time)
            }
            ("MDTM", Takes::ThreeTimes, [_, name]) => format!("213 {}", self.times[*name]),
            ("MDTM", ..) => "550 no such file".to_owned(),
            ("SITE", Takes::ThreeTimes, ["UTIME", name, _, time, _, "UTC"]) => self.set(name, time),
            ("SITE", Takes::Seconds, ["UTIME", time, name]) if time.len() == 14 => {
                self.set(name, time)
            }
            ("SITE", Takes::Minutes, ["UTIME", time, name]) if time.len() == 12 => {
                self.set(name, &format!("{time}00"))
            }
            ("SITE", Takes::Wrongly, _) => "200 done".to_owned(),
            ("SITE", ..) => "501 what?".to_owned(),
            _ => "500 what?".to_owned(),
        }
    }

    fn set(&mut self, name: &str, time: &str) -> String {
        self.times.insert(name.to_owned(), time.to_owned());
        "213 File modification time set.".to_owned()
    }

    fn count(&self, what: &str) -> usize {
        self.heard.iter().filter(|line| line.starts_with(what)).count()
    }
}

/// Returns a client with three small files of the same old time.
fn client() -> Client {
    let client = Client::new();
    for name in ["a", "b", "c"] {
        client.write(name, "abc");
        let file = File::options().write(true).open(client.path(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(SECONDS)).unwrap();
    }
    client
}

/// Runs commands over one connection.
fn run(server: &mut TimedServer, client: &Client, commands: &str) {
    let script: Script<'_> = Box::new(|scripted| server.serve(scripted));
    play_all(client, &["-j", "1"], commands, vec![script]).expect(0);
}

#[test]
fn an_upload_gets_its_time_by_whichever_command_works() {
    let minutes = format!("{}00", &DIGITS[..12]);
    for (takes, time) in [
        (Takes::Mfmt, DIGITS),
        (Takes::Mdtm, DIGITS),
        (Takes::ThreeTimes, DIGITS),
        (Takes::Seconds, DIGITS),
        (Takes::Minutes, &minutes),
        (Takes::Wrongly, NOW),
        (Takes::Nothing, NOW),
    ] {
        for (commands, features) in [
            ("STORE a; STORE b; STORE c", FEATURES),
            ("MPUT a b c", FEATURES),
            ("MPUT a b c", NONE),
        ] {
            let mut server = TimedServer::new(takes, features);
            run(&mut server, &client(), commands);
            let times: Vec<&str> = server.times.values().map(String::as_str).collect();
            assert_eq!(times, [time; 3], "{takes:?}: {:#?}", server.heard);
        }
    }
}

#[test]
fn a_command_that_does_not_work_is_tried_once_per_session() {
    for (takes, tries) in [
        (Takes::Mdtm, [("MFMT", 0), ("MDTM 2001", 3), ("SITE UTIME", 0)]),
        (Takes::ThreeTimes, [("MFMT", 0), ("MDTM 2001", 1), ("SITE UTIME", 3)]),
        (Takes::Seconds, [("MFMT", 0), ("MDTM 2001", 1), ("SITE UTIME", 4)]),
        (Takes::Minutes, [("MFMT", 0), ("MDTM 2001", 1), ("SITE UTIME", 5)]),
        (Takes::Wrongly, [("MFMT", 0), ("MDTM 2001", 1), ("SITE UTIME", 3)]),
        (Takes::Nothing, [("MFMT", 0), ("MDTM 2001", 1), ("SITE UTIME", 3)]),
    ] {
        let mut server = TimedServer::new(takes, FEATURES);
        run(&mut server, &client(), "STORE a; MPUT b c");
        for (command, count) in tries {
            assert_eq!(server.count(command), count, "{takes:?} {command}: {:#?}", server.heard);
        }
        // The client checks only once that the command works.
        assert!(server.count("MDTM a") + server.count("MDTM b") <= 3, "{:#?}", server.heard);
        assert_eq!(server.count("MDTM c"), 0, "{:#?}", server.heard);
    }
}

#[test]
fn a_second_mirror_sends_nothing_whichever_command_sets_times() {
    for takes in [Takes::Mdtm, Takes::ThreeTimes, Takes::Minutes, Takes::Nothing] {
        let (mut server, client) = (TimedServer::new(takes, FEATURES), client());
        run(&mut server, &client, "MIRROR -R . .");
        assert_eq!(server.count("STOR"), 3, "{takes:?}");
        run(&mut server, &client, "MIRROR -R . .");
        assert_eq!(server.count("STOR"), 3, "{takes:?}: {:#?}", server.heard);
    }
}

#[test]
fn a_server_that_lists_mlst_gets_only_listed_commands() {
    for (features, tries) in [
        ("211-Features:\r\n MLST type*;\r\n211 End", 0),
        ("211-Features:\r\n MLST type*;\r\n SITE UTIME\r\n211 End", 3),
        ("211-Features:\r\n MLST type*;\r\n UTIME\r\n211 End", 3),
    ] {
        let mut server = TimedServer::new(Takes::ThreeTimes, features);
        run(&mut server, &client(), "STORE a; MPUT b c");
        assert_eq!(server.count("SITE UTIME"), tries, "{features}: {:#?}", server.heard);
    }
}
