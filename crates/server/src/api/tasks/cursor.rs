//! Cursors of the feed: positions in the log of changes, opaque to clients.

use http::StatusCode;
use longhaul_crypto::base64url;
use longhaul_engine::Position;
use longhaul_model::Fault;

use crate::error::ApiError;

/// Longest cursor in characters: that of hundreds of nodes.
const LONGEST: usize = 32 << 10;

/// Writes a position as a cursor.
pub(crate) fn write(position: &Position) -> String {
    // A position serialises, whatever is in it.
    base64url::encode(&serde_json::to_vec(position).unwrap_or_default())
}

/// Reads a cursor.
pub(crate) fn read(text: &str) -> Result<Position, ApiError> {
    let position = (text.len() <= LONGEST).then(|| base64url::decode(text)).flatten();
    position.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
        ApiError::parameter("cursor", "It takes a cursor as an event or a page of changes had it")
    })
}

/// Refuses a position whose changes the log does not have.
pub(crate) fn gone() -> ApiError {
    let message = "the changes after this cursor are not known here (any more)";
    let fault = Fault::new("CURSOR_GONE", message).remedy(
        "Begin anew without a cursor: with a list, or with the events of the list, and the cursor they give",
    );
    ApiError::new(StatusCode::GONE, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_they_were_written_and_nothing_else_is() {
        let position = Position { lineage: "a/1".to_owned(), rows: [(-2, (7, 5)), (3, (1, 9))].into() };
        let text = write(&position);
        assert_eq!(read(&text).unwrap(), position);
        for bad in ["", "x", "e30", &text[1..], &format!("{text}="), &"A".repeat(LONGEST + 1)] {
            assert_eq!(read(bad).unwrap_err().status, StatusCode::BAD_REQUEST, "{bad}");
        }
    }
}
