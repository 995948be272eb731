//! F19: a node's way to its database, on which bytes can be held up in either direction without a word to
//! anybody, as behind a network that lost its way. What was held up goes on when the way is open again.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// The name of a server's socket in its directory.
const SOCKET: &str = ".s.PGSQL.5432";

/// Directions in which bytes are held up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// True while bytes from the node to the database are held up.
    pub(super) out: bool,
    /// True while bytes from the database to the node are held up.
    pub(super) back: bool,
}

/// The way, which ends with this.
pub(super) struct Link {
    homes: Vec<TempDir>,
    held: watch::Sender<Held>,
}

impl Link {
    /// Listens in a directory of its own for each of these servers.
    pub(super) fn start(servers: &[PathBuf]) -> Result<Link> {
        let (held, state) = watch::channel(Held::default());
        let mut homes = Vec::with_capacity(servers.len());
        for server in servers {
            let home = TempDir::new()?;
            let listener = UnixListener::bind(home.path().join(SOCKET))?;
            tokio::task::spawn_local(serve(listener, server.join(SOCKET), state.clone()));
            homes.push(home);
        }
        Ok(Link { homes, held })
    }

    /// Directories of its sockets, in the servers' order.
    pub(super) fn directories(&self) -> Vec<&Path> {
        self.homes.iter().map(TempDir::path).collect()
    }

    /// Holds up, or lets go on.
    pub(super) fn hold(&self, held: Held) {
        self.held.send_replace(held);
    }
}

async fn serve(listener: UnixListener, server: PathBuf, state: watch::Receiver<Held>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, state) = (server.clone(), state.clone());
        tokio::task::spawn_local(async move {
            let Ok(server) = UnixStream::connect(&server).await else { return };
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            // Either end may go at any time: that is what this is for.
            tokio::select! {
                _ = pump(&mut from_client, &mut to_server, state.clone(), |held| held.out) => {}
                _ = pump(&mut from_server, &mut to_client, state, |held| held.back) => {}
            }
        });
    }
}

async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut state: watch::Receiver<Held>,
    held: impl Fn(&Held) -> bool,
) -> Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut bytes).await?;
        // The end of a connection gets lost as well as what goes over it.
        state.wait_for(|state| !held(state)).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&bytes[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn what_is_held_up_goes_on_later_and_each_way_for_itself() {
        let server = TempDir::new().unwrap();
        let listener = UnixListener::bind(server.path().join(SOCKET)).unwrap();
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let link = Link::start(&[server.path().to_owned()]).unwrap();
                let mut client = UnixStream::connect(link.directories()[0].join(SOCKET)).await.unwrap();
                let (mut end, _) = listener.accept().await.unwrap();
                let late = Duration::from_millis(100);
                let mut byte = [0];
                link.hold(Held { out: true, back: false });
                client.write_all(b"a").await.unwrap();
                assert!(timeout(late, end.read_exact(&mut byte)).await.is_err());
                end.write_all(b"b").await.unwrap();
                client.read_exact(&mut byte).await.unwrap();
                assert_eq!(byte, *b"b");
                link.hold(Held::default());
                sleep(late).await;
                end.read_exact(&mut byte).await.unwrap();
                assert_eq!(byte, *b"a");
            })
            .await;
    }
}
