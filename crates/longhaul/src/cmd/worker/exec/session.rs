//! Identity of the worker: a token or password from the environment, or the session of the last login.
//! Sessions are renewed while the worker runs.

use std::sync::{Mutex, PoisonError};

use longhaul_client::{Client, ClientError, ErrorBody, Login};
use longhaul_worker::{Renewal, TokenSource, Worker, WorkerBuilder, async_trait};

use crate::cli::Global;
use crate::cmd::identity::Identity;
use crate::cmd::kept::{Kept, Sessions};
use crate::cmd::{Target, connect};
use crate::exit::Failure;

/// Returns a worker of the server that the options name, with the identity from the environment or the last
/// login.
pub(super) async fn builder(global: &Global) -> Result<WorkerBuilder, Failure> {
    let identity = Identity::given()?;
    let (nobody, target) = (connect(global)?.build()?, Target::of(global)?);
    let name = target.session(&nobody);
    let (kept, from_login) = match identity {
        Identity::Token(token) => return Ok(Worker::builder(&target.server, token)),
        Identity::Password { user, password } => {
            let login = Login::Password { username: &user, password: &password };
            let tokens = nobody.login(login).await?;
            let refresh_token = tokens.refresh_token.id;
            (Some(Kept { user, access_token: tokens.access_token, refresh_token }), false)
        }
        Identity::Session => {
            // Without a directory for sessions there is no session.
            let kept = Sessions::of_user().ok().map(|sessions| sessions.get(&name)).transpose()?;
            (kept.flatten(), true)
        }
    };
    let Some(kept) = kept else { return Err(no_one()) };
    let builder = Worker::builder(&target.server, kept.access_token.clone());
    Ok(builder.tokens(SessionTokens { kept: Mutex::new(kept), from_login, nobody, name }))
}

/// Returns the error of a worker without credentials, the same as that of other commands.
fn no_one() -> Failure {
    Failure::Call(ClientError::Refused {
        status: 401,
        error: Box::new(ErrorBody {
            error_code: "Unauthorized".to_owned(),
            message: "a worker needs an access token or an API key".to_owned(),
            ..ErrorBody::default()
        }),
    })
}

/// Tokens of a session.
struct SessionTokens {
    kept: Mutex<Kept>,
    /// True if the session is that of the last login, which later commands use, too.
    from_login: bool,
    nobody: Client,
    /// Name under which the session is stored.
    name: String,
}

impl SessionTokens {
    fn kept(&self) -> Kept {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl TokenSource for SessionTokens {
    fn token(&self) -> String {
        self.kept().access_token
    }

    async fn renew(&self, _refused: &str) -> Renewal {
        let old = self.kept();
        match self.nobody.refresh(&old.refresh_token).await {
            Ok(access_token) => {
                let new = Kept { access_token: access_token.clone(), ..old };
                if self.from_login {
                    // A session that cannot be stored is renewed once more next time.
                    let _ =
                        Sessions::of_user().and_then(|sessions| sessions.set(&self.name, Some(new.clone())));
                }
                *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = new;
                Renewal::Token(access_token)
            }
            Err(ClientError::Refused { status: 429 | 500.., .. }) => Renewal::Later,
            Err(ClientError::Refused { .. }) => Renewal::Never,
            Err(_) => Renewal::Later,
        }
    }
}
