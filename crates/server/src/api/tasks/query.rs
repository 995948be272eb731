//! The query of a task list (wire contract, section 2.2; section 0, rows 1, 4 and 5).

use longhaul_engine::{OrderBy, TaskQuery};
use longhaul_model::{TaskStatus, Timestamp};

use crate::config::WireConfig;
use crate::error::ApiError;
use crate::request::{Paging, Parameters, whole_number};

/// Labels of one task, and so of a question for tasks.
const MOST_LABELS: usize = 50;

/// A list as asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) query: TaskQuery,
    /// Number of the page, from 1.
    pub(crate) number: u64,
    pub(crate) size: u32,
    /// `limit`: maximum number of elements over all pages.
    pub(crate) cap: Option<u64>,
}

/// Reads the parameters. Unknown ones are ignored, malformed values of known ones refused.
pub(crate) fn read(parameters: &Parameters, wire: &WireConfig) -> Result<Asked, ApiError> {
    let Paging { number, size, offset } = Paging::read(parameters, wire.default_page_size)?;
    let cap = whole_number(parameters, "limit")?;
    let left = cap.map_or(u64::MAX, |cap| cap.saturating_sub(offset));
    let limit = u32::try_from(left).unwrap_or(u32::MAX).min(size);
    if let Some(live) = parameters.get("doLiveRefresh")
        && !live.eq_ignore_ascii_case("true")
        && !live.eq_ignore_ascii_case("false")
    {
        return Err(ApiError::parameter(
            "doLiveRefresh",
            "It takes `true` or `false`, and changes nothing here",
        ));
    }
    let query = TaskQuery {
        order: order(parameters)?,
        descending: descending(parameters)?,
        offset,
        limit,
        ..filters(parameters)?
    };
    Ok(Asked { query, number, size, cap })
}

/// Reads the filters, without order and page.
pub(crate) fn filters(parameters: &Parameters) -> Result<TaskQuery, ApiError> {
    let text = |name: &str| parameters.get(name).map(str::to_owned);
    let (statuses, open_failures) = statuses(parameters)?;
    Ok(TaskQuery {
        statuses,
        kind: text("taskType"),
        resource_id: text("resourceId"),
        resource_kind: text("resourceType"),
        completed_after: completed_after(parameters)?,
        name_contains: text("taskName"),
        open_failures,
        labels: labels(parameters)?,
        ..TaskQuery::default()
    })
}

/// The statuses, and whether a failed task belongs to the list only while nobody has resolved it.
fn statuses(parameters: &Parameters) -> Result<(Vec<TaskStatus>, bool), ApiError> {
    let mut named = named_statuses(parameters)?;
    let adds_open = parameters.flag("openFailures")? && !named.contains(&TaskStatus::Failed);
    if adds_open {
        named.push(TaskStatus::Failed);
    }
    Ok((named, adds_open))
}

/// `label=name` and `label=name=value`, each once or several times.
fn labels(parameters: &Parameters) -> Result<Vec<(String, Option<String>)>, ApiError> {
    let given = parameters.pairs().iter().filter(|(name, text)| name == "label" && !text.is_empty());
    let labels: Vec<_> = given
        .map(|(_, text)| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text.clone(), None),
        })
        .collect();
    if labels.iter().any(|(name, _)| name.is_empty()) {
        return Err(ApiError::parameter("label", "It takes the name of a label, or `name=value`"));
    }
    if labels.len() > MOST_LABELS {
        return Err(ApiError::parameter(
            "label",
            "It may be there 50 times, as a task has 50 labels at the most",
        ));
    }
    Ok(labels)
}

fn named_statuses(parameters: &Parameters) -> Result<Vec<TaskStatus>, ApiError> {
    parameters
        .words("taskStatus")
        .map(|word| {
            TaskStatus::parse(word).ok_or_else(|| {
                let known: Vec<&str> = TaskStatus::ALL.iter().map(|status| status.constant()).collect();
                let allowed = format!("It takes one or more of {}, in any spelling", known.join(", "));
                ApiError::parameter("taskStatus", &allowed)
            })
        })
        .collect()
}

fn completed_after(parameters: &Parameters) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = parameters.get("completedAfter") else { return Ok(None) };
    let millis = text.parse::<i64>().map_err(|_| {
        ApiError::parameter("completedAfter", "It takes milliseconds since 1970, such as 1767225600000")
    })?;
    Ok(Some(Timestamp(millis)))
}

