//! Sockets that a server listens on: TCP addresses, host names with all their addresses, and paths in the
//! file system of this machine. Connections of a path come from this machine and count as `127.0.0.1`.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// A place to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address; port 0 takes a free one.
    Address(SocketAddr),
    /// A host name, which stands for all its addresses, and a port.
    Name(String, u16),
    /// A socket at an absolute path, `unix:/path`.
    Path(PathBuf),
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Listen::Address(address)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HELP: &str = "write an address or name with a port, such as 127.0.0.1:8080, [::]:8080 or localhost:8080, \
            or unix:/path";
        if let Some(path) = text.strip_prefix("unix:") {
            // An address of the system has space for so many bytes.
            return match path.starts_with('/') && path.len() <= 107 && !path.contains('\0') {
                true => Ok(Listen::Path(path.into())),
                false => Err("after unix: write an absolute path of at most 107 bytes".to_owned()),
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(Listen::Address(address));
        }
        let (name, port) = text.rsplit_once(':').ok_or(HELP)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        // A name of digits would be an address that is not one.
        let named = name.chars().all(is_name) && name.chars().any(|c| c.is_ascii_alphabetic());
        match port.parse() {
            Ok(port) if named && name.len() <= 253 => Ok(Listen::Name(name.to_owned(), port)),
            _ => Err(HELP.to_owned()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Address(address) => address.fmt(f),
            Listen::Name(name, port) => write!(f, "{name}:{port}"),
            Listen::Path(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Socket that a supervisor hands over: it listens already.
#[derive(Debug)]
pub enum Handed {
    /// Socket on TCP.
    Tcp(std::net::TcpListener),
    /// Socket in the file system, which the supervisor cleans up.
    Unix(std::os::unix::net::UnixListener),
}

/// A socket that listens.
pub(crate) enum Socket {
    Tcp(TcpListener, SocketAddr),
    Unix {
        listener: UnixListener,
        path: PathBuf,
        /// File of the socket, removed with it, unless a supervisor owns it.
        _file: Option<OwnFile>,
    },
}

/// A connection as it was accepted.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Accepts the next connection, and returns it with the address of its other end.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Socket::Tcp(listener, _) => {
                listener.accept().await.map(|(stream, peer)| (Stream::Tcp(stream), peer))
            }
            Socket::Unix { listener, .. } => {
                let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                listener.accept().await.map(|(stream, _)| (Stream::Unix(stream), here))
            }
        }
    }

    /// Returns the TCP address of the socket, if it has one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(_, address) => Some(*address),
            Socket::Unix { .. } => None,
        }
    }

    /// Takes over a socket that listens already.
    pub(crate) fn of(handed: Handed) -> io::Result<Socket> {
        match handed {
            Handed::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                let address = socket.local_addr()?;
                Ok(Socket::Tcp(TcpListener::from_std(socket)?, address))
            }
            Handed::Unix(socket) => {
                socket.set_nonblocking(true)?;
                let path = socket.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default();
                Ok(Socket::Unix { listener: UnixListener::from_std(socket)?, path, _file: None })
            }
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Socket::Tcp(_, address) => address.fmt(f),
            Socket::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Returns the addresses that a place stands for; none for a path.
pub(crate) async fn addresses(place: &Listen) -> io::Result<Vec<SocketAddr>> {
    match place {
        Listen::Address(address) => Ok(vec![*address]),
        Listen::Name(name, port) => {
            let mut all: Vec<SocketAddr> = Vec::new();
            for address in tokio::net::lookup_host((name.as_str(), *port)).await? {
                if !all.contains(&address) {
                    all.push(address);
                }
            }
            Ok(all)
        }
        Listen::Path(_) => Ok(Vec::new()),
    }
}

/// Binds all addresses of a place. `beside` is true for `[::]` where `0.0.0.0` has a socket of its own.
pub(crate) fn bind(place: &Listen, all: &[SocketAddr], beside: bool, mode: u32) -> io::Result<Vec<Socket>> {
    if let Listen::Path(path) = place {
        return bind_path(path, mode).map(|socket| vec![socket]);
    }
    let mut sockets: Vec<Socket> = Vec::new();
    let mut last = None;
    for address in all {
        // A free port is free for all addresses of a name.
        let taken = sockets.first().and_then(Socket::address).filter(|_| address.port() == 0);
        let address = SocketAddr::new(address.ip(), taken.map_or(address.port(), |first| first.port()));
        match bind_address(address, beside) {
            Ok(listener) => {
                let at = listener.local_addr()?;
                sockets.push(Socket::Tcp(listener, at));
            }
            // Names such as localhost have addresses of IPv6 on machines without it.
            Err(e) if all.len() > 1 && is_absent(&e) => {
                tracing::warn!(%address, error = %e, "this machine does not have one of the addresses of {place}");
                last = Some(e);
            }
            Err(e) => return Err(e),
        }
    }
    match last {
        Some(e) if sockets.is_empty() => Err(e),
        _ if sockets.is_empty() => Err(io::Error::new(ErrorKind::NotFound, "the name has no address")),
        _ => Ok(sockets),
    }
}

fn is_absent(e: &io::Error) -> bool {
    e.kind() == ErrorKind::AddrNotAvailable || e.raw_os_error() == Some(nix::libc::EAFNOSUPPORT)
}

fn bind_address(address: SocketAddr, beside: bool) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // The machine's default may be either.
        setsockopt(&socket, sockopt::Ipv6V6Only, &beside)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The file of a socket, which is removed with it.
pub(crate) struct OwnFile {
    path: PathBuf,
    /// Device and inode, since another server may have put its own file there meanwhile.
    file: (u64, u64),
}

impl OwnFile {
    fn of(path: &Path) -> io::Result<OwnFile> {
        let meta = std::fs::symlink_metadata(path)?;
        Ok(OwnFile { path: path.to_owned(), file: (meta.dev(), meta.ino()) })
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn bind_path(path: &Path, mode: u32) -> io::Result<Socket> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is not a socket"));
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            // The socket was left by a server that was killed.
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
            Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "somebody listens there already")),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    // No other account can connect before the mode is set: the process makes files for its own account only.
    let listener = UnixListener::bind(path)?;
    let file = OwnFile::of(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(Socket::Unix { listener, path: path.to_owned(), _file: Some(file) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_addresses_names_and_paths() {
        for text in
            ["127.0.0.1:8080", "[::]:0", "[::1]:80", "localhost:8080", "a-b.example.com:1", "unix:/run/x"]
        {
            assert_eq!(text.parse::<Listen>().map(|place| place.to_string()).as_deref(), Ok(text));
        }
        for text in [
            "",
            "8080",
            ":8080",
            "127.0.0.1",
            "127.0.0.1:",
            "::1:80",
            "1.2.3:80",
            "a b:1",
            "a:65536",
            "a:x",
            "unix:",
            "unix:relative",
            "http://a:1",
            "unix://x\0",
        ] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
        assert!(format!("unix:/{}", "x".repeat(107)).parse::<Listen>().is_err());
    }

    #[tokio::test]
    async fn socket_file_that_nobody_serves_is_replaced_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // Left behind: a listener of the standard library does not remove it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = bind_path(&path, 0o600).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let refused = bind_path(&path, 0o600).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        drop(first);
        assert!(!path.exists());
        std::fs::write(&path, "kept").unwrap();
        assert_eq!(bind_path(&path, 0o600).err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
        std::fs::remove_file(&path).unwrap();
        let first = bind_path(&path, 0o660).unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = bind_path(&path, 0o660).unwrap();
        drop(first);
        assert!(path.exists(), "it is of another server");
        drop(second);
    }

    #[tokio::test]
    async fn all_addresses_of_a_name_have_the_same_port() {
        let place: Listen = "localhost:0".parse().unwrap();
        let all = addresses(&place).await.unwrap();
        let sockets = bind(&place, &all, false, 0).unwrap();
        let ports: Vec<u16> = sockets.iter().filter_map(Socket::address).map(|at| at.port()).collect();
        assert!(!ports.is_empty() && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }
}
