//! `http`: one request to another service. Redirects are not followed and proxies of the environment not
//! used, so that a request goes where its URL says, and only where the operator allows it.

mod answer;
mod clients;
mod decode;
mod failure;
mod request;

use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_model::workflow::HttpTemplate;
use longhaul_model::{Failure, Launch};
use longhaul_store::Budget;
use serde_json::Value;

use clients::Clients;

use super::ActionsError;
use crate::HttpConfig;
use crate::egress::Egress;
use crate::logs::{Log, LogStream};

/// Longest time of a request whose sub-task has no `timeout`: nothing waits for ever.
const DEFAULT_LIMIT: Duration = Duration::from_secs(300);
/// Maximum bytes held of all answers, both raw and as values.
const ANSWERS: usize = 48 << 20;

/// Sends requests.
#[derive(Debug)]
pub(super) struct Http {
    answers: Budget,
    egress: Arc<Egress>,
    clients: Clients,
}

impl Http {
    pub(super) fn new(config: &HttpConfig) -> Result<Self, ActionsError> {
        let egress = Egress::new(&config.allow)
            .map_err(|(entry, reason)| ActionsError::HttpAllow { entry, reason })?;
        let egress = Arc::new(egress);
        let clients = Clients::new(config, &egress)?;
        Ok(Http { answers: Budget::new(ANSWERS), clients, egress })
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
        let begun = Instant::now();
        let told = |outcome: &str| {
            log.write(LogStream::Out, format!("{what}: {outcome}, after {} ms", begun.elapsed().as_millis()));
        };
        let response = self.clients.send(request, launch.repeatable).await.map_err(|e| {
            told("no answer");
            failure::broken(&what, e)
        })?;
        told(response.status().as_str());
        answer::judge(template, launch, &what, response, self.answers.room(), log).await
    }
}
