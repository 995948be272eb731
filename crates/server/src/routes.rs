//! Every route on one page: method, path, the role it needs, what the document says of it, who answers it. Router,
//! OpenAPI document and tests are made from this table; a route without a role does not compile.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use http::Method;

use crate::api::{App, bound, docs, health, tasks, workflows};
use crate::error::ApiError;
use crate::openapi::{Answer, Body, Doc, Param};

/// Who may call a route, at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Anybody, without a token.
    Public,
    /// Who may look.
    Viewer,
    /// Who may start, retry, cancel and decide.
    Operator,
    /// Who may change what there is.
    Admin,
}

/// One route.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) role: Role,
    /// `None` for what is not part of the API.
    pub(crate) doc: Option<Doc>,
    handler: MethodRouter<App>,
}

fn route(method: Method, path: &'static str, role: Role, doc: Doc, handler: MethodRouter<App>) -> Route {
    Route { method, path, role, doc: Some(doc), handler }
}

fn page(path: &'static str, handler: MethodRouter<App>) -> Route {
    Route { method: Method::GET, path, role: Role::Public, doc: None, handler }
}

/// The table.
#[rustfmt::skip]
pub(crate) fn table() -> Vec<Route> {
    use Role::{Admin, Operator, Public, Viewer};
    let task_answers = || vec![Answer::json(200, "The task", "Task"), Answer::error(400), Answer::error(404), Answer::error(409)];
    vec![
        route(Method::GET, "/v1/tasks", Viewer,
            Doc::new("getTasks", "Tasks", "Retrieve a list of all tasks").with(Param::list())
                .answers(vec![Answer::json(200, "A page of tasks, and the exact total", "PageOfTask"), Answer::error(400)]),
            get(tasks::list::list)),
        route(Method::POST, "/v1/tasks", Operator,
            Doc::new("startTask", "Tasks", "Start a task of a workflow").with(vec![Param::wait(), Param::idempotency_key()]).body(Body::Json("TaskStartSpec"))
                .answers(vec![Answer::json(202, "The task, durable and begun", "Task"), Answer::error(400), Answer::error(404), Answer::error(422)]),
            post(tasks::submit::submit)),
        route(Method::POST, "/v1/tasks/import", Admin,
            Doc::new("importTasks", "Tasks", "Take in tasks as a Tasks API returned them: one, a list, or a page").body(Body::Json("TaskImport"))
                .answers(vec![Answer::json(200, "What became of them", "TaskImportResult"), Answer::error(400)]),
            post(tasks::import::import)),
        route(Method::GET, "/v1/tasks/{id}", Viewer,
            Doc::new("getTask", "Tasks", "Retrieve a task by its ID").with(vec![Param::id(), Param::wait(), Param::view(), Param::include(), Param::if_none_match()])
                .answers(vec![Answer::json(200, "The task", "Task"), Answer::empty(304, "It is as the caller knows it"), Answer::error(400), Answer::error(404)]),
            get(tasks::get::get)),
        route(Method::PATCH, "/v1/tasks/{id}", Operator,
            Doc::new("retryTask", "Tasks", "Retry a failed task from what failed").with(vec![Param::id()]).answers(task_answers()),
            patch(tasks::retry::retry)),
        route(Method::DELETE, "/v1/tasks/{id}", Operator,
            Doc::new("cancelTask", "Tasks", "Cancel a task").with(vec![Param::id()]).answers(task_answers()),
            delete(tasks::cancel::cancel)),
        route(Method::GET, "/v1/tasks/{id}/attempts", Viewer,
            Doc::new("getTaskAttempts", "Tasks", "Every attempt of every sub-task").with(vec![Param::id()])
                .answers(vec![Answer::json(200, "The attempts", "PageOfAttempt"), Answer::error(400), Answer::error(404), Answer::error(409)]),
            get(tasks::attempts::attempts)),
        route(Method::POST, "/v1/tasks/{id}/resolve", Operator,
            Doc::new("resolveTask", "Tasks", "Say that a failure was dealt with, or what really happened").with(vec![Param::id()]).body(Body::Json("TaskResolveSpec")).answers(task_answers()),
            post(tasks::resolve::resolve)),
        route(Method::POST, "/v1/tasks/{id}/subtasks/{name}/skip", Operator,
            Doc::new("skipSubTask", "Tasks", "Let a failed task go on without one failed sub-task").with(vec![Param::id(), Param::sub_task()]).body(Body::Json("SubTaskSkipSpec")).answers(task_answers()),
            post(tasks::skip::skip)),
        route(Method::GET, "/v1/workflows", Viewer,
            Doc::new("getWorkflows", "Workflows", "Retrieve all workflows").answers(vec![Answer::json(200, "The workflows", "PageOfWorkflow")]),
            get(workflows::list::list)),
        route(Method::GET, "/v1/workflows/{name}", Viewer,
            Doc::new("getWorkflow", "Workflows", "Retrieve a workflow").with(vec![Param::workflow(), Param::version()])
                .answers(vec![Answer::json(200, "The workflow", "Workflow"), Answer::error(400), Answer::error(404)]),
            get(workflows::get::get)),
        route(Method::PUT, "/v1/workflows/{name}", Admin,
            Doc::new("putWorkflow", "Workflows", "Store a definition as a new version").with(vec![Param::workflow()]).body(Body::Json("WorkflowDefinition"))
                .answers(vec![Answer::json(200, "The newest version was the same", "Workflow"), Answer::json(201, "The new version", "Workflow"), Answer::error(400), Answer::error(409)]),
            put(workflows::put::put)),
        route(Method::DELETE, "/v1/workflows/{name}", Admin,
            Doc::new("deleteWorkflow", "Workflows", "Take a workflow out of the list; its tasks go on").with(vec![Param::workflow()])
                .answers(vec![Answer::empty(204, "It is out of the list"), Answer::error(404)]),
            delete(workflows::delete::delete)),
        route(Method::GET, "/health/live", Public,
            Doc::new("getLive", "Health", "Whether the process answers").answers(vec![Answer::json(200, "It does", "Health")]),
            get(health::live)),
        route(Method::GET, "/health/ready", Public,
            Doc::new("getReady", "Health", "Whether tasks are accepted and run").answers(vec![Answer::json(200, "They are", "Health"), Answer::json(503, "Not now", "Health")]),
            get(health::ready)),
        page("/openapi.json", get(docs::openapi)),
        page("/docs", get(docs::redirect)),
        page("/docs/{*file}", get(docs::file)),
    ]
}

