//! The section `[traces]`: the collector that spans of tasks are exported to.

use std::collections::BTreeMap;

use longhaul_engine::TraceSettings;
use serde::Deserialize;

use super::mistakes::Nonsense;

/// Name of the service in spans.
const SERVICE: &str = "longhaul";

/// The section `[traces]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TracesSection {
    pub(super) endpoint: Option<String>,
    sample: Option<f64>,
    service: Option<String>,
    headers: BTreeMap<String, String>,
}

impl TracesSection {
    /// Applies the flag of the same setting; `None` if there is no collector.
    pub(super) fn resolve(self, flag: Option<String>) -> Option<TraceSettings> {
        let endpoint = flag.or(self.endpoint)?;
        let instance = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        Some(TraceSettings {
            endpoint,
            headers: self.headers,
            sample: self.sample.unwrap_or(1.0),
            service: self.service.unwrap_or_else(|| SERVICE.to_owned()),
            instance,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Returns the settings that make no sense, and values that do.
    pub(super) fn nonsense(&self) -> Vec<Nonsense> {
        let mut all = Vec::new();
        if let Some(Err(remedy)) = self.endpoint.as_deref().map(is_endpoint) {
            all.push(Nonsense::of("traces.endpoint", remedy));
        }
        if self.sample.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            all.push(Nonsense::of("traces.sample", "write 0 to 1, such as 0.1 for a tenth of the tasks"));
        }
        if self.service.as_ref().is_some_and(|name| name.trim().is_empty()) {
            all.push(Nonsense::of("traces.service", "write a name, or leave it out"));
        }
        let wrong = self.headers.iter().filter(|(name, value)| {
            http::HeaderName::from_bytes(name.as_bytes()).is_err()
                || http::HeaderValue::from_str(value).is_err()
        });
        // The value may be a password: it is not shown.
        let remedy = "write the name of a header, and a value of one line";
        all.extend(
            wrong.map(|(name, _)| Nonsense::each(format!("traces.headers.{name}"), remedy.to_owned())),
        );
        all
    }
}

/// Returns what to write if a text is no URL of a collector.
pub(super) fn is_endpoint(text: &str) -> Result<(), &'static str> {
    const REMEDY: &str = "write the collector's URL with its path, such as http://127.0.0.1:4318/v1/traces";
    let url = text.parse::<http::Uri>().map_err(|_| REMEDY)?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    if is_http && url.host().is_some_and(|host| !host.is_empty()) && url.path() != "/" {
        Ok(())
    } else {
        Err(REMEDY)
    }
}
