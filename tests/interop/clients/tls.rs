//! FTPS: curl, lftp, wget, Python's ftplib and `openssl s_client` against a server with a certificate.

use crate::support::content::{SIZES, assert_holds, assert_same, noise};
use crate::support::fixture::{Site, run, run_to_fail};
use std::fs;
use std::process::Command;

/// Options that require data connections to resume the TLS session of their control connection.
const REQUIRE: [&str; 2] = ["--tls-reuse", "require"];

/// Returns a curl command that trusts the server's certificate and requires TLS.
fn curl(site: &Site, args: &[&str]) -> Command {
    let mut command = site.client("curl");
    command.args(["-sSg", "--ssl-reqd", "--cacert", &site.certificate()]).args(args);
    command
}

fn every_size_round_trips_with_curl(site: &Site, args: &[&str], url: &str) {
    for size in SIZES {
        let content = noise(size);
        site.put_here("file", &content);
        run(curl(site, args).args(["-T", "file", &format!("{url}file")]));
        assert_holds(site.there("file"), &content);
        let output = run(curl(site, args).arg(format!("{url}file")));
        assert_same("the download", &output.stdout, &content);
    }
}

#[test]
#[ignore = "needs curl with TLS"]
fn every_size_round_trips_with_auth_tls() {
    let site = Site::start_with_tls(&REQUIRE);
    let url = site.url("");
    // Passive mode only: in active mode, curl 7.88 does not start TLS on the data connection.
    for args in [&["--tlsv1.3"][..], &["--tls-max", "1.2"], &["--disable-epsv"]] {
        every_size_round_trips_with_curl(&site, args, &url);
    }
    site.assert_sent("AUTH");
    site.assert_sent("PASV");
}

#[test]
#[ignore = "needs curl with TLS"]
fn every_size_round_trips_with_implicit_tls() {
    let site = Site::start_with_tls(&REQUIRE);
    let url = format!("ftps://127.0.0.1:{}/", site.tls_port());
    for args in [&["--tlsv1.3"][..], &["--tls-max", "1.2"]] {
        every_size_round_trips_with_curl(&site, args, &url);
    }
    assert_eq!(site.count("AUTH"), 0);
}

#[test]
#[ignore = "needs curl with TLS"]
fn every_size_round_trips_after_ccc() {
    let site = Site::start_with_tls(&["--tls-ccc", "--tls-reuse", "require"]);
    let url = site.url("");
    for mode in ["passive", "active"] {
        let args = ["--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", mode];
        every_size_round_trips_with_curl(&site, &args, &url);
    }
    site.assert_sent("CCC");
}

#[test]
#[ignore = "needs curl with TLS"]
fn several_uploads_of_one_run_are_complete() {
    let site = Site::start_with_tls(&REQUIRE);
    let mut command = curl(&site, &[]);
    for number in 0..4 {
        let name = format!("file{number}");
        site.put_here(&name, &noise(4_000_000 + number));
        command.args(["-T", &name, &site.url(&name)]);
    }
    run(&mut command);
    for number in 0..4 {
        assert_holds(site.there(format!("file{number}")), &noise(4_000_000 + number));
    }
}

#[test]
#[ignore = "needs curl with TLS"]
fn logins_without_tls_are_refused() {
    let site = Site::start_with_tls(&[]);
    site.put_there("file", b"content");
    let mut command = site.client("curl");
    // 67: the login was denied.
    run_to_fail(command.args(["-sS", &site.url("file")]), 67);
}

fn lftp(site: &Site, settings: &str, script: &str) -> Command {
    let always = format!(
        "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set ftp:ssl-force yes; \
         set ftp:ssl-protect-data yes; set ftp:ssl-allow-anonymous yes; set ssl:ca-file {}; set ssl:check-hostname no",
        site.certificate()
    );
    let mut command = site.client("lftp");
    let url = site.url("");
    command.args(["--norc", "-c", &format!("{always}; {settings}; open {url}; {script}")]);
    command
}

