//! Lists with filters that a server does not have: failures that nobody has resolved, and labels. Pages are
//! read one after the other, up to a limit.

use longhaul_client::{PageBody, Phase, TaskBody, TaskFilter};
use serde_json::{Value, json};

use super::Context;
use crate::exit::Failure;

/// Number of tasks requested in a call.
const CALL: u32 = 100;
/// Largest number of tasks that are searched.
const MOST: u64 = 20_000;
/// Number of tasks on a page unless the command line gives one, the same as servers use.
const PAGE: u32 = 10;
/// Pseudo-status of failures that nobody has resolved.
pub(crate) const OPEN_FAILURES: &str = "open-failures";

/// Filters beyond those of the server.
pub(super) struct Beyond {
    /// Statuses that match whatever the resolution; empty for all.
    plain: Vec<Phase>,
    open_failures: bool,
    labels: Vec<(String, Option<String>)>,
}

impl Beyond {
    /// Extracts these filters from the given statuses and labels; `None` if those of the server are enough.
    pub(super) fn of(statuses: &mut Vec<String>, labels: &[String]) -> Option<Beyond> {
        let given = statuses.len();
        statuses.retain(|status| !status.trim().eq_ignore_ascii_case(OPEN_FAILURES));
        let open_failures = statuses.len() < given;
        let plain: Vec<Phase> = statuses.iter().map(|status| Phase::of(status.trim())).collect();
        if open_failures && !plain.contains(&Phase::Failed) {
            statuses.push("FAILED".to_owned());
        }
        let labels: Vec<_> = labels
            .iter()
            .map(|label| match label.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (label.clone(), None),
            })
            .collect();
        (open_failures || !labels.is_empty()).then_some(Beyond { plain, open_failures, labels })
    }

    fn matches(&self, task: &TaskBody) -> bool {
        let phase = task.phase();
        let open = || phase == Phase::Failed && task.resolution_status != "RESOLVED";
        let status = !self.open_failures || self.plain.contains(&phase) || open();
        let has = |(key, value): &(String, Option<String>)| {
            task.labels.get(key).is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        };
        status && self.labels.iter().all(has)
    }

    /// Returns a page of matching tasks in the form of a server's answer. The total is exact unless the
    /// search reaches its limit, which is reported.
    pub(super) async fn page(&self, context: &Context, mut filter: TaskFilter) -> Result<Value, Failure> {
        let (number, size) = (filter.page.unwrap_or(1).max(1), filter.page_size.unwrap_or(PAGE).min(CALL));
        let (begin, end) = (u64::from(number - 1) * u64::from(size), u64::from(number) * u64::from(size));
        let (mut elements, mut matched, mut seen) = (Vec::new(), 0_u64, 0_u64);
        filter.page_size = Some(CALL);
        for page in 1.. {
            filter.page = Some(page);
            let mut answer = context.client.list_tasks(&filter).await?;
            let about: PageBody<Value> = crate::cmd::plain(answer.clone()).unwrap_or_default();
            let found = match answer.get_mut("elements").map(Value::take) {
                Some(Value::Array(found)) => found,
                _ => Vec::new(),
            };
            seen += found.len() as u64;
            let done = found.is_empty() || u64::from(page) >= about.page_metadata.total_pages;
            for task in found {
                if crate::cmd::plain::<TaskBody>(task.clone()).is_ok_and(|task| self.matches(&task)) {
                    if (begin..end).contains(&matched) {
                        elements.push(task);
                    }
                    matched += 1;
                }
            }
            if done {
                break;
            }
            if seen >= MOST {
                let more = "there are more: narrow the list with --type, --name or --completed-after";
                context.out.remark(&format!("looked through {seen} tasks; {more}"))?;
                break;
            }
        }
        let pages = matched.div_ceil(u64::from(size.max(1)));
        Ok(json!({
            "elements": elements,
            "pageMetadata": { "pageNumber": number, "pageSize": size, "totalElements": matched, "totalPages": pages },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statuses: &[&str], labels: &[&str]) -> (Vec<String>, Option<Beyond>) {
        let mut statuses: Vec<String> = statuses.iter().map(|text| (*text).to_owned()).collect();
        let labels: Vec<String> = labels.iter().map(|text| (*text).to_owned()).collect();
        let beyond = Beyond::of(&mut statuses, &labels);
        (statuses, beyond)
    }

    #[test]
    fn every_combination_matches_what_it_says() {
        let all = ["Pending", "IN_PROGRESS", "Successful", "Completed With Warning", "FAILED", "Cancelled"];
        for with_failed in [false, true] {
            for with_cancelled in [false, true] {
                let mut asked = vec!["Open-Failures"];
                asked.extend(with_failed.then_some("failed"));
                asked.extend(with_cancelled.then_some("cancelled"));
                let (sent, beyond) = of(&asked, &["a=1", "b"]);
                let beyond = beyond.unwrap();
                assert!(sent.iter().any(|status| status.eq_ignore_ascii_case("failed")), "{sent:?}");
                for (status, resolved) in all.iter().flat_map(|status| [(status, true), (status, false)]) {
                    for labels in [json!({"a": "1", "b": ""}), json!({"a": "2", "b": ""}), json!({})] {
                        let resolution = if resolved { "RESOLVED" } else { "UNRESOLVED" };
                        let task =
                            json!({"status": status, "resolutionStatus": resolution, "labels": labels});
                        let phase = Phase::of(status);
                        let wanted = match phase {
                            Phase::Failed => with_failed || !resolved,
                            Phase::Cancelled => with_cancelled,
                            _ => false,
                        };
                        let wanted = wanted && labels["a"] == "1";
                        let task: TaskBody = serde_json::from_value(task).unwrap();
                        assert_eq!(beyond.matches(&task), wanted, "{asked:?} {task:?}");
                    }
                }
            }
        }
        assert!(of(&["failed"], &[]).1.is_none());
    }
}
