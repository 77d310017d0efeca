//! Python's ftplib, which parses replies strictly. Each test is a Python program with its own
//! assertions; the Rust test then checks the files.

use crate::support::content::{LARGE, NAMES, SIZES, TEXT, assert_holds, noise};
use crate::support::fixture::{Site, run};
use std::fs;

/// The beginning of every program.
const CONNECT: &str = "\
import ftplib, io, os, sys

host, port, encoding = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ftp = ftplib.FTP(encoding=encoding)
ftp.connect(host, port, timeout=30)
ftp.login()

def same(found, wanted):
    assert found == wanted, f'{found!r:.200} is not {wanted!r:.200}'
";

fn python(site: &Site, program: &str) {
    python_in(site, "utf-8", program);
}

/// Runs a program that ends with QUIT; names are in `encoding` on the wire.
fn python_in(site: &Site, encoding: &str, program: &str) {
    let program = format!("{CONNECT}{program}\nsame(ftp.quit()[:3], '221')\n");
    run(site.client("python3").args(["-c", &program, site.host(), &site.port(), encoding]));
}

fn every_size_round_trips(site: &Site, passive: &str) {
    for size in SIZES {
        site.put_here(size.to_string(), &noise(size));
    }
    let program = format!(
        "\
ftp.set_pasv({passive})
for name in sorted(os.listdir()):
    with open(name, 'rb') as file:
        same(ftp.storbinary('STOR ' + name, file), '226 Transfer complete.')
    with open(name + '.back', 'wb') as file:
        ftp.retrbinary('RETR ' + name, file.write)
"
    );
    python(site, &program);
    for size in SIZES {
        assert_holds(site.there(size.to_string()), &noise(size));
        assert_holds(site.here(format!("{size}.back")), &noise(size));
    }
}

#[test]
#[ignore = "needs python3"]
fn every_size_round_trips_in_passive_mode() {
    let site = Site::start();
    every_size_round_trips(&site, "True");
    site.assert_sent("PASV");
}

#[test]
#[ignore = "needs python3"]
fn every_size_round_trips_in_active_mode() {
    let site = Site::start();
    every_size_round_trips(&site, "False");
    site.assert_sent("PORT");
}

#[test]
#[ignore = "needs python3 and IPv6"]
fn every_size_round_trips_in_passive_mode_over_ipv6() {
    let site = Site::start_on("::1");
    every_size_round_trips(&site, "True");
    site.assert_sent("EPSV");
}

#[test]
#[ignore = "needs python3 and IPv6"]
fn every_size_round_trips_in_active_mode_over_ipv6() {
    let site = Site::start_on("::1");
    every_size_round_trips(&site, "False");
    site.assert_sent("EPRT");
}

#[test]
#[ignore = "needs python3"]
fn every_name_round_trips() {
    let site = Site::start();
    for name in NAMES {
        site.put_here(name, name);
    }
    // Names that are not UTF-8 are read from the system, and sent, as Latin-1.
    let program = "
for name in sorted(os.listdir(b'.')):
    wire = name.decode('latin-1')
    with open(name, 'rb') as file:
        ftp.storbinary('STOR ' + wire, file)
    with open(name + b'.back', 'wb') as file:
        ftp.retrbinary('RETR ' + wire, file.write)
same(sorted(ftp.nlst()), sorted(n.decode('latin-1') for n in os.listdir(b'.')
                                if not n.endswith(b'.back')))
same(sorted(n for n, facts in ftp.mlsd() if facts['type'] == 'file'), sorted(ftp.nlst()))
";
    python_in(&site, "latin-1", program);
    for name in NAMES {
        assert_holds(site.there(name), name);
        assert_holds(site.here([name, b".back"].concat()), name);
    }
}

#[test]
#[ignore = "needs python3"]
fn lines_round_trip() {
    let site = Site::start();
    site.put_here("text", TEXT);
    let program = "
with open('text', 'rb') as file:
    ftp.storlines('STOR text', file)
lines = []
ftp.retrlines('RETR text', lines.append)
same('\\n'.join(lines), open('text', newline='').read())
";
    python(&site, program);
    // ftplib adds a line end to every line, even the last one.
    assert_holds(site.there("text"), &[TEXT, b"\n"].concat());
}

#[test]
#[ignore = "needs python3"]
fn names_and_facts_are_listed() {
    let site = Site::start();
    site.put_there("file", b"12345");
    fs::create_dir(site.there("dir")).expect("a directory");
    let program = "
same(ftp.nlst(), ['dir', 'file'])
same(ftp.nlst('dir'), [])
same(ftp.nlst('file'), ['file'])
facts = dict(ftp.mlsd('/', facts=['type', 'size']))
same(facts['file'], {'type': 'file', 'size': '5'})
same(facts['dir']['type'], 'dir')
lines = []
ftp.dir(lines.append)
same([(line[0], line.split()[-1]) for line in lines], [('d', 'dir'), ('-', 'file')])
";
    python(&site, program);
}

#[test]
#[ignore = "needs python3"]
fn files_are_renamed_and_deleted() {
    let site = Site::start();
    site.put_there("old name", b"content");
    site.put_there("doomed", b"");
    let program = "
ftp.rename('old name', 'new name')
ftp.delete('doomed')
same(ftp.nlst(), ['new name'])
for wrong in (lambda: ftp.delete('doomed'), lambda: ftp.rename('old name', 'x')):
    try:
        wrong()
    except ftplib.error_perm as error:
        same(str(error)[:3], '550')
    else:
        raise AssertionError('done to a file that is not there')
";
    python(&site, program);
    assert_holds(site.there("new name"), b"content");
}

