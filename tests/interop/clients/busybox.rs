//! busybox, which runs on small devices: ftpget, ftpput and wget.

use crate::support::content::{LARGE, NAMES, SIZES, assert_holds, noise, os};
use crate::support::fixture::{Site, run};
use std::process::Command;

fn busybox(site: &Site, applet: &str, options: &[&str]) -> Command {
    let mut command = site.client("busybox");
    command.arg(applet).args(["-P", &site.port()]).args(options).args(["--", site.host()]);
    command
}

#[test]
#[ignore = "needs busybox"]
fn every_size_round_trips() {
    let site = Site::start();
    for size in SIZES {
        site.put_here("file", &noise(size));
        run(busybox(&site, "ftpput", &[]).args(["file", "file"]));
        assert_holds(site.there("file"), &noise(size));
        run(busybox(&site, "ftpget", &[]).args(["back", "file"]));
        assert_holds(site.here("back"), &noise(size));
    }
}

#[test]
#[ignore = "needs busybox"]
fn every_name_round_trips() {
    let site = Site::start();
    for name in NAMES {
        site.put_here("file", name);
        run(busybox(&site, "ftpput", &[]).arg(os(name)).arg("file"));
        assert_holds(site.there(name), name);
        run(busybox(&site, "ftpget", &[]).arg("back").arg(os(name)));
        assert_holds(site.here("back"), name);
    }
}

#[test]
#[ignore = "needs busybox"]
fn a_download_is_resumed() {
    let site = Site::start();
    site.put_there("file", &noise(LARGE));
    site.put_here("file", &noise(LARGE)[..LARGE / 3]);
    run(busybox(&site, "ftpget", &["-c"]).args(["file", "file"]));
    assert_holds(site.here("file"), &noise(LARGE));
    site.assert_sent("REST");
}

#[test]
#[ignore = "needs busybox"]
fn its_wget_fetches_a_file() {
    let site = Site::start();
    site.put_there("dir/file", &noise(LARGE));
    run(site.client("busybox").args(["wget", "-q", &site.url("dir/file")]));
    assert_holds(site.here("file"), &noise(LARGE));
}
