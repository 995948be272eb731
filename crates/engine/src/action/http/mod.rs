//! `http`: one request to another service. Redirects are not followed and proxies of the environment not used, so
//! that a request goes where its URL says, and only where the operator lets it go.

mod answer;
mod failure;
mod request;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_model::workflow::HttpTemplate;
use longhaul_model::{Failure, Launch};
use longhaul_store::Budget;
use reqwest::{Client, redirect};
use serde_json::Value;

use super::ActionsError;
use crate::HttpConfig;
use crate::egress::{Egress, Resolver};
use crate::logs::{Log, LogStream};

/// How long a connection may take to be made, name resolution and TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a request may take when its sub-task has no `timeout`: nothing waits for ever.
const DEFAULT_LIMIT: Duration = Duration::from_secs(300);
/// Connections kept open to one service for the next request.
const IDLE_PER_HOST: usize = 64;

/// Maximum bytes held of all answers, both raw and as values.
const ANSWERS: usize = 48 << 20;

/// Sends requests.
#[derive(Debug)]
pub(super) struct Http {
    answers: Budget,
    egress: Arc<Egress>,
    /// What a connection may reach depends on its port where the allow list names ports, and a resolver is not told
    /// the port: each of those has a client of its own.
    by_port: HashMap<u16, Client>,
    other: Client,
}

impl Http {
    pub(super) fn new(config: &HttpConfig) -> Result<Self, ActionsError> {
        let egress = Egress::new(&config.allow)
            .map_err(|(entry, reason)| ActionsError::HttpAllow { entry, reason })?;
        let egress = Arc::new(egress);
        let by_port =
            egress.ports().map(|port| Ok((port, client(&egress, port)?))).collect::<Result<_, _>>()?;
        Ok(Http { answers: Budget::new(ANSWERS), by_port, other: client(&egress, 0)?, egress })
    }

    /// Sends the request and judges the answer. Dropping the future closes the connection.
    pub(super) async fn run(
        &self,
        template: &HttpTemplate,
        launch: &Launch,
        log: &Log,
    ) -> Result<Option<Value>, Failure> {
        let request = request::build(template, launch, &self.egress)?;
        let what = request::describe(&request);
        let port = request.url().port_or_known_default().unwrap_or_default();
        let client = self.by_port.get(&port).unwrap_or(&self.other);
        let begun = Instant::now();
        let told = |outcome: &str| {
            log.write(LogStream::Out, format!("{what}: {outcome}, after {} ms", begun.elapsed().as_millis()));
        };
        let response = client.execute(request).await.map_err(|e| {
            told("no answer");
            failure::broken(&what, e)
        })?;
        told(response.status().as_str());
        answer::judge(template, launch, &what, response, self.answers.room(), log).await
    }
}

fn client(egress: &Arc<Egress>, port: u16) -> Result<Client, ActionsError> {
    Client::builder()
        .user_agent(concat!("Longhaul/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Resolver::new(egress.clone(), port))
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_LIMIT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .build()
        .map_err(|e| ActionsError::HttpClient(e.to_string()))
}
