//! URLs made of values. A value is encoded for its place in the URL, so that it cannot become another part of
//! it: whatever a task is given, the request goes where the author of the workflow wrote.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Expr, ExprError, LONGEST_RESULT, Piece, Scope, Template};

/// Characters of a value that are kept as they are, in a path and in a query.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Characters of a value that are kept in a path that is marked as encoded: everything that a path is made
/// of.
const PATH: &AsciiSet = &UNRESERVED
    .remove(b'%')
    .remove(b'/')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Characters of a value that are kept in a query that is marked as encoded.
const QUERY: &AsciiSet = &PATH.remove(b'?');

/// A URL that may hold expressions.
#[derive(Debug)]
pub struct UrlTemplate(Template);

/// A place in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The part before `://`.
    Scheme,
    /// Host and port.
    Host,
    /// The part behind the host.
    Path,
    /// The part behind `?`.
    Query,
    /// The part behind `#`, which is never sent.
    Fragment,
}

impl Place {
    /// Returns the place after some more of the URL as its author wrote it. `before` is all of that so far.
    fn after(self, before: &str, text: &str) -> Place {
        let mut place = self;
        let mut rest = text;
        if place == Place::Scheme {
            let whole = format!("{before}{text}");
            let Some((scheme, _)) = whole.split_once("://") else { return place };
            place = Place::Host;
            rest = &text[(scheme.len() + 3).saturating_sub(before.len()).min(text.len())..];
        }
        for c in rest.chars() {
            place = match (place, c) {
                (Place::Host | Place::Path | Place::Query, '#') => Place::Fragment,
                (Place::Host | Place::Path, '?') => Place::Query,
                (Place::Host, '/' | '\\') => Place::Path,
                _ => place,
            };
        }
        place
    }
}

impl UrlTemplate {
    /// Treats a template as that of a URL.
    pub fn new(template: Template) -> UrlTemplate {
        UrlTemplate(template)
    }

    /// The template as written.
    pub fn template(&self) -> &Template {
        &self.0
    }

    /// Returns the mistake in where the expressions stand, if there is one: only a URL of one expression may
    /// have everything decided by values.
    pub fn misplaced(&self) -> Option<String> {
        let Template::Mixed(pieces) = &self.0 else { return None };
        let mut written = String::new();
        let mut place = Place::Scheme;
        for (n, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => {
                    place = place.after(&written, text);
                    written.push_str(text);
                }
                Piece::Expr(expr) => match place {
                    Place::Fragment => {
                        return Some(format!("`{}` stands behind `#`, which is never sent", expr.source()));
                    }
                    Place::Scheme if n > 0 => {
                        return Some(format!("`{}` stands before `://`", expr.source()));
                    }
                    // A base address, or a scheme: what follows says which.
                    Place::Scheme => {
                        let behind = pieces.get(1);
                        let is_scheme = |text: &str| text.starts_with("://");
                        let scheme = matches!(behind, Some(Piece::Text(text)) if is_scheme(text));
                        place = if scheme { Place::Scheme } else { Place::Path };
                        if !scheme
                            && !matches!(behind, Some(Piece::Text(text)) if text.starts_with(['/', '?']))
                        {
                            return Some(format!(
                                "behind the address `{}` a `/` or `?` must follow",
                                expr.source()
                            ));
                        }
                    }
                    Place::Host | Place::Path | Place::Query => {}
                },
            }
        }
        None
    }

    /// The URL of a scope.
    pub fn text(&self, scope: &Scope) -> Result<String, ExprError> {
        let pieces = match &self.0 {
            Template::Plain(_) | Template::Whole(_) => return self.0.text(scope),
            Template::Mixed(pieces) => pieces,
        };
        if let Some(reason) = self.misplaced() {
            return Err(ExprError::new("url", reason));
        }
        let mut made = Made { url: String::new(), place: Place::Scheme, segment: 0, of: None };
        for (n, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => made.written(text)?,
                Piece::Expr(expr) => {
                    let (value, encoded) = expr.text(scope)?;
                    let is_scheme =
                        matches!(pieces.get(1), Some(Piece::Text(text)) if text.starts_with("://"));
                    match (made.place, n) {
                        (Place::Scheme, 0) if !is_scheme => made.base(expr, &value)?,
                        _ => made.value(expr, &value, encoded)?,
                    }
                }
            }
            if made.url.len() > LONGEST_RESULT {
                return Err(ExprError::new("url", format!("it gives more than {LONGEST_RESULT} bytes")));
            }
        }
        made.segment_ends()?;
        Ok(made.url)
    }
}

