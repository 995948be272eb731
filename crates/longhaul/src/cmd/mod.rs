//! Commands, one in each file.

mod ask;
mod audit;
mod backup;
mod check;
mod clock;
mod completions;
mod context;
mod health;
mod identity;
mod import;
mod kept;
mod keys;
mod lock;
mod login;
mod man;
mod mcp;
mod migrate;
mod node;
mod private;
mod queue;
mod restore;
mod session;
mod target;
mod task;
mod user;
mod worker;
mod workflow;

use anyhow::Context as _;
pub(crate) use context::Contexts;
use identity::Identity;
use kept::{Kept, Sessions};
use longhaul_client::{Client, ClientBuilder, Credentials, Login, Session};
use nix::sys::stat::{Mode, umask};
use serde_json::Value;
pub(crate) use target::Target;
pub(crate) use task::{OPEN_FAILURES, short_ids};
pub(crate) use workflow::Linted;

use crate::again::Again;
use crate::cli::{Command, Global};
use crate::exit::{Code, Failure};
use crate::out::{Out, clean};

/// Context of every command that talks to a server.
pub(crate) struct Context {
    /// The server.
    pub(crate) client: Client,
    /// Output for the answers.
    pub(crate) out: Out,
}

/// Runs a command to its end.
pub(crate) fn run(command: Command, global: &Global, out: Out, again: Again) -> Result<Code, Failure> {
    if matches!(
        command,
        Command::Serve(_)
            | Command::Backup(_)
            | Command::Restore(_)
            | Command::Migrate(_)
            | Command::Check(_)
    ) {
        // All files that these commands make hold tasks or keys.
        umask(Mode::from_bits_truncate(0o077));
    }
    if !matches!(command, Command::Serve(_)) {
        for warning in crate::environment::warnings() {
            out.remark(&format!("warning: {warning}"))?;
        }
    }
    match command {
        Command::Serve(args) => crate::serve::run(*args, out, again),
        Command::Task(command) => blocking(async { task::run(command, &context(global, out).await?).await }),
        Command::Workflow(command) => blocking(async { workflow::run(command, global, out).await }),
        Command::Queue(command) => {
            blocking(async { queue::run(command, &context(global, out).await?).await })
        }
        Command::Worker(command) => blocking(async { worker::run(command, global, out).await }),
        Command::Lock(command) => blocking(async { lock::run(command, &context(global, out).await?).await }),
        Command::Node(command) => blocking(async { node::run(command, &context(global, out).await?).await }),
        Command::Clock(args) => blocking(async { clock::run(args, &context(global, out).await?).await }),
        Command::Context(command) => context::run(command, global, &out),
        Command::Login(args) => blocking(async { login::login(args, global, out).await }),
        Command::Logout => blocking(async { login::logout(global, out).await }),
        Command::Whoami => blocking(async { login::whoami(global, out).await }),
        Command::Session(command) => {
            blocking(async { session::run(command, &context(global, out).await?).await })
        }
        Command::User(command) => blocking(async { user::run(command, global, out).await }),
        Command::Audit(args) => blocking(async { audit::run(&args, &context(global, out).await?).await }),
        Command::Import(args) => blocking(async { import::run(&args, &context(global, out).await?).await }),
        Command::Backup(args) => backup::run(&args, &out),
        Command::Restore(args) => restore::run(&args, &out),
        Command::Check(args) => check::run(&args, out),
        Command::Migrate(args) => migrate::run(&args, &out),
        Command::Health(args) => blocking(async { health::run(&args, connect(global)?.build()?, out).await }),
        Command::Mcp(args) => blocking(async { mcp::run(&args, context(global, out).await?.client).await }),
        Command::Keys(args) => keys::run(&args, &out),
        Command::Completions(args) => completions::run(&args, &out),
        Command::Man(args) => man::run(&args, &out),
    }
}

/// Creates a client of the server that the options name, with the identity of the environment or of the last
/// login.
pub(crate) async fn context(global: &Global, out: Out) -> Result<Context, Failure> {
    let identity = Identity::given()?;
    let client = connect(global)?;
    let client = match identity {
        Identity::Token(token) => client.credentials(Credentials::Token(token)),
        Identity::Password { user, password } => {
            let login = Login::Password { username: &user, password: &password };
            let tokens = connect(global)?.build()?.login(login).await?;
            client.credentials(Credentials::Token(tokens.access_token))
        }
        Identity::Session => {
            let nobody = connect(global)?.build()?;
            let name = Target::of(global)?.session(&nobody);
            // A user without a directory for sessions has none.
            let kept = Sessions::of_user().ok().map(|sessions| sessions.get(&name)).transpose()?;
            match kept.flatten() {
                Some(kept) => with_session(client, &kept, name)?,
                None => client,
            }
        }
    };
    Ok(Context { client: client.build()?, out })
}

/// Returns the server that the options name, with the certificates to trust.
fn connect(global: &Global) -> Result<ClientBuilder, Failure> {
    let target = Target::of(global)?;
    let client = Client::builder(&target.server);
    if target.insecure {
        return Ok(client.insecure());
    }
    Ok(match &target.ca {
        Some(ca) => client.authority(std::fs::read(ca).with_context(|| format!("--ca {}", ca.display()))?),
        None => client,
    })
}

/// Continues the session of that name; a renewed access token is kept for the next command.
fn with_session(client: ClientBuilder, kept: &Kept, name: String) -> Result<ClientBuilder, Failure> {
    let old = kept.clone();
    let renewed = move |access_token: &str| {
        let new = Kept { access_token: access_token.to_owned(), ..old.clone() };
        // A session that cannot be stored is renewed once more next time.
        let _ = Sessions::of_user().and_then(|sessions| sessions.set(&name, Some(new)));
    };
    let session = Session::new(&kept.access_token, &kept.refresh_token, renewed)?;
    Ok(client.credentials(Credentials::Session(session)))
}

/// Reads an answer of the server for display, without characters that control a terminal. Messages keep their
/// line breaks.
pub(crate) fn plain<T: serde::de::DeserializeOwned>(mut answer: Value) -> serde_json::Result<T> {
    clean::value(&mut answer, false);
    longhaul_client::read(answer)
}

/// Runs a client on one thread, which is enough for one request at a time.
fn blocking(work: impl Future<Output = Result<Code, Failure>>) -> Result<Code, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
