//! `ftp_load bare`: the bare limit, a server that does the least that looks like FTP.
//!
//! Nothing is checked: no login, no path, no limit, no deadline, no abort; a line is whatever one
//! read gives. So it is good for nothing but to show what the machine and a thread for each client
//! allow: RETR through a pipe, which moves no byte through the program (std splices), STOR through
//! one large buffer, a passive listener kept for the session, TCP_NODELAY, a write for each reply.
//! Whatever a real server does beyond that is seen in the distance to this one.

use mt_ftp::args::{Flag, Parsed, Program, Usage, port};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

/// The program, as it is called for this.
pub static PROGRAM: Program = Program {
    name: "ftp_load bare",
    version: env!("CARGO_PKG_VERSION"),
    about: "Serve a directory on 127.0.0.1 with no checks of any kind, until it is killed: the \
            limit that real servers are held against. Never let strangers near it.",
    usage: &["ftp_load bare [OPTIONS]"],
    flags: &[
        Flag::option("port", "PORT", "control port; 0 picks a free one").or("0"),
        Flag::option("root", "DIR", "the directory served").or("."),
    ],
    after: "",
};

/// One small thing is one read and one write; anything larger is worth a pipe.
const BUFFER: usize = 64 * 1024;

/// STOR of anything that fills the small buffer.
const LARGE: usize = 256 * 1024;

/// Listens and gives each client a thread.
pub fn run(parsed: &Parsed) -> Result<Result<(), String>, Usage> {
    let port = parsed.need("port", port)?;
    let root = PathBuf::from(parsed.value("root").unwrap_or_default());
    Ok(serve(port, &root).map_err(|error| error.to_string()))
}

fn serve(port: u16, root: &Path) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    mt_ftp::sys::listen_backlog(&listener, 4096)?;
    writeln!(io::stdout(), "Listening on {}", listener.local_addr()?)?;
    loop {
        let (control, _) = listener.accept()?;
        let root = root.to_owned();
        thread::Builder::new().stack_size(64 * 1024).spawn(move || {
            // A client that left is no news.
            let _ = Client { control, root, passive: None, buffer: Vec::new() }.serve();
        })?;
    }
}

struct Client {
    control: TcpStream,
    root: PathBuf,
    passive: Option<TcpListener>,
    /// Idle clients have none.
    buffer: Vec<u8>,
}

impl Client {
    fn serve(&mut self) -> io::Result<()> {
        self.control.set_nodelay(true)?;
        self.reply("220 bare")?;
        let mut line = [0; 1024];
        loop {
            let length = self.control.read(&mut line)?;
            let text = String::from_utf8_lossy(&line[..length]).into_owned();
            let (verb, argument) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
            match verb {
                "USER" => self.reply("331 go on")?,
                "PASS" => self.reply("230 in")?,
                "EPSV" => self.listen()?,
                "RETR" => self.retrieve(argument)?,
                "STOR" => self.store(argument)?,
                "LIST" | "NLST" | "MLSD" => self.list(argument)?,
                "QUIT" => return self.reply("221 bye"),
                "" => return Ok(()),
                _ => self.reply("200 ok")?,
            }
        }
    }

    fn reply(&mut self, text: &str) -> io::Result<()> {
        self.control.write_all(format!("{text}\r\n").as_bytes())
    }

    fn listen(&mut self) -> io::Result<()> {
        if self.passive.is_none() {
            self.passive = Some(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
        }
        let port = self
            .passive
            .as_ref()
            .map_or(Ok(0), |passive| passive.local_addr().map(|address| address.port()))?;
        self.reply(&format!("229 port (|||{port}|)"))
    }

    /// 150, and the connection that was asked for.
    fn begin(&mut self) -> io::Result<TcpStream> {
        self.reply("150 here")?;
        let passive = self.passive.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        self.buffer.resize(BUFFER, 0);
        passive.accept().map(|(data, _)| data)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.trim_start_matches('/'))
    }

    fn retrieve(&mut self, name: &str) -> io::Result<()> {
        let mut file = File::open(self.path(name))?;
        let mut data = self.begin()?;
        let length = file.read(&mut self.buffer)?;
        data.write_all(&self.buffer[..length])?;
        if length == BUFFER {
            send_rest(file, &mut data)?;
        }
        drop(data);
        self.reply("226 done")
    }

    fn store(&mut self, name: &str) -> io::Result<()> {
        let mut file = File::create(self.path(name))?;
        let mut data = self.begin()?;
        loop {
            let length = data.read(&mut self.buffer)?;
            if length == 0 {
                break;
            }
            file.write_all(&self.buffer[..length])?;
            if length == BUFFER {
                self.buffer.resize(LARGE, 0);
            }
        }
        self.buffer.truncate(BUFFER);
        self.buffer.shrink_to_fit();
        self.reply("226 done")
    }

    fn list(&mut self, name: &str) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(name))? {
            names.extend_from_slice(entry?.file_name().as_encoded_bytes());
            names.extend_from_slice(b"\r\n");
        }
        self.begin()?.write_all(&names)?;
        self.reply("226 done")
    }
}

/// Through a pipe: std splices from one and to one, and copies in small pieces anywhere else. The
/// file is called the end of a pipe to that end. A pipe has 16 places for pages, and one more
/// than 15 whole ones could wait for itself.
#[cfg(target_os = "linux")]
fn send_rest(file: File, data: &mut TcpStream) -> io::Result<()> {
    const PIECE: u64 = 15 * 4096;
    let file = io::PipeReader::from(std::os::fd::OwnedFd::from(file));
    let (reader, mut writer) = io::pipe()?;
    loop {
        let length = io::copy(&mut (&file).take(PIECE), &mut writer)?;
        if length == 0 {
            return Ok(());
        }
        io::copy(&mut (&reader).take(length), data)?;
    }
}

#[cfg(not(target_os = "linux"))]
fn send_rest(mut file: File, data: &mut TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; LARGE];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        data.write_all(&buffer[..length])?;
    }
}
