//! A page of anything (wire contract, section 1.6).

use super::Json;

/// `{"elements":[…],"pageMetadata":{…}}`; `size` is the size asked for.
pub(crate) fn page<T>(
    items: impl IntoIterator<Item = T>,
    number: u64,
    size: u32,
    total: u64,
    each: impl FnMut(&mut Json, T),
) -> Vec<u8> {
    let mut json = Json::new(4096);
    json.object(|json| {
        json.key("elements").list(items, each);
        json.key("pageMetadata").object(|json| {
            json.key("pageNumber").value(&number);
            json.key("pageSize").value(&size);
            json.key("totalElements").value(&total);
            json.key("totalPages").value(&total.div_ceil(u64::from(size.max(1))));
        });
    });
    json.finish()
}

/// Writes a single value as a document.
pub(crate) fn one(write: impl FnOnce(&mut Json)) -> Vec<u8> {
    let mut json = Json::new(512);
    write(&mut json);
    json.finish()
}
