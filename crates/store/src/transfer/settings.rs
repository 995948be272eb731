//! Settings of a store about itself.

/// Setting of a store that is being filled: the progress of the transfer.
pub(crate) const FILLING: &str = "transfer.filling";
/// The setting of a store that was filled: by which transfer.
pub(crate) const FILLED: &str = "transfer.filled";
/// Setting of a store whose content is being moved, or was.
pub(super) const MOVED: &str = "transfer.moved";
/// Settings that belong to one store, not to the tasks.
pub(crate) const OWN_SETTINGS: [&str; 6] = [FILLING, FILLED, MOVED, "seq.floor", STORAGE_ID, KEYS];
/// Setting with the identity of the storage that served the data last ([`crate::Store::storage_id`]).
pub const STORAGE_ID: &str = "storageId";
/// Setting with the names of the key rings that seal the secrets, as a list.
pub const KEYS: &str = "keys";

/// Setting with the sealed signing keys of a copy, which uses none of the key file of its original.
pub(crate) const SIGNING_KEYS: &str = "signingKeys";
