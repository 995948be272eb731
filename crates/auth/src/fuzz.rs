//! Entry points for the fuzz targets of `fuzz/`.

use crate::compact::{Compact, LONGEST};

/// Takes a token apart. What is signed is its beginning, and nothing that is too long or has other parts is
/// taken.
pub fn token(text: &str) {
    let Ok(token) = Compact::parse(text) else { return };
    assert!(text.len() <= LONGEST && text.matches('.').count() == 2);
    assert!(text.as_bytes().starts_with(token.message) && text.ends_with(token.signature));
    assert_eq!(token.message.len() + 1 + token.signature.len(), text.len());
    assert!(token.claims.starts_with(b"{") && token.header.alg.len() < LONGEST);
}
