//! F16: what stands between a node and its database, and cuts the connection when a commit is on its way:
//! before the database gets it, after it, or when the answer is there. It reads what goes through as far as
//! that takes: the frontend's messages.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

/// The name of a server's socket in its directory.
const SOCKET: &str = ".s.PGSQL.5432";
/// The code of a wish for TLS, which is sent before the startup message.
const WISH: [u8; 4] = 80_877_103_u32.to_be_bytes();
/// Longest time for which commits are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Point at which a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The database does not get the commit.
    Before,
    /// The database commits, and its answer is not waited for.
    Underway,
    /// The database has answered, and the answer is thrown away.
    Answered,
}

const CUTS: [Cut; 3] = [Cut::Before, Cut::Underway, Cut::Answered];

/// The proxy, which ends with this.
pub(super) struct Proxy {
    home: TempDir,
    plan: Rc<Plan>,
}

/// Cuts to make, and cuts made.
#[derive(Default)]
struct Plan {
    wanted: Cell<usize>,
    done: [Cell<usize>; CUTS.len()],
}

impl Plan {
    /// Returns the cut for the commit at hand, if it is one to cut.
    fn next(&self) -> Option<Cut> {
        let wanted = self.wanted.get().checked_sub(1)?;
        self.wanted.set(wanted);
        let cut = CUTS[wanted % CUTS.len()];
        let done = &self.done[cut as usize];
        done.set(done.get() + 1);
        Some(cut)
    }
}

impl Proxy {
    /// Listens in a directory of its own for those who mean the server in `server`.
    pub(super) fn start(server: &Path) -> Result<Proxy> {
        let home = TempDir::new()?;
        let listener = UnixListener::bind(home.path().join(SOCKET))?;
        let (plan, server) = (Rc::new(Plan::default()), server.join(SOCKET));
        let cutting = plan.clone();
        tokio::task::spawn_local(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (plan, server) = (cutting.clone(), server.clone());
                tokio::task::spawn_local(async move {
                    // Either end may go at any time: that is what this is for.
                    let _ = pass(client, &server, &plan).await;
                });
            }
        });
        Ok(Proxy { home, plan })
    }

    /// Directory of its socket.
    pub(super) fn directory(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// Cuts the next commits, so many.
    pub(super) async fn cut(&self, commits: usize) -> Result<()> {
        self.plan.wanted.set(commits);
        let all = async {
            while self.plan.wanted.get() > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, all).await.context("there are no commits to cut")
    }

    /// Returns the number of cuts of each kind.
    pub(super) fn counts(&self) -> [(&'static str, usize); CUTS.len()] {
        let done = |cut: Cut| self.plan.done[cut as usize].get();
        [
            ("before the database got them", done(Cut::Before)),
            ("under way", done(Cut::Underway)),
            ("answered", done(Cut::Answered)),
        ]
    }
}

async fn pass(client: UnixStream, server: &Path, plan: &Plan) -> Result<()> {
    let server = UnixStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        cut = forward(&mut from_client, &mut to_server, plan) => {
            if cut? == Cut::Answered {
                // Whatever it says: it is not passed on.
                timeout(PATIENCE, from_server.read(&mut [0; 64])).await??;
            }
        }
        ended = copy(&mut from_server, &mut to_client) => drop(ended?),
    }
    Ok(())
}

/// Passes messages on until one is a commit to be cut.
async fn forward(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, plan: &Plan) -> Result<Cut> {
    loop {
        let begin = message(from, 0).await?;
        to.write_all(&begin).await?;
        if begin.get(4..8) != Some(&WISH) {
            break;
        }
    }
    loop {
        let message = message(from, 1).await?;
        let cut = if message[5..] == *b"COMMIT\0" { plan.next() } else { None };
        if cut != Some(Cut::Before) {
            to.write_all(&message).await?;
        }
        if let Some(cut) = cut {
            return Ok(cut);
        }
    }
}

/// A message as it came: a type of so many bytes, its length, and the rest.
async fn message(from: &mut OwnedReadHalf, kind: usize) -> Result<Vec<u8>> {
    let mut message = vec![0; kind + 4];
    from.read_exact(&mut message).await?;
    let mut length = [0; 4];
    length.copy_from_slice(&message[kind..]);
    let rest = (u32::from_be_bytes(length) as usize).checked_sub(4).context("a message without a length")?;
    let begin = message.len();
    message.resize(begin + rest, 0);
    from.read_exact(&mut message[begin..]).await?;
    Ok(message)
}