#[test]
#[ignore = "needs python3"]
fn directories_are_made_entered_and_removed() {
    let site = Site::start();
    let program = "
name = 'a \"quoted\" name'
same(ftp.pwd(), '/')
same(ftp.mkd(name), '/' + name)
ftp.cwd(name)
same(ftp.pwd(), '/' + name)
same(ftp.mkd('inner'), '/' + name + '/inner')
ftp.cwd('inner')
ftp.cwd('..')
same(ftp.pwd(), '/' + name)
ftp.rmd('inner')
ftp.cwd('/')
ftp.rmd(name)
same(ftp.nlst(), [])
";
    python(&site, program);
}

#[test]
#[ignore = "needs python3"]
fn size_is_that_of_the_transfer() {
    let site = Site::start();
    site.put_there("text", b"a\nb\n");
    let program = "
ftp.voidcmd('TYPE I')
same(ftp.size('text'), 4)
ftp.voidcmd('TYPE A')
same(ftp.size('text'), 6)
";
    python(&site, program);
}

#[test]
#[ignore = "needs python3"]
fn a_download_is_aborted_and_the_session_continues() {
    let site = Site::start();
    site.put_there("large", &noise(50 * 1024 * 1024));
    site.put_there("small", b"content");
    let program = "
ftp.voidcmd('TYPE I')
data = ftp.transfercmd('RETR large')
same(len(data.recv(1000)) > 0, True)
same(ftp.abort()[:3], '426')
same(ftp.voidresp()[:3], '226')
data.close()
same(ftp.voidcmd('NOOP')[:3], '200')
content = io.BytesIO()
ftp.retrbinary('RETR small', content.write)
same(content.getvalue(), b'content')
";
    python(&site, program);
}

#[test]
#[ignore = "needs python3"]
fn an_upload_is_aborted_and_the_old_file_stays() {
    let site = Site::start();
    site.put_there("file", b"old");
    let program = "
ftp.voidcmd('TYPE I')
data = ftp.transfercmd('STOR file')
data.sendall(b'x' * 1000000)
same(ftp.abort()[:3], '426')
same(ftp.voidresp()[:3], '226')
data.close()
same(ftp.size('file'), 3)
same(ftp.nlst(), ['file'])
";
    python(&site, program);
    assert_holds(site.there("file"), b"old");
}

#[test]
#[ignore = "needs python3"]
fn an_abort_without_a_transfer_is_answered_once() {
    let program = "
same(ftp.abort()[:3] in ('225', '226'), True)
same(ftp.voidcmd('NOOP')[:3], '200')
";
    python(&Site::start(), program);
}

#[test]
#[ignore = "needs python3"]
fn transfers_start_again_in_the_middle() {
    let site = Site::start();
    let content = noise(LARGE);
    site.put_there("down", &content);
    site.put_there("up", &content[..LARGE / 2]);
    site.put_here("up", &content);
    let program = "
ftp.voidcmd('TYPE I')
half = ftp.size('up')
with open('down', 'wb') as file:
    ftp.retrbinary('RETR down', file.write, rest=half)
with open('up', 'rb') as file:
    file.seek(half)
    ftp.storbinary('STOR up', file, rest=half)
";
    python(&site, program);
    assert_holds(site.here("down"), &content[LARGE / 2..]);
    assert_holds(site.there("up"), &content);
}

#[test]
#[ignore = "needs python3"]
fn append_adds_to_a_file() {
    let site = Site::start();
    site.put_there("file", b"head ");
    python(&site, "ftp.storbinary('APPE file', io.BytesIO(b'tail'))");
    assert_holds(site.there("file"), b"head tail");
}

#[test]
#[ignore = "needs python3"]
fn a_unique_name_is_reported() {
    let site = Site::start();
    let program = "
lines = []
reply = ftp.storbinary('STOU', io.BytesIO(b'content'))
[name] = ftp.nlst()
same(name in reply, True)
ftp.rename(name, 'file')
";
    python(&site, program);
    assert_holds(site.there("file"), b"content");
}

#[test]
#[ignore = "needs python3"]
fn a_size_is_reported_before_the_transfer() {
    let site = Site::start();
    site.put_there("file", &noise(54321));
    let program = "
ftp.voidcmd('TYPE I')
data, size = ftp.ntransfercmd('RETR file')
same(size, 54321)
with data.makefile('rb') as source:
    same(len(source.read()), size)
ftp.voidresp()
";
    python(&site, program);
}

#[test]
#[ignore = "needs python3"]
fn hundreds_of_small_files_go_through_one_session() {
    let site = Site::start();
    let program = "
for number in range(300):
    ftp.set_pasv(number % 2 == 0)
    ftp.storbinary(f'STOR {number}', io.BytesIO(str(number).encode()))
for number in range(300):
    content = io.BytesIO()
    ftp.retrbinary(f'RETR {number}', content.write)
    same(content.getvalue(), str(number).encode())
same(len(ftp.nlst()), 300)
";
    python(&site, program);
    for number in 0..300 {
        assert_holds(site.there(number.to_string()), number.to_string().as_bytes());
    }
}

#[test]
#[ignore = "needs python3"]
fn a_refused_login_can_be_repeated() {
    let program = "
try:
    ftp.login('stranger', 'secret')
except ftplib.error_perm as error:
    same(str(error)[:3], '530')
else:
    raise AssertionError('let in')
try:
    ftp.nlst()
except ftplib.error_perm as error:
    same(str(error)[:3], '530')
else:
    raise AssertionError('listed')
ftp.login()
same(ftp.nlst(), [])
";
    python(&Site::start(), program);
}