#[test]
#[ignore = "needs lftp with TLS"]
fn lftp_mirrors_in_both_directions() {
    for settings in ["", "set ftp:passive-mode no"] {
        let site = Site::start_with_tls(&REQUIRE);
        for size in SIZES {
            site.put_here(format!("tree/dir/{size}"), &noise(size));
        }
        run(&mut lftp(&site, settings, "mirror -R tree up; mirror -P 4 up back"));
        for size in SIZES {
            assert_holds(site.there(format!("up/dir/{size}")), &noise(size));
            assert_holds(site.here(format!("back/dir/{size}")), &noise(size));
        }
        site.assert_sent("PROT");
    }
}

#[test]
#[ignore = "needs wget with TLS"]
fn wget_fetches_a_tree() {
    let site = Site::start_with_tls(&[]);
    for size in SIZES {
        site.put_there(format!("dir/{size}"), &noise(size));
    }
    for implicit in [false, true] {
        let port = if implicit { site.tls_port() } else { site.port() };
        let mut command = site.client("wget");
        command.args(["-q", "-r", "-nH", "--ca-certificate", &site.certificate()]);
        if implicit {
            command.arg("--ftps-implicit");
        }
        run(command.arg(format!("ftps://127.0.0.1:{port}/dir/")));
        for size in SIZES {
            assert_holds(site.here(format!("dir/{size}")), &noise(size));
        }
        fs::remove_dir_all(site.here("dir")).expect("it was just fetched");
    }
}

#[test]
#[ignore = "needs python3"]
fn ftplib_sends_and_fetches_every_size() {
    // ftplib cannot resume a session.
    let site = Site::start_with_tls(&[]);
    for size in SIZES {
        site.put_here(size.to_string(), &noise(size));
    }
    let program = "\
import ftplib, os, ssl, sys

context = ssl.create_default_context(cafile=sys.argv[3])
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context.minimum_version = context.maximum_version = version
    ftp = ftplib.FTP_TLS(context=context)
    ftp.connect(sys.argv[1], int(sys.argv[2]), timeout=30)
    ftp.login()
    ftp.prot_p()
    for name in sorted(name for name in os.listdir() if name.isdigit()):
        with open(name, 'rb') as file:
            ftp.storbinary('STOR ' + name, file)
        with open(name + '.back', 'wb') as file:
            ftp.retrbinary('RETR ' + name, file.write)
    assert ftp.nlst()
    ftp.quit()
";
    let mut command = site.client("python3");
    run(command.args(["-c", program, site.host(), &site.port(), &site.certificate()]));
    for size in SIZES {
        assert_holds(site.there(size.to_string()), &noise(size));
        assert_holds(site.here(format!("{size}.back")), &noise(size));
    }
}

/// Returns an `openssl s_client` command with a script as its input.
fn s_client(site: &Site, script: &[u8], args: &[&str]) -> Command {
    let mut command = site.scripted("openssl", script);
    let address = format!("127.0.0.1:{}", site.port());
    command.args(["s_client", "-connect", &address, "-starttls", "ftp"]);
    command.args(["-CAfile", &site.certificate(), "-verify_return_error", "-crlf"]).args(args);
    command
}

#[test]
#[ignore = "needs openssl"]
fn s_client_logs_in() {
    let site = Site::start_with_tls(&[]);
    let script = b"USER anonymous\nPASS x\nSTAT\nQUIT\n";
    for args in [&["-quiet", "-tls1_3"][..], &["-quiet", "-tls1_2"], &["-quiet", "-alpn", "ftp"]] {
        let text = run(&mut s_client(&site, script, args)).stdout;
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("230 Logged in.") && text.contains("221 "), "{text}");
    }
}

#[test]
#[ignore = "needs openssl"]
fn other_application_protocols_and_old_versions_are_refused() {
    let site = Site::start_with_tls(&["--tls-min", "1.3"]);
    for args in [&["-alpn", "http/1.1"][..], &["-tls1_2"]] {
        run_to_fail(&mut s_client(&site, b"QUIT\n", args), 1);
    }
    run(&mut s_client(&site, b"QUIT\n", &["-quiet", "-alpn", "http/1.1,ftp"]));
}
