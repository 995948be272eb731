//! Servers that workers are proven against: one on its own files, or three nodes of a database behind a
//! balancer.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use nix::unistd::Pid;

use super::balancer::{Balancer, free_address};
use super::database::Database;
use super::place::Place;
use crate::access;
use crate::effects::Effects;
use crate::http::Peer;
use crate::server::{Program, Server, Start};

pub(super) struct Site {
    nodes: Vec<(Program, Server)>,
    /// Address for all calls.
    pub(super) peer: Peer,
    _front: Option<(Balancer, Database)>,
}

impl Site {
    /// Starts that many nodes; a single one has files of its own. Addresses stay the same over a kill.
    pub(super) async fn start(place: &Place, name: &str, nodes: usize, effects: &Effects) -> Result<Site> {
        let (program, _) = place.program(&place.fresh(name)?, effects)?;
        if nodes == 1 {
            let program = Program { port: free_address()?.port(), ..program };
            let (server, peer) = up(&program).await?;
            return Ok(Site { nodes: vec![(program, server)], peer, _front: None });
        }
        let database = Database::start(name)?;
        let homes = database.homes();
        let environment = database.environment_by(homes.iter().map(AsRef::as_ref).collect());
        let (mut running, mut addresses) = (Vec::new(), Vec::new());
        for n in 1..=nodes {
            let (port, log) = (free_address()?.port(), place.path(&format!("{name}-{n}.log")));
            let program = Program { port, log, environment: environment.clone(), ..program.clone() };
            let (server, peer) = up(&program).await?;
            addresses.push(peer.address);
            running.push((program, server));
        }
        let balancer = Balancer::start(&place.path(&format!("{name}-balancer")), &addresses).await?;
        let peer = access::enter(balancer.address, &program.data).await?.context("nobody answers")?;
        Ok(Site { nodes: running, peer, _front: Some((balancer, database)) })
    }

    /// Address for the workers.
    pub(super) fn address(&self) -> SocketAddr {
        self.peer.address
    }

    /// Program of the nodes, with the place of their keys.
    pub(super) fn program(&self) -> &Program {
        &self.nodes[0].0
    }

    /// Number of nodes.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The process of one.
    pub(super) fn pid(&self, node: usize) -> Result<Pid> {
        self.nodes[node].1.pid()
    }

    /// SIGKILL; it is started again.
    pub(super) async fn kill(&mut self, node: usize) -> Result<()> {
        let (program, server) = &mut self.nodes[node];
        server.kill().await?;
        *server = up(program).await?.0;
        Ok(())
    }

    /// Asks all to end, which they must do in order.
    pub(super) async fn stop(self) -> Result<()> {
        for (_, server) in self.nodes {
            server.stop().await?;
        }
        Ok(())
    }
}

async fn up(program: &Program) -> Result<(Server, Peer)> {
    let mut server = program.start(&[])?;
    match server.up().await? {
        Start::Ready(peer) => Ok((server, peer)),
        Start::Killed => bail!("somebody else killed the server"),
    }
}
