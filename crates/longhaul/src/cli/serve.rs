//! `serve`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use longhaul_server::Listen;
use serde::Deserialize;

/// Options of `serve`. Values that neither they nor the environment give come from the configuration file,
/// else from the defaults.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A flag wins over its environment variable, that over the configuration file, that over the default.

The configuration file is TOML; every key is optional:
  listen = [\"127.0.0.1:8080\", \"unix:/run/longhaul/longhaul.sock\"]
  data_dir = \"/var/lib/longhaul\"     # workflows, unix_mode, demo, insecure_http, mcp, log_format, log_level as the flags
  trusted_proxies = [\"10.0.0.5\"]     # balancers whose X-Forwarded-For and X-Forwarded-Proto are believed
  [database]                         # several nodes on one PostgreSQL, see --database-url
  url = \"postgres://longhaul@db1,db2/longhaul?sslmode=verify-full\"
  connections = 16                   # of one node
  allow_unsafe = false               # true accepts a server with fsync = off: for tests
  [tls]
  mode = \"self-signed\"               # or off; without it, the certificate of these files:
  cert = \"/etc/longhaul/cert.pem\"    # the server's own, then those that lead to its authority
  key = \"/etc/longhaul/key.pem\"      # readable by its owner only
  [auth]
  access_token_life = \"1h\"
  refresh_token_life = \"24h\"
  rotate_signing_keys = \"30d\"
  [auth.oidc]                        # accept the tokens of another issuer, too
  issuer = \"https://login.example.com/realms/lab\"
  audiences = [\"longhaul\"]
  [limits]                           # for each principal
  in_flight = 1024                   # requests under way
  rate = 500                         # requests a second; no limit unless given
  [wire]                             # for clients that expect one server's habits
  status_style = \"display\"           # display (Failed, In Progress) or constant (FAILED, IN_PROGRESS)
  action_body = \"task\"               # task or empty: the answer to a retry and a cancel
  login_status = 201                 # 201 or 200: the answer to a login
  default_page_size = 10             # 1 to 100
  extensions = true                  # members of Longhaul's own behind the documented ones
  [engine]
  cancel_grace = \"30s\"               # how long what runs may take to stop when its task is cancelled
  shutdown_grace = \"30s\"             # how long what runs may take to end when the server stops
  shutdown_delay = \"3s\"              # how long a node of a database that stops answers on, until a balancer has noticed
  max_running = 4096                 # attempts at once
  [traces]                           # spans of tasks for a collector of OpenTelemetry
  endpoint = \"http://127.0.0.1:4318/v1/traces\"
  sample = 1.0                       # share of the tasks, 0 to 1; headers.NAME = \"...\" and service = \"longhaul\" besides
  [actions.http]
  allow = [\"10.0.0.0/8\"]             # private networks and hosts that `http` actions may reach
  [actions.command]
  allow = [\"/usr/bin/uname\"]         # programs that `command` actions may run, or tables of what they may be given
  limits = { cpu = \"1h\", memory_mib = 4096, processes = 4096, processors = 0, files = 1024, file_size_mib = 10240 }

SIGHUP has the server read limits, log settings, the section wire, workflow files and its certificate again; a mistake in \
any of them changes nothing. SIGUSR1 and SIGUSR2 log its state. Under systemd it tells when it is ready (Type=notify).

The server stops on SIGTERM or SIGINT once what runs has ended or shutdown_grace is over; a second signal stops it at \
once. \
Nothing is lost either way: the next start goes on where this one stopped.

The first start makes the user `admin` and prints its password, once; LONGHAUL_ADMIN_PASSWORD sets it instead. The key \
file seals secrets in the database: keep a copy of it, apart from the backups.

With --database-url tasks are in a PostgreSQL database (15 or later), and any number of nodes work on it at once: each serves \
the whole API, and takes over from those that were not heard of for 10 seconds. A load balancer finds nodes by \
/health/ready, which answers 503 while one starts, stops or does not reach the database; a node waits for a database that is \
away. Parameters of the connection that the URL leaves open are taken from PGSERVICE, PGPASSWORD, PGPASSFILE or ~/.pgpass, \
PGSSLMODE and the like. Every node has the same key file. The password is better in LONGHAUL_DATABASE_URL or in the configuration file than \
on a command line that everybody sees.

Plain HTTP is for this machine only: what crosses a network needs TLS (1.2 or 1.3). With --tls self-signed the server \
makes a certificate at its first start, in tls/ of its data directory, and a new one in time. Clients are given it:
  longhaul --server https://host:8443 --ca longhaul-data/tls/cert.pem task list
  curl --cacert longhaul-data/tls/cert.pem https://host:8443/v1/tasks
The files of --tls-cert and --tls-key are read again 5 seconds after they change, and on SIGHUP. Nobody is disconnected \
by that; files that cannot be used are logged and change nothing.

Examples:
  longhaul serve --demo
  longhaul serve --listen 0.0.0.0:8443 --tls self-signed
  longhaul serve --listen 0.0.0.0:443 --tls-cert /etc/longhaul/cert.pem --tls-key /etc/longhaul/key.pem
  longhaul serve --database-url postgres://longhaul@db1,db2/longhaul?sslmode=verify-full --key-file /etc/longhaul/keys.json
  longhaul serve --data-dir /var/lib/longhaul --workflows /etc/longhaul/workflows --log-format json")]
pub(crate) struct ServeArgs {
    /// The directory where tasks are kept [default: ./longhaul-data]
    #[arg(long, env = "LONGHAUL_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The PostgreSQL database where tasks are kept instead:
    /// postgres://user:password@host1,host2:port/database?sslmode=verify-full&sslrootcert=FILE
    #[arg(long, env = "LONGHAUL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// Accept a PostgreSQL server that may lose tasks in a crash (fsync or full_page_writes off): for tests
    #[arg(long, env = "LONGHAUL_ALLOW_UNSAFE_DATABASE", num_args = 0..=1, default_missing_value = "true", default_value = "false", value_name = "BOOL", hide_possible_values = true, hide_default_value = true)]
    pub(crate) allow_unsafe_database: bool,
    /// The data is here to stay: it was restored, copied or moved, and the original is gone. Without it, a
    /// server on such data starts paused
    #[arg(long)]
    pub(crate) moved: bool,
    /// The data is a copy, and the original lives on: sessions and API keys of the original are not accepted,
    /// and its tasks do not go on here unless somebody decides so
    #[arg(long, conflicts_with = "moved")]
    pub(crate) copy: bool,
    /// Begin with an empty store although there are keys already
    #[arg(long)]
    pub(crate) new_store: bool,
    /// The file of the keys that sign tokens and seal secrets [default: keys.json in the data directory]
    #[arg(long, env = "LONGHAUL_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// The addresses to listen on, once for each: ADDRESS:PORT, NAME:PORT for all addresses of a name, or
    /// unix:/path; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "LONGHAUL_LISTEN", value_name = "ADDR:PORT", value_delimiter = ',')]
    pub(crate) listen: Vec<Listen>,
    /// Permissions of sockets at a path, in octal [default: 0660]
    #[arg(long, env = "LONGHAUL_UNIX_MODE", value_name = "MODE")]
    pub(crate) unix_mode: Option<UnixMode>,
    /// HTTPS with a certificate that the server makes itself, or plain HTTP [default: off]
    #[arg(long, env = "LONGHAUL_TLS", value_enum, value_name = "MODE", conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) tls: Option<TlsMode>,
    /// HTTPS with the certificate of this PEM file; those that lead to its authority follow it there
    #[arg(long, env = "LONGHAUL_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of that certificate: a PEM file that only its owner can read
    #[arg(long, env = "LONGHAUL_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Let other machines come without TLS: passwords, tokens and data can be read on the way
    #[arg(long, env = "LONGHAUL_INSECURE_HTTP", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub(crate) insecure_http: Option<bool>,
    /// A folder of workflow files to load at the start
    #[arg(long, env = "LONGHAUL_WORKFLOWS", value_name = "DIR")]
    pub(crate) workflows: Option<PathBuf>,
    /// Load the shipped workflows, start tasks of every outcome, and say what to try
    #[arg(long, env = "LONGHAUL_DEMO", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub(crate) demo: Option<bool>,
    /// Start nothing: reads and decisions work. For a restored copy that is looked at before it goes on
    #[arg(long, env = "LONGHAUL_PAUSED", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub(crate) paused: Option<bool>,
    /// Tools that agents find at /mcp, over the Model Context Protocol [default: off]
    #[arg(long, env = "LONGHAUL_MCP", value_enum, value_name = "TOOLS")]
    pub(crate) mcp: Option<McpMode>,
    /// Collector of OpenTelemetry that spans of tasks are exported to, such as
    /// http://127.0.0.1:4318/v1/traces
    #[arg(long, env = "LONGHAUL_TRACES_ENDPOINT", value_name = "URL")]
    pub(crate) traces_endpoint: Option<String>,
    /// Format of the log, which goes to standard error [default: text]
    #[arg(long, env = "LONGHAUL_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Levels to log: error, warn, info, debug, trace, or by part: info,longhaul_store=debug [default: info]
    #[arg(long, env = "LONGHAUL_LOG", value_name = "FILTER")]
    pub(crate) log_level: Option<String>,
    /// The configuration file
    #[arg(long, env = "LONGHAUL_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Values of `--tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TlsMode {
    /// HTTPS; the certificate is made at the first start and kept
    SelfSigned,
    /// Plain HTTP
    Off,
}

/// Values of `--mcp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum McpMode {
    /// No tools: there is no /mcp
    #[default]
    Off,
    /// The tools that read
    Read,
    /// Those that start, retry, cancel and resolve tasks, too
    Write,
}

/// Permissions of a socket at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct UnixMode(pub(crate) u32);

impl FromStr for UnixMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Nobody can connect to a socket that its own server may not write.
        match u32::from_str_radix(text, 8) {
            Ok(mode) if mode <= 0o777 && mode & 0o600 == 0o600 && text.len() <= 4 => Ok(UnixMode(mode)),
            _ => Err("write permissions in octal that let the owner read and write, such as 0660".to_owned()),
        }
    }
}

impl TryFrom<String> for UnixMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line an event, for people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}
