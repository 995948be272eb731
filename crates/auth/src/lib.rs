//! Authentication and authorization. [`Auth`] is the one way in: it checks the credential of a request
//! ([`Auth::authenticate`]), gives tokens ([`Auth::login`], [`Auth::refresh`]), and keeps accounts. What a
//! principal may do is its [`Role`]'s matter; which role a call needs is the caller's.
#![forbid(unsafe_code)]

mod access;
mod api_key;
mod auth;
mod bootstrap;
mod bounds;
mod compact;
mod config;
mod denied;
mod directory;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod keys;
mod live;
mod login;
mod names;
mod noted;
mod oidc;
mod page;
mod password;
mod principal;
mod role;
mod sessions;
mod throttle;
mod tidy;
mod users;

pub use longhaul_store::{SessionId, Whose};

pub use auth::Auth;
pub use bounds::Bounds;
pub use config::{AuthConfig, OidcConfig};
pub use denied::{Denied, Reason};
pub use error::{LoginError, RefreshError, RotateError, StartError, UserError};
pub use login::{LoginRequest, TokenPair};
pub use oidc::{Fetch, FetchError, HttpFetch};
pub use password::{Hashing, Weak};
pub use principal::{Kind, Principal};
pub use role::{BadRole, Role};
pub use sessions::SessionView;
pub use throttle::network;
pub use users::{ApiKeyView, NewApiKey, NewUser, UserPatch, UserView};