/// Paths that later versions of the Tasks API answer: not the names of tasks.
const RESERVED: [&str; 3] = ["/v1/tasks/history", "/v1/tasks/config/settings", "/v1/tasks/events"];

/// The router of the table. What it does not know may be a workflow's.
pub(crate) fn router(app: App) -> Router {
    let mut router: Router<App> = Router::new();
    for route in table() {
        router = router.route(route.path, route.handler);
    }
    for path in RESERVED {
        router = router.route(path, axum::routing::any(reserved));
    }
    router.fallback(bound::bound).method_not_allowed_fallback(wrong_method).with_state(app)
}

async fn reserved(request: Request) -> Response {
    ApiError::unknown_route(request.method(), request.uri().path()).into_response()
}

async fn wrong_method(request: Request) -> Response {
    let path = request.uri().path();
    ApiError::wrong_method(request.method(), path, &allowed(path)).into_response()
}

/// The methods that a path takes, for `Allow`.
fn allowed(path: &str) -> String {
    /// Method and path of every route; the whole table is more than a refusal should cost.
    static CALLS: LazyLock<Vec<(Method, &str)>> =
        LazyLock::new(|| table().into_iter().map(|route| (route.method, route.path)).collect());
    let methods = CALLS.iter().filter(|(_, pattern)| matches(pattern, path)).flat_map(|(method, _)| {
        // Whatever answers GET answers HEAD.
        [Some(method.as_str()), (method == Method::GET).then_some("HEAD")].into_iter().flatten()
    });
    methods.collect::<Vec<_>>().join(", ")
}

/// Whether a path is one of a route's.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(_)) if part.starts_with("{*") => return true,
            (Some(part), Some(text)) if part.starts_with('{') || part == text => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_methods_are_those_of_the_table() {
        assert_eq!(allowed("/v1/tasks"), "GET, HEAD, POST");
        assert_eq!(allowed("/v1/tasks/bc32f3be-a777-434b-a156-3fa54e8d2ded"), "GET, HEAD, PATCH, DELETE");
        assert_eq!(allowed("/docs/a/b"), "GET, HEAD");
        assert_eq!(allowed("/v1/nothing"), "");
    }

    #[test]
    fn what_changes_something_is_not_for_those_who_only_look() {
        for route in table().into_iter().filter(|route| route.doc.is_some()) {
            assert_eq!(route.method.is_safe(), route.role <= Role::Viewer, "{} {}", route.method, route.path);
        }
    }
}