fn order(parameters: &Parameters) -> Result<OrderBy, ApiError> {
    let Some(text) = parameters.get("orderBy") else { return Ok(OrderBy::CreatedAt) };
    OrderBy::ALL.into_iter().find(|order| order.wire_name().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let known: Vec<&str> = OrderBy::ALL.iter().map(|order| order.wire_name()).collect();
        ApiError::parameter("orderBy", &format!("It takes one of {}", known.join(", ")))
    })
}

/// Reads the sort direction: newest first by default; ascending with an order of the caller's own.
fn descending(parameters: &Parameters) -> Result<bool, ApiError> {
    match parameters.get("orderDirection") {
        None => Ok(parameters.get("orderBy").is_none_or(|by| by.eq_ignore_ascii_case("creationTimestamp"))),
        Some(text) if text.eq_ignore_ascii_case("asc") => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("desc") => Ok(true),
        Some(_) => Err(ApiError::parameter("orderDirection", "It takes ASC or DESC")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;

    fn asked(query: &str) -> Result<Asked, ApiError> {
        read(&Parameters::parse(Some(query), &Limits::default())?, &WireConfig::default())
    }

    #[test]
    fn pages_begin_at_one_whatever_is_asked() {
        for query in ["", "pageNumber=0", "pageNumber=1", "page=7", "pageNumber="] {
            let asked = asked(query).unwrap();
            assert_eq!((asked.number, asked.size, asked.query.offset), (1, 10, 0), "{query}");
        }
        let third = asked("pageNumber=3&pageSize=100").unwrap();
        assert_eq!((third.number, third.query.offset, third.query.limit), (3, 200, 100));
        let huge = asked("pageNumber=2147483647&pageSize=100").unwrap();
        assert_eq!(huge.query.offset, 214_748_364_600);
    }

    #[test]
    fn limit_caps_over_all_pages() {
        assert_eq!(asked("limit=3").unwrap().query.limit, 3);
        assert_eq!(asked("limit=12&pageNumber=2").unwrap().query.limit, 2);
        assert_eq!(asked("limit=12&pageNumber=3").unwrap().query.limit, 0);
    }

    #[test]
    fn statuses_are_read_in_every_spelling() {
        let expected = vec![TaskStatus::InProgress, TaskStatus::Failed];
        for query in [
            "taskStatus=In%20Progress,FAILED",
            "taskStatus=in+progress,Failed",
            "taskStatus=IN_PROGRESS,failed",
        ] {
            assert_eq!(asked(query).unwrap().query.statuses, expected, "{query}");
        }
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        for (query, name) in [
            ("pageNumber=-1", "pageNumber"),
            ("pageNumber=x", "pageNumber"),
            ("pageNumber=99999999999", "pageNumber"),
            ("pageSize=101", "pageSize"),
            ("limit=-1", "limit"),
            ("taskStatus=RUNNING", "taskStatus"),
            ("completedAfter=yesterday", "completedAfter"),
            ("orderBy=size", "orderBy"),
            ("orderDirection=up", "orderDirection"),
            ("doLiveRefresh=maybe", "doLiveRefresh"),
        ] {
            let e = asked(query).unwrap_err();
            assert_eq!(e.status, 400, "{query}");
            assert_eq!(e.fault.arguments[0], name, "{query}");
        }
    }

    #[test]
    fn open_failures_join_the_statuses_and_labels_are_all_asked_for() {
        let (failed, cancelled) = (TaskStatus::Failed, TaskStatus::Cancelled);
        for (query, statuses, open) in [
            ("openFailures=true", vec![failed], true),
            ("openFailures=True&taskStatus=Cancelled", vec![cancelled, failed], true),
            ("openFailures=true&taskStatus=FAILED", vec![failed], false),
            ("openFailures=false&taskStatus=FAILED", vec![failed], false),
            ("openFailures=", vec![], false),
        ] {
            let query_read = asked(query).unwrap().query;
            assert_eq!((query_read.statuses, query_read.open_failures), (statuses, open), "{query}");
        }
        let of = |query: &str| asked(query).unwrap().query.labels;
        let label = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(
            of("label=a&label=b%3Dc%3Dd&label=e="),
            [label("a", None), label("b", Some("c=d")), label("e", Some(""))]
        );
        assert_eq!(of("label="), []);
        for (query, name) in [("openFailures=maybe", "openFailures"), ("label=%3Dx", "label")] {
            let refused = asked(query).unwrap_err();
            assert_eq!((refused.status.as_u16(), &*refused.fault.arguments), (400, &[name.to_owned()][..]));
        }
        assert!(asked(&vec!["label=a"; 51].join("&")).is_err());
    }
}
