//! HAProxy in front of several nodes, as operators run it: it asks each whether it is ready, and passes
//! requests round.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::http::{Client, Peer, Request};

/// Longest time until the balancer passes requests on.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two checks of a node.
pub(super) const CHECK: Duration = Duration::from_millis(300);

/// A running balancer, which ends with this.
pub(super) struct Balancer {
    _child: Child,
    /// Address of the balancer.
    pub(super) address: SocketAddr,
}

impl Balancer {
    /// Starts one in front of these nodes. It needs a file in a directory of its own.
    pub(super) async fn start(directory: &Path, nodes: &[SocketAddr]) -> Result<Balancer> {
        std::fs::create_dir_all(directory)?;
        let (address, file) = (free_address()?, directory.join("haproxy.cfg"));
        std::fs::write(&file, config(address, nodes))?;
        let mut command = Command::new(program());
        command.arg("-f").arg(&file).args(["-db", "-q"]).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("starting HAProxy: install it (`make setup`)")?;
        let (peer, begun, mut client) = (Peer::stranger(address), Instant::now(), Client::default());
        // It is up when a node answers through it.
        while !client
            .ask(&peer, &Request::get("/health/ready"))
            .await
            .is_ok_and(|answer| answer.status == 200)
        {
            if begun.elapsed() > PATIENCE {
                bail!("HAProxy finds no node that is ready; its configuration is {}", file.display());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Balancer { _child: child, address })
    }
}

fn config(address: SocketAddr, nodes: &[SocketAddr]) -> String {
    let servers: String =
        nodes.iter().enumerate().map(|(n, node)| format!("  server n{n} {node}\n")).collect();
    format!(
        "global\n  maxconn 4000\n\
         defaults\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n  timeout check 2s\n  \
         retries 3\n\
         frontend clients\n  bind {address}\n  default_backend longhaul\n\
         backend longhaul\n  balance roundrobin\n  option redispatch 1\n  option httpchk GET /health/ready\n  \
         default-server check inter {}ms fall 1 rise 1\n{servers}",
        CHECK.as_millis()
    )
}

/// An address of this machine that was free a moment ago.
pub(super) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Debian keeps it off the path of those who are not root.
fn program() -> &'static Path {
    let debian = Path::new("/usr/sbin/haproxy");
    if debian.exists() { debian } else { Path::new("haproxy") }
}