/// URL in the making.
struct Made<'e> {
    url: String,
    place: Place,
    /// Start of the path's segment that is being made.
    segment: usize,
    /// Expression that gave a part of that segment.
    of: Option<&'e Expr>,
}

impl<'e> Made<'e> {
    /// Appends a text that the author wrote.
    fn written(&mut self, text: &str) -> Result<(), ExprError> {
        for c in text.chars() {
            let was = self.place;
            let mut one = [0; 4];
            let one = c.encode_utf8(&mut one);
            self.place = was.after(&self.url, one);
            if was == Place::Path && (matches!(c, '/' | '\\') || self.place != was) {
                self.segment_ends()?;
            }
            self.url.push(c);
            if self.place == Place::Path && (matches!(c, '/' | '\\') || was != Place::Path) {
                self.segment = self.url.len();
            }
        }
        Ok(())
    }

    /// A value that is the address up to the path.
    fn base(&mut self, expr: &'e Expr, value: &str) -> Result<(), ExprError> {
        let refuse = |reason: &str| {
            let e = ExprError::new(expr.source(), reason);
            Err(e.hint(
                "Give an address such as https://host.example:8443/base, without `?` and `#`".to_owned(),
            ))
        };
        let Some((scheme, rest)) = value.split_once("://") else {
            return refuse("it gives no address that begins with https:// or http://");
        };
        let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
        if !is_web || rest.is_empty() || rest.starts_with(['/', '\\']) {
            return refuse("it gives no address that begins with https:// or http:// and a host");
        }
        if value
            .contains(|c: char| matches!(c, '?' | '#' | '@' | '\\') || c.is_whitespace() || c.is_control())
        {
            return refuse("it gives an address that has `?`, `#`, `@`, `\\` or a blank in it");
        }
        // The rest is the author's, and begins with a `/` or `?`.
        self.url.push_str(value.trim_end_matches('/'));
        self.place = Place::Path;
        self.segment = self.url.len();
        Ok(())
    }

    /// Appends a value, encoded for its place.
    fn value(&mut self, expr: &'e Expr, value: &str, encoded: bool) -> Result<(), ExprError> {
        let refuse = |reason: String| {
            Err(ExprError::new(expr.source(), reason)
                .hint("Give a value that is only what its place in the URL needs".to_owned()))
        };
        match self.place {
            Place::Scheme => match value.to_ascii_lowercase().as_str() {
                scheme @ ("http" | "https") => self.url.push_str(scheme),
                _ => return refuse("it gives a scheme that is not http or https".to_owned()),
            },
            Place::Host => {
                let fits =
                    |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
                if value.is_empty() || !value.chars().all(fits) {
                    return refuse("it gives no name or address of a host".to_owned());
                }
                self.url.push_str(value);
            }
            Place::Path => {
                self.of = Some(expr);
                let set = if encoded { PATH } else { UNRESERVED };
                for (n, part) in utf8_percent_encode(value, set).to_string().split('/').enumerate() {
                    if n > 0 {
                        self.segment_ends()?;
                        self.url.push('/');
                        self.segment = self.url.len();
                        self.of = Some(expr);
                    }
                    self.url.push_str(part);
                }
            }
            Place::Query => {
                let set = if encoded { QUERY } else { UNRESERVED };
                self.url.extend(utf8_percent_encode(value, set));
            }
            Place::Fragment => return refuse("it stands behind `#`, which is never sent".to_owned()),
        }
        Ok(())
    }

    /// Completes a segment of the path. One that a value is a part of must not be empty, `.` or `..`:
    /// `/hosts/` is another resource than `/hosts/17`.
    fn segment_ends(&mut self) -> Result<(), ExprError> {
        let Some(expr) = self.of.take() else { return Ok(()) };
        let segment = &self.url[self.segment..];
        let plain = percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let reason = match plain.as_str() {
            "" => "it gives nothing, and the path needs a part there",
            "." | ".." => "it makes the path's part `.` or `..`, which would be another path",
            _ => return Ok(()),
        };
        let hint = "Give the part of the path that is meant, or test for it with `when`";
        Err(ExprError::new(expr.source(), reason).hint(hint.to_owned()))
    }
}
