//! Client of the collector: batches of spans as requests of OTLP over HTTP, in protobuf.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use crate::{TraceError, TraceSettings};

/// Longest time for one request.
const LIMIT: Duration = Duration::from_secs(10);

/// Client of the collector, for a thread of its own.
#[derive(Debug)]
pub(crate) struct Exporter(SpanExporter);

impl Exporter {
    /// Creates the client; nothing is sent yet. Must not be called by a thread of an asynchronous runtime.
    pub(crate) fn new(settings: &TraceSettings) -> Result<Exporter, TraceError> {
        let client = reqwest::blocking::Client::builder()
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| TraceError(e.to_string()))?;
        let headers: HashMap<String, String> = settings.headers.clone().into_iter().collect();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&settings.endpoint)
            .with_timeout(LIMIT)
            .with_headers(headers)
            .build()
            .map_err(|e| TraceError(e.to_string()))?;
        let instance = settings.instance.clone().map(|name| KeyValue::new("service.instance.id", name));
        let resource = Resource::builder_empty()
            .with_service_name(settings.service.clone())
            .with_attributes([KeyValue::new("service.version", settings.version.clone())])
            .with_attributes(instance)
            .build();
        exporter.set_resource(&resource);
        Ok(Exporter(exporter))
    }

    /// Sends spans, and waits until the collector has them.
    pub(crate) fn export(&self, spans: Vec<SpanData>) -> Result<(), String> {
        // The client blocks, so that the future is ready when it is first asked.
        match self.0.export(spans).now_or_never() {
            Some(sent) => sent.map_err(|e| e.to_string()),
            None => Err("the request was not made".to_owned()),
        }
    }
}
