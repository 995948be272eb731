//! Accounts in SQLite: errands of the one writer like all rare work, and point reads beside it. An errand
//! checks before it writes, as it shares its transaction with others and cannot be undone alone.

mod sessions;
mod standing;
mod users;

use async_trait::async_trait;
use longhaul_model::Timestamp;

use super::need::Need;
use super::writer::Writer;
use super::{Sqlite, audit as notes};
use crate::accounts::{Accounts, User, UserChange, Users};
use crate::audit::Audit;
use crate::error::StoreError;
use crate::session::{RefreshToken, SessionId, SessionPage, SessionQuery};

#[async_trait]
impl Accounts for Sqlite {
    fn accounts_revision(&self) -> Result<i64, StoreError> {
        self.readers.with(users::revision)
    }

    fn signing_keys(&self) -> Result<Option<String>, StoreError> {
        self.readers.with(users::signing_keys)
    }

    async fn put_signing_keys(&self, before: Option<String>, after: String) -> Result<bool, StoreError> {
        self.errand(Need::Room, None, move |writer, _| {
            users::put_signing_keys(&writer.connection, before.as_deref(), &after)
        })
        .await
    }

    async fn void_all(&self, signing_keys: String) -> Result<(), StoreError> {
        let void = move |writer: &mut Writer, now| users::void_all(&writer.connection, &signing_keys, now);
        self.errand(Need::WayOut, None, void).await
    }

    fn users(&self) -> Result<Users, StoreError> {
        self.readers.snapshot(|connection| {
            Ok(Users { history: 0, revision: users::revision(connection)?, users: users::all(connection)? })
        })
    }

    fn user(&self, name: &str) -> Result<User, StoreError> {
        self.readers.snapshot(|connection| users::find(connection, name))
    }

    async fn create_user(&self, user: User, audit: Option<Audit>) -> Result<User, StoreError> {
        self.errand(Need::Room, audit, move |writer, now| users::create(&writer.connection, user, now)).await
    }

    async fn change_user(
        &self,
        name: &str,
        change: UserChange,
        audit: Option<Audit>,
    ) -> Result<User, StoreError> {
        let name = name.to_owned();
        self.errand(Need::Room, audit, move |writer, now| {
            users::change(&writer.connection, &name, change, now)
        })
        .await
    }

    async fn delete_user(&self, name: &str, audit: Option<Audit>) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.errand(Need::Room, audit, move |writer, _| users::delete(&writer.connection, &name)).await
    }

    async fn touch_api_keys(&self, used: Vec<(String, Timestamp)>) -> Result<(), StoreError> {
        self.errand(Need::Room, None, move |writer, _| users::touch(&writer.connection, &used)).await
    }

    async fn put_refresh_token(&self, token: RefreshToken, audit: Option<Audit>) -> Result<(), StoreError> {
        self.errand(Need::WayOut, audit, move |writer, _| sessions::put(&writer.connection, &token)).await
    }

    fn refresh_token(&self, hash: &[u8; 32]) -> Result<Option<RefreshToken>, StoreError> {
        self.readers.with(|connection| sessions::find(connection, hash))
    }

    fn session(&self, id: SessionId) -> Result<Option<RefreshToken>, StoreError> {
        self.readers.with(|connection| sessions::session(connection, id))
    }

    fn sessions(&self, query: &SessionQuery) -> Result<SessionPage, StoreError> {
        self.readers.snapshot(|connection| sessions::page(connection, query))
    }

    async fn prolong_refresh_token(&self, hash: [u8; 32], until: Timestamp) -> Result<bool, StoreError> {
        self.errand(Need::WayOut, None, move |writer, _| sessions::prolong(&writer.connection, &hash, until))
            .await
    }

    async fn revoke_refresh_token(&self, hash: [u8; 32], audit: Option<Audit>) -> Result<bool, StoreError> {
        let work = move |writer: &mut Writer, now| {
            let revoked = sessions::revoke(&writer.connection, &hash)?;
            match audit.filter(|_| revoked) {
                Some(audit) => notes::write(&writer.connection, &audit, now).map(|()| true),
                None => Ok(revoked),
            }
        };
        self.errand(Need::WayOut, None, work).await
    }

    async fn note(&self, audit: Audit) -> Result<(), StoreError> {
        self.errand(Need::Room, Some(audit), |_, _| Ok(())).await
    }

    async fn prune_refresh_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.errand(Need::WayOut, None, move |writer, _| sessions::prune(&writer.connection, now, limit))
            .await
    }
}
