//! Perl's Net::FTP.

use crate::support::content::{LARGE, NAMES, SIZES, TEXT, assert_holds, noise};
use crate::support::fixture::{Site, run};

/// The beginning of every program: it defines `$ftp`, and `same` to compare values.
const CONNECT: &str = r#"
use strict;
use warnings;
use Net::FTP;
my ($host, $port, $passive, $there) = @ARGV;
my $ftp = Net::FTP->new($host, Port => $port, Passive => $passive, Timeout => 30) or die $@;
sub ok {
    my ($result, $what) = @_;
    defined $result or die "$what: ", $ftp->message;
    return $result;
}
sub same {
    my ($found, $wanted) = @_;
    $found eq $wanted or die "'$found' is not '$wanted'";
}
ok $ftp->login('anonymous', 'me@'), 'login';
ok $ftp->binary, 'binary';
"#;

#[derive(Clone, Copy)]
enum Mode {
    Passive,
    Active,
}

fn perl(site: &Site, mode: Mode, program: &str) {
    let program = format!("{CONNECT}{program}\nok $ftp->quit, 'quit';\n");
    let passive = match mode {
        Mode::Passive => "1",
        Mode::Active => "0",
    };
    let mut command = site.client("perl");
    command.args(["-e", &program, site.host(), &site.port(), passive]).arg(site.there(""));
    run(&mut command);
}

fn every_size_round_trips(site: &Site, mode: Mode) {
    for size in SIZES {
        site.put_here("file", &noise(size));
        perl(
            site,
            mode,
            "ok $ftp->put('file'), 'put';
             same $ftp->size('file'), -s 'file';
             ok $ftp->get('file', 'back'), 'get';",
        );
        assert_holds(site.there("file"), &noise(size));
        assert_holds(site.here("back"), &noise(size));
    }
}

#[test]
#[ignore = "needs perl"]
fn every_size_round_trips_in_passive_mode() {
    let site = Site::start();
    every_size_round_trips(&site, Mode::Passive);
    site.assert_sent("PASV");
}

#[test]
#[ignore = "needs perl"]
fn every_size_round_trips_in_active_mode() {
    let site = Site::start();
    every_size_round_trips(&site, Mode::Active);
    site.assert_sent("PORT");
}

#[test]
#[ignore = "needs perl and IPv6"]
fn every_size_round_trips_over_ipv6() {
    every_size_round_trips(&Site::start_on("::1"), Mode::Passive);
    every_size_round_trips(&Site::start_on("::1"), Mode::Active);
}

#[test]
#[ignore = "needs perl"]
fn every_name_round_trips() {
    let site = Site::start();
    NAMES.iter().for_each(|name| site.put_here(name, name));
    let program = r#"
        for my $name (glob('*.bin')) {
            ok $ftp->put($name, $name), "put $name";
            ok $ftp->get($name, "$name.back"), "get $name";
        }
        same join("\n", sort $ftp->ls), join("\n", sort glob('*.bin'));
    "#;
    perl(&site, Mode::Passive, program);
    for name in NAMES {
        assert_holds(site.there(name), name);
        assert_holds(site.here([name, b".back"].concat()), name);
    }
}

#[test]
#[ignore = "needs perl"]
fn lines_round_trip() {
    let site = Site::start();
    site.put_here("text", TEXT);
    let program = "
        ok $ftp->ascii, 'ascii';
        ok $ftp->put('text'), 'put';
        ok $ftp->get('text', 'back'), 'get';
    ";
    perl(&site, Mode::Passive, program);
    assert_holds(site.there("text"), TEXT);
    assert_holds(site.here("back"), TEXT);
}

#[test]
#[ignore = "needs perl"]
fn a_download_starts_in_the_middle() {
    let site = Site::start();
    site.put_there("file", &noise(LARGE));
    site.put_here("file", &noise(LARGE)[..1_000_000]);
    perl(&site, Mode::Passive, "ok $ftp->get('file', 'file', 1_000_000), 'get';");
    assert_holds(site.here("file"), &noise(LARGE));
}

#[test]
#[ignore = "needs perl"]
fn a_download_is_aborted_and_the_session_continues() {
    let site = Site::start();
    site.put_there("file", &noise(50 * 1024 * 1024));
    let program = "
        my $data = ok $ftp->retr('file'), 'retr';
        $data->read(my $some, 1000) or die 'nothing came';
        $data->abort;
        same $ftp->pwd, '/';
        same $ftp->size('file'), 50 * 1024 * 1024;
    ";
    perl(&site, Mode::Passive, program);
}

#[test]
#[ignore = "needs perl"]
fn append_and_unique_names_work() {
    let site = Site::start();
    site.put_there("file", b"head ");
    site.put_here("file", b"tail");
    let program = "
        ok $ftp->append('file', 'file'), 'append';
        ok $ftp->put_unique('file', 'file'), 'put_unique';
        my $name = ok $ftp->unique_name, 'unique_name';
        ok $ftp->rename($name, 'renamed'), 'rename';
    ";
    perl(&site, Mode::Passive, program);
    assert_holds(site.there("file"), b"head tail");
    assert_holds(site.there("renamed"), b"tail");
}

#[test]
#[ignore = "needs perl"]
fn directories_and_files_are_managed() {
    let site = Site::start();
    site.put_there("old", b"content");
    let program = r#"
        same ok($ftp->mkdir('one/two "words"/three', 1), 'mkdir'), '/one/two "words"/three';
        ok $ftp->cwd('one/two "words"'), 'cwd';
        same $ftp->pwd, '/one/two "words"';
        ok $ftp->cdup, 'cdup';
        same $ftp->pwd, '/one';
        ok $ftp->cwd('/'), 'cwd';
        same ok($ftp->mdtm('old'), 'mdtm'), (stat "$there/old")[9];
        ok $ftp->rename('old', 'one/new'), 'rename';
        same scalar(my @lines = $ftp->dir('one')), 2;
        ok $ftp->delete('one/new'), 'delete';
        ok $ftp->rmdir('one', 1), 'rmdir';
        same scalar(my @names = $ftp->ls), 0;
        same $ftp->supported('MDTM'), 1;
        same ok($ftp->site('HELP'), 'site'), 2;
    "#;
    perl(&site, Mode::Passive, program);
    assert!(!site.there("one").exists());
}
