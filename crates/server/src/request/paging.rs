//! Pages (wire contract, section 0, row 4).

use super::Parameters;
use crate::error::ApiError;

/// The largest page.
const LARGEST: u32 = 100;

/// Page that a list's query asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging {
    /// Number of the page, from 1; 0 is the first, too.
    pub(crate) number: u64,
    /// Elements of a page.
    pub(crate) size: u32,
    /// Count of elements before the page.
    pub(crate) offset: u64,
}

impl Paging {
    pub(crate) fn read(parameters: &Parameters, default_size: u32) -> Result<Self, ApiError> {
        let size = match whole_number(parameters, "pageSize")? {
            None | Some(0) => default_size,
            Some(size) => u32::try_from(size).ok().filter(|size| *size <= LARGEST).ok_or_else(|| {
                let allowed = "It takes 1 to 100; ask for further pages by pageNumber";
                ApiError::parameter("pageSize", allowed)
            })?,
        };
        let number = whole_number(parameters, "pageNumber")?.unwrap_or(1).max(1);
        Ok(Paging { number, size, offset: (number - 1).saturating_mul(u64::from(size)) })
    }
}

/// Reads a parameter that is not negative; the documented type is int32.
pub(crate) fn whole_number(parameters: &Parameters, name: &str) -> Result<Option<u64>, ApiError> {
    let Some(text) = parameters.get(name) else { return Ok(None) };
    let number = text.parse::<i32>().ok().and_then(|number| u64::try_from(number).ok());
    number.map(Some).ok_or_else(|| ApiError::parameter(name, "It takes a whole number from 0 to 2147483647"))
}
