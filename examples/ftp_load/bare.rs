//! `ftp_load bare`: the minimal server, which does only what a transfer needs.
//!
//! It checks nothing: there is no login, no path check, no limit, no deadline and no ABOR, and the
//! result of one read is treated as one line. It shows what the machine and a thread per client allow: RETR
//! through a pipe without copying to user space (std uses splice), STOR through one large buffer,
//! one passive listener per session, TCP_NODELAY, one write per reply. The difference to this server is
//! the cost of everything else that a real server does.

use mt_ftp::args::{Flag, Parsed, Program, Usage, port};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

/// The command line of the minimal server.
pub static PROGRAM: Program = Program {
    name: "ftp_load bare",
    version: env!("CARGO_PKG_VERSION"),
    about: "Serve a directory on 127.0.0.1 without any checks until it is killed, as the limit \
            for real servers. Never make it accessible to others.",
    usage: &["ftp_load bare [OPTIONS]"],
    flags: &[
        Flag::option("port", "PORT", "control port; 0 picks a free one").or("0"),
        Flag::option("root", "DIR", "the directory served").or("."),
    ],
    after: "",
};

/// The size of a buffer that transfers a small file in one read and one write, in bytes; larger
/// files use a pipe.
const BUFFER: usize = 64 * 1024;

/// The size of the buffer for uploads that fill the small one, in bytes.
const LARGE: usize = 256 * 1024;

/// Listens, and starts a thread for each client.
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
            // A client that disconnects is not an error.
            let _ = Client { control, root, passive: None, buffer: Vec::new() }.serve();
        })?;
    }
}

struct Client {
    control: TcpStream,
    root: PathBuf,
    passive: Option<TcpListener>,
    /// The buffer for transfers; empty before the first one.
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
                "USER" => self.reply("331 password")?,
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

    /// Sends the 150 reply and accepts the data connection.
    fn begin(&mut self) -> io::Result<TcpStream> {
        self.reply("150 here")?;
        let passive = self.passive.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        passive.accept().map(|(data, _)| data)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.trim_start_matches('/'))
    }

    fn retrieve(&mut self, name: &str) -> io::Result<()> {
        let mut file = File::open(self.path(name))?;
        let mut data = self.begin()?;
        self.buffer.resize(BUFFER, 0);
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
        self.buffer.resize(BUFFER, 0);
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

/// Sends the rest of a file through a pipe. std uses splice if one side is a pipe, and copies in
/// small pieces otherwise; the file is therefore passed as a `PipeReader`. A pipe holds 16 pages,
/// and a piece of more than 15 pages could block, because it may not be aligned to pages.
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
