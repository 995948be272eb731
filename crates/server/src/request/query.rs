//! A query's parameters.

use http::StatusCode;
use longhaul_model::Fault;

use crate::config::Limits;
use crate::error::ApiError;

/// Parameters of a query: decoded, in order. Unknown ones are ignored.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(query: Option<&str>, limits: &Limits) -> Result<Self, ApiError> {
        let query = query.unwrap_or_default();
        if query.len() > limits.query {
            let fault =
                Fault::new("QUERY_TOO_LONG", format!("the query is longer than {} bytes", limits.query));
            return Err(ApiError::new(StatusCode::URI_TOO_LONG, fault));
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        });
        pairs.collect::<Result<_, ApiError>>().map(Parameters)
    }

    /// Returns all parameters.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Returns a truth value, false unless given.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(ApiError::parameter(name, "It takes `true` or `false`")),
        }
    }

    /// Returns the words of a parameter that is a list: separated by commas, in one parameter or in several
    /// of the name, as clients write lists either way.
    pub(crate) fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str());
        values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
    }

    /// Returns the last value of a parameter; an empty one counts as none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }
}

fn decoded(text: &str) -> Result<String, ApiError> {
    percent_decoded(text, true).ok_or_else(|| {
        ApiError::bad("INVALID_REQUEST", "the query is not valid UTF-8 without NUL in percent encoding")
    })
}

/// Decodes `%20`, and with `plus` also `+`, to a space. NUL is in no name and no value of ours, and no
/// database takes it in a text.
pub(super) fn percent_decoded(text: &str, plus: bool) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' if plus => b' ',
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(out).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Parameters, ApiError> {
        Parameters::parse(Some(query), &Limits::default())
    }

    #[test]
    fn parameters_are_decoded_and_the_last_one_counts() {
        let parameters = parse("a=In%20Progress&b=x+y&a=2&c=&d&%65=f%3D").unwrap();
        let values: Vec<Option<&str>> =
            ["a", "b", "c", "d", "e", "f"].map(|name| parameters.get(name)).into();
        assert_eq!(values, [Some("2"), Some("x y"), None, None, Some("f="), None]);
    }

    #[test]
    fn lists_are_written_in_either_way() {
        for query in ["w=a,b,c", "w=a&w=b&w=c", "w=a&x=z&w=b,c", "w=,a%2Cb&w=&w=+c+,"] {
            assert_eq!(parse(query).unwrap().words("w").collect::<Vec<_>>(), ["a", "b", "c"], "{query}");
        }
        assert_eq!(parse("w=&x=a").unwrap().words("w").count(), 0);
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for query in ["a=%", "a=%2", "a=%zz", "a=%+f", "a=%ff", "a=%e9%", "a=\u{fc}%f", "a=x%00", "%00=a"] {
            assert!(parse(query).is_err(), "{query}");
        }
        assert_eq!(parse(&"a".repeat(8193)).err().map(|e| e.status), Some(StatusCode::URI_TOO_LONG));
    }
}
