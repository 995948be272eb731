//! The file of keys: its form, who may read it, and how it is replaced so that a crash leaves the old one or
//! the new.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::keyring::KeyringError;
use crate::{base64url, private, random};

/// The form that this program writes and reads.
const FORMAT: u32 = 1;

/// Content of the file. Times are milliseconds since 1970; the last key of a list is in use.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KeyFile {
    format: u32,
    pub(crate) signing: Vec<KeyEntry>,
    pub(crate) sealing: Vec<KeyEntry>,
    /// Key for fingerprints, which must stay the same for as long as they are compared: this one does not
    /// rotate.
    pub(crate) fingerprint: KeyEntry,
}

/// Key of the file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KeyEntry {
    pub(crate) id: String,
    pub(crate) created_at: i64,
    secret: Zeroizing<String>,
}

impl KeyEntry {
    /// A new key; the prefix tells people what it is for.
    pub(crate) fn new(prefix: &str, now: i64) -> Self {
        let secret = Zeroizing::new(random::token::<32>());
        KeyEntry { id: format!("{prefix}{}", random::token::<9>()), created_at: now, secret }
    }

    /// The key itself.
    pub(crate) fn secret(&self) -> Option<Zeroizing<[u8; 32]>> {
        let bytes = Zeroizing::new(base64url::decode(&self.secret)?);
        Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.chars().all(plain) {
            return Err(format!("`{}` is no id of a key", self.id.escape_debug()));
        }
        match self.secret() {
            Some(_) => Ok(()),
            None => Err(format!("the secret of the key `{}` is not 32 bytes of base64url", self.id)),
        }
    }
}

impl KeyFile {
    /// New keys for everything.
    pub(crate) fn new(now: i64) -> Self {
        KeyFile {
            format: FORMAT,
            signing: vec![KeyEntry::new("k", now)],
            sealing: vec![KeyEntry::new("s", now)],
            fingerprint: KeyEntry::new("f", now),
        }
    }

    /// Reads the file; `None` if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, KeyringError> {
        let io = |source| KeyringError::Io { doing: "read", path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io(e)),
        };
        if let Some(mode) = private::exposed(&file).map_err(io)? {
            return Err(KeyringError::Exposed { path: path.to_owned(), mode });
        }
        check_folder(path)?;
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(io)?;
        let malformed = |why| KeyringError::Malformed { path: path.to_owned(), why };
        KeyFile::parse(&text).map(Some).map_err(malformed)
    }

    /// Reads the content of a key file. Err: what is wrong, without anything secret.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // The messages of serde_json name places and fields, never values of strings.
        let read: KeyFile = serde_json::from_str(text).map_err(|e| e.to_string())?;
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("it has format {}, this version of Longhaul knows {FORMAT}", self.format));
        }
        for (name, keys) in [("signing", &self.signing), ("sealing", &self.sealing)] {
            if keys.is_empty() {
                return Err(format!("`{name}` has no key"));
            }
            for (at, key) in keys.iter().enumerate() {
                key.check()?;
                if keys[..at].iter().any(|other| other.id == key.id) {
                    return Err(format!("`{name}` has two keys `{}`", key.id));
                }
            }
        }
        self.fingerprint.check()
    }

    /// Puts the file there, or in place of the old one.
    /// After Ok: on disk. Crash in the middle: the old file is whole, or the new one is.
    pub(crate) fn write(&self, path: &Path) -> Result<(), KeyringError> {
        self.put(path, |partial| std::fs::rename(partial, path))
    }

    /// Puts the file where there is none; false if another process came first, whose file stays.
    /// After Ok: on disk, this one or the other. Crash in the middle: there is a whole file or none.
    pub(crate) fn create(&self, path: &Path) -> Result<bool, KeyringError> {
        let mut first = true;
        self.put(path, |partial| {
            let linked = std::fs::hard_link(partial, path);
            std::fs::remove_file(partial)?;
            match linked {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => first = false,
                linked => linked?,
            }
            Ok(())
        })?;
        Ok(first)
    }

    /// Writes it beside its place, and has it put there.
    fn put(&self, path: &Path, place: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), KeyringError> {
        let io = |source| KeyringError::Io { doing: "write", path: path.to_owned(), source };
        let text = serde_json::to_vec_pretty(self).map(Zeroizing::new).map_err(|e| io(e.into()))?;
        let folder = folder_of(path);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io)?;
        // A name of its own: other processes may be at the same.
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{}.partial", random::token::<6>()));
        let partial = PathBuf::from(partial);
        let written = self::write(&partial, &text).and_then(|()| place(&partial));
        if written.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        written.map_err(io)?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(io)
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Refuses a folder in which others than its owner may put another file in the place of this one.
fn check_folder(path: &Path) -> Result<(), KeyringError> {
    let folder = folder_of(path);
    let io = |source| KeyringError::Io { doing: "read", path: folder.clone(), source };
    let mode = std::fs::metadata(&folder).map_err(io)?.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        return Err(KeyringError::Exchangeable { folder, mode });
    }
    Ok(())
}

fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text).and_then(|()| file.sync_all())
}
