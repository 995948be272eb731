//! Settings of the API that an operator decides. Each switch of `[wire]` names the clients that need it.

mod clients;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use longhaul_engine::Budget;
use longhaul_model::StatusStyle;

use crate::proxies::Proxies;
use crate::tls::Tls;

pub(crate) use clients::{Client, Dialects};
pub use clients::{UserAgent, WireClient};

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Settings of the Tasks API.
    pub wire: WireConfig,
    /// Limits on what one caller may ask for.
    pub limits: Limits,
    /// Protection of connections. Default none, with which only this machine may connect.
    pub tls: Tls,
    /// True if other machines may connect without TLS. Default false: passwords, tokens and data could be
    /// read on the way.
    pub insecure_http: bool,
    /// Proxies that are trusted to name the address of their client. Default none.
    pub trusted_proxies: Proxies,
    /// Permissions of the sockets that the server listens on in the file system. Default 0660.
    pub unix_mode: u32,
    /// Count of log lines that nobody read in time, for the metrics.
    pub lost_log_lines: Arc<AtomicU64>,
    /// Tools that agents find at `/mcp`. Default none.
    pub agents: Agents,
}

/// Tools that agents find at `/mcp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Agents {
    /// None: there is no `/mcp`.
    #[default]
    Off,
    /// Tools that read.
    Read,
    /// All tools, those that start, retry, cancel and resolve tasks included.
    Write,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            wire: WireConfig::default(),
            limits: Limits::default(),
            tls: Tls::default(),
            insecure_http: false,
            trusted_proxies: Proxies::default(),
            unix_mode: 0o660,
            lost_log_lines: Arc::default(),
            agents: Agents::Off,
        }
    }
}

/// Settings of the Tasks API (wire contract, section 0).
#[derive(Clone, Debug)]
pub struct WireConfig {
    /// `display` (`Failed`; most clients) or `constant` (`FAILED`; the `vmware-vcf` package and its Ansible
    /// wrapper), for workflows that do not say. Default `display`.
    pub status_style: StatusStyle,
    /// `task` answers a retry or cancel with the task; `empty` with no body, as the real server does. Default
    /// `task`.
    pub action_body: ActionBody,
    /// The status of a login, 200 or 201. Default 201.
    pub login_status: u16,
    /// `pageSize` where a request has none. Default 10 as documented; 100 for clients that never page
    /// (PowerVCF).
    pub default_page_size: u32,
    /// True if tasks carry Longhaul's own members behind the documented ones. Default true.
    pub extensions: bool,
    /// True if refusals are answered with a code that the official document declares for the operation, so
    /// that clients generated from it can read the message. Default true.
    pub strict_codes: bool,
    /// Clients that need other settings, the first that fits first. Default none.
    pub clients: Vec<WireClient>,
}

/// Body of the answer to a retry or cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionBody {
    /// The task.
    Task,
    /// The request has no body.
    Empty,
}

impl Default for WireConfig {
    fn default() -> Self {
        WireConfig {
            status_style: StatusStyle::Display,
            action_body: ActionBody::Task,
            login_status: 201,
            default_page_size: 10,
            extensions: true,
            strict_codes: true,
            clients: Vec::new(),
        }
    }
}

/// Limits on what one caller may ask for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest body, in bytes. Default 1 MiB.
    pub body: usize,
    /// The largest body of a call that needs no credential, in bytes. Default 16 KiB.
    pub public_body: usize,
    /// Longest time for such a body to arrive. Default 10 s.
    pub public_body_time: Duration,
    /// The largest body of an import, in bytes. Default 16 MiB.
    pub import: usize,
    /// Memory budget for all bodies in flight and their values, in bytes. Default 32 MiB.
    pub bodies: Budget,
    /// The longest query, in bytes. Default 8 KiB.
    pub query: usize,
    /// The deepest nesting of a JSON body. Default 64.
    pub depth: usize,
    /// Maximum number of requests that one principal may have in flight. Default 1,024. Reading a single task
    /// is never refused.
    pub in_flight: u32,
    /// Maximum number of requests of one principal that wait for something to happen, such as long polls.
    /// Default 8,192.
    pub waits: u32,
    /// Maximum number of requests that one principal may make in a second; twice as many may arrive at once.
    /// Default: no limit.
    pub rate: Option<u32>,
    /// Connections that are kept between requests. Default 16,384.
    pub connections: usize,
    /// Maximum number of connections of one address (a network of 64 bits, with IPv6); trusted proxies have
    /// no such limit. Default half of all.
    pub per_address: Option<usize>,
    /// Maximum number of connections beyond these limits, which are served one request each. Default 512.
    pub beyond: usize,
    /// Longest time from a connection's beginning to the end of its TLS handshake. Default 10 s.
    pub handshake_time: Duration,
    /// Longest time from a request's first byte to the end of its headers. Default 10 s.
    pub header_time: Duration,
    /// Longest pause of the sender of a body. Default 30 s.
    pub body_pause: Duration,
    /// Least rate of a body, in bytes in a second: beyond a pause, it has the time that its bytes take at
    /// this rate. Default 4 KiB.
    pub body_rate: u32,
    /// Longest time for a whole body to arrive. Default 5 min.
    pub body_time: Duration,
    /// Longest idle time of a connection between requests; longer than the usual pauses of pollers. Default
    /// 2 min.
    pub idle_time: Duration,
    /// Longest time in which a reader takes none of its answer. Default 30 s.
    pub write_time: Duration,
    /// Longest time that open requests have to end when the server stops; then they are cut off. Default 10
    /// s.
    pub drain: Duration,
}

impl Limits {
    /// Returns the maximum number of connections of one address.
    pub(crate) fn connections_per_address(&self) -> usize {
        self.per_address.unwrap_or_else(|| self.connections.div_ceil(2))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 1 << 20,
            public_body: 16 << 10,
            public_body_time: Duration::from_secs(10),
            import: 16 << 20,
            bodies: Budget::new(32 << 20),
            query: 8 << 10,
            depth: 64,
            in_flight: 1_024,
            waits: 8_192,
            rate: None,
            connections: 16_384,
            per_address: None,
            beyond: 512,
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(10),
            body_pause: Duration::from_secs(30),
            body_rate: 4 * 1024,
            body_time: Duration::from_secs(300),
            idle_time: Duration::from_secs(120),
            write_time: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}
