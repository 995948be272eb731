//! Table of routes: method, path, required role, description in the document, and handler. Router, OpenAPI
//! document and tests are made from this table; a route without a role does not compile.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use http::Method;

use crate::access::{self, Gate, Role};
use crate::api::{
    App, audit, bound, clock, credentials, docs, health, locks, metrics, nodes, queues, sessions,
    signing_keys, tasks, tokens, ui, users, workers, workflows,
};
use crate::declared;
use crate::error::ApiError;
use crate::mcp;
use crate::meters;
use crate::openapi::{Answer, Body, Doc, Param};

/// Entry of the table of routes.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) role: Role,
    /// Description in the document; `None` for routes that are not part of the API.
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
    use Role::{Admin, Known, Operator, Public, Viewer, Worker};
    let task_answers = || vec![Answer::json(200, "The task", "Task"), Answer::error(400), Answer::error(404), Answer::error(409)];
    vec![
        route(Method::GET, "/v1/tasks", Viewer,
            Doc::new("getTasks", "Tasks", "Retrieve a list of all tasks").with(Param::list())
                .answers(vec![Answer::json(200, "A page of tasks, and the exact total", "PageOfTask"), Answer::error(400)]),
            get(tasks::list::list)),
        route(Method::POST, "/v1/tasks", Operator,
            Doc::new("startTask", "Tasks", "Start a task of a workflow").with(vec![Param::wait(), Param::dry_run(), Param::reason(), Param::idempotency_key(), Param::traceparent()]).body(Body::Json("TaskStartSpec"))
                .answers(vec![Answer::json(200, "With dryRun: the task as it would begin, under an ID of zeros", "Task"), Answer::json(202, "The task, durable and begun", "Task"), Answer::error(400), Answer::error(404), Answer::error(422)]),
            post(tasks::submit::submit)),
        route(Method::POST, "/v1/tasks/import", Admin,
            Doc::new("importTasks", "Tasks", "Take in tasks as a Tasks API returned them: one, a list, or a page").body(Body::Json("TaskImport"))
                .answers(vec![Answer::json(200, "What became of them", "TaskImportResult"), Answer::error(400)]),
            post(tasks::import::import)),
        route(Method::GET, "/v1/tasks/events", Viewer,
            Doc::new("getTaskEvents", "Tasks", "Follow a list of tasks: its page, then every change as it happens").with(Param::events())
                .answers(vec![Answer::stream(200, "Events: `task` for each task of the page, `snapshot`, then `task`, `left` (it no longer belongs to the list), `deleted`, `bookmark` and `reset` (begin anew)"), Answer::error(400), Answer::error(410)]),
            get(tasks::feed::events)),
        route(Method::GET, "/v1/tasks/{id}/events", Viewer,
            Doc::new("getEventsOfTask", "Tasks", "Follow a task: as it is, then every change as it happens").with(vec![Param::id(), Param::view(), Param::include(false), Param::cursor(), Param::last_event_id()])
                .answers(vec![Answer::stream(200, "Events: `task`, `snapshot`, then `task`, `deleted`, `bookmark` and `reset` (begin anew)"), Answer::error(400), Answer::error(404), Answer::error(410)]),
            get(tasks::task_events::events)),
        route(Method::GET, "/v1/changes", Viewer,
            Doc::new("getChanges", "Tasks", "Retrieve the changes of tasks since a cursor, for programs that poll").with(Param::changes())
                .answers(vec![Answer::json(200, "The changes, each task in its newest state, and the next cursor; without a cursor: none, and that of now", "PageOfChange"), Answer::error(400), Answer::error(410)]),
            get(tasks::feed::changes)),
        route(Method::GET, "/v1/task-ids/{part}", Viewer,
            Doc::new("findTasksById", "Tasks", "Find tasks by the beginning or the end of their ID").with(vec![Param::id_part()])
                .answers(vec![Answer::json(200, "Those whose ID has it, at most 11, without sub-tasks that have not failed", "PageOfTask"), Answer::error(400)]),
            get(tasks::ids::ids)),
        route(Method::GET, "/v1/tasks/{id}", Viewer,
            Doc::new("getTask", "Tasks", "Retrieve a task by its ID").with(vec![Param::id(), Param::wait(), Param::view(), Param::include(false), Param::if_none_match()])
                .answers(vec![Answer::json(200, "The task", "Task"), Answer::empty(304, "It is as the caller knows it"), Answer::error(400), Answer::error(404)]),
            get(tasks::get::get)),
        route(Method::PATCH, "/v1/tasks/{id}", Operator,
            Doc::new("retryTask", "Tasks", "Retry a failed task from what failed").with(vec![Param::id(), Param::reason()]).answers(task_answers()),
            patch(tasks::retry::retry)),
        route(Method::DELETE, "/v1/tasks/{id}", Operator,
            Doc::new("cancelTask", "Tasks", "Cancel a task").with(vec![Param::id(), Param::reason()]).answers(task_answers()),
            delete(tasks::cancel::cancel)),
        route(Method::GET, "/v1/tasks/{id}/why", Viewer,
            Doc::new("getTaskReasons", "Tasks", "Why a task does not go on").with(vec![Param::id()])
                .answers(vec![Answer::json(200, "Every reason, and the first of them in words", "TaskReasons"), Answer::error(400), Answer::error(404)]),
            get(tasks::why::why)),
        route(Method::GET, "/v1/tasks/{id}/history", Viewer,
            Doc::new("getTaskHistory", "Tasks", "Who did what to a task, and why").with(Param::history())
                .answers(vec![Answer::json(200, "A page, newest first, and the exact total", "PageOfTaskHistoryEntry"), Answer::error(400), Answer::error(404)]),
            get(tasks::told::history)),
        route(Method::GET, "/v1/tasks/{id}/attempts", Viewer,
            Doc::new("getTaskAttempts", "Tasks", "Every attempt of every sub-task").with(vec![Param::id()])
                .answers(vec![Answer::json(200, "The attempts", "PageOfAttempt"), Answer::error(400), Answer::error(404), Answer::error(409)]),
            get(tasks::attempts::attempts)),
        route(Method::GET, "/v1/tasks/{id}/logs", Viewer,
            Doc::new("getTaskLogs", "Tasks", "What the sub-tasks of a task wrote, in order").with(Param::logs())
                .answers(vec![Answer::json(200, "Lines, and where the next page begins", "TaskLog"), Answer::error(400), Answer::error(404)]),
            get(tasks::logs::logs)),
        route(Method::POST, "/v1/tasks/{id}/resolve", Operator,
            Doc::new("resolveTask", "Tasks", "Say that a failure was dealt with, or what really happened").with(vec![Param::id()]).body(Body::Json("TaskResolveSpec")).answers(task_answers()),
            post(tasks::resolve::resolve)),
        route(Method::POST, "/v1/tasks/{id}/release-locks", Admin,
            Doc::new("releaseTaskLocks", "Tasks", "Take from a failed task the locks that it keeps").with(vec![Param::id()]).body(Body::Json("TaskReleaseSpec")).answers(task_answers()),
            post(tasks::release::release)),
        route(Method::POST, "/v1/tasks/{id}/subtasks/{name}/skip", Operator,
            Doc::new("skipSubTask", "Tasks", "Let a failed task go on without one failed sub-task").with(vec![Param::id(), Param::sub_task()]).body(Body::Json("SubTaskSkipSpec")).answers(task_answers()),
            post(tasks::skip::skip)),
        route(Method::DELETE, "/v1/tasks/history", Admin,
            Doc::new("deleteTaskHistory", "Tasks", "Delete tasks that cannot change any more, each for itself").body(Body::Json("TaskHistoryDeletionRequest"))
                .answers(vec![Answer::json(200, "What became of each", "TaskHistoryDeletionResult"), Answer::error(400)]),
            delete(tasks::history::delete)),
        route(Method::GET, "/v1/tasks/config/settings", Viewer,
            Doc::new("getTaskSettings", "Tasks", "Retrieve the settings of tasks").answers(vec![Answer::json(200, "The settings", "TaskSettings")]),
            get(tasks::settings::get)),
        route(Method::PATCH, "/v1/tasks/config/settings", Admin,
            Doc::new("updateTaskSettings", "Tasks", "Set how long tasks are kept").body(Body::Json("TaskSettings"))
                .answers(vec![Answer::json(200, "The settings from now on", "TaskSettings"), Answer::error(400)]),
            patch(tasks::settings::patch)),
        route(Method::PATCH, "/v1/credentials", Admin,
            Doc::new("updateOrRotatePasswords", "Credentials", "Start the task of a change of credentials").with(vec![Param::idempotency_key()]).body(Body::Json("CredentialsUpdateSpec"))
                .answers(vec![Answer::json(202, "The task, durable and begun", "Task"), Answer::error(400)]),
            patch(credentials::update::update)),
        route(Method::GET, "/v1/credentials/tasks", Viewer,
            Doc::new("getCredentialsTasks", "Credentials", "Retrieve the newest credentials tasks").with(vec![Param::limit()])
                .answers(vec![Answer::json(200, "Newest first", "PageOfCredentialsTask"), Answer::error(400)]),
            get(credentials::list::list)),
        route(Method::GET, "/v1/credentials/tasks/{id}", Viewer,
            Doc::new("getCredentialsTask", "Credentials", "Retrieve a credentials task by its ID").with(vec![Param::id()])
                .answers(vec![Answer::json(200, "The task", "CredentialsTask"), Answer::error(400)]),
            get(credentials::look::get)),
        route(Method::PATCH, "/v1/credentials/tasks/{id}", Admin,
            Doc::new("retryCredentialsTask", "Credentials", "Retry a failed credentials task, with a new spec or as it was").with(vec![Param::id()]).body(Body::Optional("CredentialsUpdateSpec"))
                .answers(vec![Answer::json(202, "The task, running again", "Task"), Answer::error(400)]),
            patch(credentials::act::retry)),
        route(Method::DELETE, "/v1/credentials/tasks/{id}", Admin,
            Doc::new("cancelCredentialsTask", "Credentials", "Give a failed credentials task up; its resources are free").with(vec![Param::id()])
                .answers(vec![Answer::json(202, "The task", "Task"), Answer::error(400)]),
            delete(credentials::act::cancel)),
        route(Method::GET, "/v1/credentials/tasks/{id}/subtasks/{subtaskId}", Viewer,
            Doc::new("getCredentialsSubTask", "Credentials", "Retrieve a sub-task of a credentials task").with(vec![Param::id(), Param::credentials_sub_task()])
                .answers(vec![Answer::json(200, "The sub-task", "CredentialsSubTask"), Answer::error(400)]),
            get(credentials::look::sub_task)),
        route(Method::GET, "/v1/credentials/tasks/{id}/resource-credentials", Viewer,
            Doc::new("getResourceCredentials", "Credentials", "Retrieve which credentials a task is about, without passwords").with(vec![Param::id()])
                .answers(vec![Answer::list(200, "By resource", "ResourceCredentials"), Answer::error(400)]),
            get(credentials::look::resource_credentials)),
        route(Method::GET, "/v1/resources/locks", Viewer,
            Doc::new("getLocks", "Administration", "Retrieve what tasks have for themselves, and who waits for it").with(Param::locks())
                .answers(vec![Answer::json(200, "A page, in order of resource and arrival, and the exact total", "PageOfLock"), Answer::error(400)]),
            get(locks::list)),
        route(Method::GET, "/v1/nodes", Viewer,
            Doc::new("getNodes", "Administration", "Retrieve the nodes, and which of them is active").answers(vec![Answer::json(200, "The nodes", "PageOfNode")]),
            get(nodes::list)),
        route(Method::GET, "/v1/audit", Admin,
            Doc::new("getAudit", "Administration", "Retrieve who changed what").with(Param::audit())
                .answers(vec![Answer::json(200, "A page, newest first, and the exact total", "PageOfAuditEntry"), Answer::error(400)]),
            get(audit::list)),
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
        route(Method::POST, "/v1/workers/lease", Worker,
            Doc::new("leaseAttempts", "Workers", "Lease attempts from queues").body(Body::Json("WorkerLeaseSpec"))
                .answers(vec![Answer::json(200, "What there was", "WorkerLeases"), Answer::error(400)]),
            post(workers::lease::lease)),
        route(Method::POST, "/v1/workers/heartbeat", Worker,
            Doc::new("heartbeat", "Workers", "Extend leases, tell how far the work is, learn what was cancelled").body(Body::Json("WorkerHeartbeatSpec"))
                .answers(vec![Answer::json(200, "How each lease stands", "WorkerHeartbeat"), Answer::error(400)]),
            post(workers::heartbeat::heartbeat)),
        route(Method::POST, "/v1/workers/complete", Worker,
            Doc::new("completeAttempts", "Workers", "Report attempts, and lease the next").body(Body::Json("WorkerReportSpec"))
                .answers(vec![Answer::json(200, "What became of each report, and the next leases", "WorkerResults"), Answer::error(400), Answer::error(409)]),
            post(workers::report::report)),
        route(Method::POST, "/v1/workers/fail", Worker,
            Doc::new("failAttempts", "Workers", "Report attempts, and lease the next").body(Body::Json("WorkerReportSpec"))
                .answers(vec![Answer::json(200, "What became of each report, and the next leases", "WorkerResults"), Answer::error(400), Answer::error(409)]),
            post(workers::report::report)),
        route(Method::GET, "/v1/workers", Viewer,
            Doc::new("getWorkers", "Workers", "Retrieve the workers heard of lately").answers(vec![Answer::json(200, "The workers", "PageOfWorker")]),
            get(workers::list::list)),
        route(Method::GET, "/v1/queues", Viewer,
            Doc::new("getQueues", "Workers", "Retrieve the queues, what waits in them and their limits").answers(vec![Answer::json(200, "The queues", "PageOfQueue")]),
            get(queues::list)),
        route(Method::PUT, "/v1/queues/{name}", Admin,
            Doc::new("limitQueue", "Workers", "Set the limits of a queue; what is left out is not limited").with(vec![Param::queue()]).body(Body::Json("QueueLimits"))
                .answers(vec![Answer::json(200, "The queue from now on", "Queue"), Answer::error(400)]),
            put(queues::put)),
        route(Method::PATCH, "/v1/queues/{name}", Admin,
            Doc::new("changeQueue", "Workers", "Change some limits of a queue; what is left out stays as it is").with(vec![Param::queue(), Param::create()]).body(Body::Json("QueueChange"))
                .answers(vec![Answer::json(200, "The queue from now on", "Queue"), Answer::error(400), Answer::error(404)]),
            patch(queues::patch)),
        route(Method::POST, "/v1/tokens", Public,
            Doc::new("createToken", "Tokens", "Log in").body(Body::Json("TokenCreationSpec"))
                .answers(vec![Answer::json(201, "An access token and a refresh token", "TokenPair"), Answer::error(400), Answer::error(401), Answer::error(429)]),
            post(tokens::login::login)),
        route(Method::PATCH, "/v1/tokens/access-token/refresh", Public,
            Doc::new("refreshAccessToken", "Tokens", "Get a new access token").body(Body::Json("RefreshTokenId"))
                .answers(vec![Answer::json(200, "A new access token", "AccessToken"), Answer::error(400), Answer::error(404)]),
            patch(tokens::refresh::refresh)),
        route(Method::DELETE, "/v1/tokens/refresh-token", Public,
            Doc::new("invalidateRefreshToken", "Tokens", "Log out").body(Body::Json("RefreshTokenId"))
                .answers(vec![Answer::empty(204, "It works no more"), Answer::error(400)]),
            delete(tokens::revoke::revoke)),
        route(Method::GET, "/v1/sessions", Known,
            Doc::new("getSessions", "Tokens", "Retrieve who is logged in: one's own sessions, or as an ADMIN everybody's").with(Param::sessions())
                .answers(vec![Answer::json(200, "A page, newest first, and the exact total", "PageOfSession"), Answer::error(400)]),
            get(sessions::list)),
        route(Method::DELETE, "/v1/sessions/{id}", Known,
            Doc::new("endSession", "Tokens", "End a session of one's own, or as an ADMIN anybody's; its tokens are refused at once").with(vec![Param::session()])
                .answers(vec![Answer::empty(204, "It is over"), Answer::error(404)]),
            delete(sessions::end)),
        route(Method::GET, "/v1/users", Admin,
            Doc::new("getUsers", "Users", "Retrieve all accounts").answers(vec![Answer::json(200, "The accounts", "PageOfUser")]),
            get(users::accounts::list)),
        route(Method::POST, "/v1/users", Admin,
            Doc::new("addUser", "Users", "Make an account").body(Body::Json("UserSpec"))
                .answers(vec![Answer::json(201, "The account; that of a service with its API key, this once", "User"), Answer::error(400), Answer::error(409)]),
            post(users::accounts::create)),
        route(Method::GET, "/v1/users/me", Known,
            Doc::new("getMe", "Users", "Retrieve who asks").answers(vec![Answer::json(200, "Who asks", "Principal")]),
            get(users::me::get)),
        route(Method::PATCH, "/v1/users/me/password", Known,
            Doc::new("updateMyPassword", "Users", "Change one's own password; every session ends").body(Body::Json("PasswordUpdateSpec"))
                .answers(vec![Answer::empty(204, "It is changed"), Answer::error(400), Answer::error(409), Answer::error(429)]),
            patch(users::me::password)),
        route(Method::GET, "/v1/users/{name}", Admin,
            Doc::new("getUser", "Users", "Retrieve an account").with(vec![Param::user()])
                .answers(vec![Answer::json(200, "The account", "User"), Answer::error(404)]),
            get(users::accounts::get)),
        route(Method::PATCH, "/v1/users/{name}", Admin,
            Doc::new("updateUser", "Users", "Change an account").with(vec![Param::user()]).body(Body::Json("UserUpdateSpec"))
                .answers(vec![Answer::json(200, "The account", "User"), Answer::error(400), Answer::error(404), Answer::error(409)]),
            patch(users::accounts::change)),
        route(Method::DELETE, "/v1/users/{name}", Admin,
            Doc::new("deleteUser", "Users", "Delete an account with its API keys and sessions").with(vec![Param::user()])
                .answers(vec![Answer::empty(204, "It is gone"), Answer::error(404), Answer::error(409)]),
            delete(users::accounts::delete)),
        route(Method::POST, "/v1/users/{name}/api-keys", Admin,
            Doc::new("addApiKey", "Users", "Give an account one more API key").with(vec![Param::user()]).body(Body::Optional("ApiKeySpec"))
                .answers(vec![Answer::json(201, "The key, this once", "NewApiKey"), Answer::error(400), Answer::error(404), Answer::error(409)]),
            post(users::api_keys::create)),
        route(Method::DELETE, "/v1/users/{name}/api-keys/{id}", Admin,
            Doc::new("deleteApiKey", "Users", "Take an API key away; every session of the account ends").with(vec![Param::user(), Param::api_key()])
                .answers(vec![Answer::empty(204, "It works no more"), Answer::error(404)]),
            delete(users::api_keys::delete)),
        route(Method::POST, "/v1/signing-keys/rotate", Admin,
            Doc::new("rotateSigningKeys", "Administration", "Sign access tokens with a new key from now on; nobody is logged out")
                .answers(vec![Answer::empty(204, "There is a new key")]),
            post(signing_keys::rotate)),
        route(Method::GET, "/v1/clock", Viewer,
            Doc::new("getClock", "Administration", "Whether the clock is believed when old tasks are deleted")
                .answers(vec![Answer::json(200, "The clock", "Clock")]),
            get(clock::get)),
        route(Method::POST, "/v1/clock/confirm", Admin,
            Doc::new("confirmClock", "Administration", "Say that the clock is right: what is old by it may be deleted").body(Body::Json("ClockConfirmation"))
                .answers(vec![Answer::empty(204, "It is believed"), Answer::error(400)]),
            post(clock::confirm)),
        route(Method::GET, "/health/live", Public,
            Doc::new("getLive", "Health", "Whether the process answers").answers(vec![Answer::json(200, "It does", "Health")]),
            get(health::live)),
        route(Method::GET, "/health/ready", Public,
            Doc::new("getReady", "Health", "Whether tasks are accepted and run").answers(vec![Answer::json(200, "They are", "Health"), Answer::json(503, "Not now", "Health")]),
            get(health::ready)),
        Route { method: Method::GET, path: "/metrics", role: Viewer, doc: None, handler: get(metrics::get) },
        page("/openapi.json", get(docs::openapi)),
        page("/docs", get(docs::redirect)),
        page("/docs/{*file}", get(docs::file)),
        page("/ui", get(ui::index)),
        page("/ui/{*path}", get(ui::path)),
        Route { method: Method::POST, path: "/ui/session", role: Public, doc: None, handler: post(ui::session::begin) },
        Route { method: Method::GET, path: "/ui/session", role: Known, doc: None, handler: get(ui::session::get) },
        Route { method: Method::DELETE, path: "/ui/session", role: Public, doc: None, handler: delete(ui::session::end) },
    ]
}

/// Call that pollers live on: a single refusal ends the whole run of some of them (wire contract, section
/// 4.4).
const POLLED: &str = "getTask";

/// Builds the router of the table. Paths that it does not know may be a workflow's.
pub(crate) fn router(app: App) -> Router {
    let mut router: Router<App> = Router::new();
    for route in table() {
        let action = route.doc.as_ref().map_or("getPage", |doc| doc.id);
        let gate = Gate { app: app.clone(), action, role: route.role, counts: action != POLLED };
        let counted = from_fn_with_state(app.meters.of_route(&route.method, route.path), meters::mark);
        let handler = route.handler.layer(from_fn_with_state(gate, access::check)).layer(counted);
        router = router.route(route.path, handler);
    }
    let conform = from_fn_with_state(app.dialects.clone(), declared::conform);
    let router = router.fallback(other).method_not_allowed_fallback(wrong_method).layer(conform);
    mcp::beside(router.with_state(app.clone()), app)
}

/// Returns true if `name` is the `operationId` of a call that a caller of that role may make with a
/// credential.
pub(crate) fn is_action_of(name: &str, who: longhaul_auth::Role) -> bool {
    let named = |route: &Route| route.doc.as_ref().is_some_and(|doc| doc.id == name);
    table().iter().any(|route| named(route) && route.role != Role::Public && route.role.admits(who))
}

/// Answers a path that the table does not know: a browser at the server's root is led to the page, everything
/// else may be a workflow's route.
async fn other(State(app): State<App>, request: Request) -> Response {
    let to_page = request.uri().path() == "/" && request.method().is_safe();
    if to_page && ui::takes_html(request.headers()) {
        return ui::redirect();
    }
    bound::bound(State(app), request).await.into_response()
}

async fn wrong_method(matched: Option<MatchedPath>, request: Request) -> Response {
    let pattern = matched.as_ref().map_or("", MatchedPath::as_str);
    ApiError::wrong_method(request.method(), request.uri().path(), &allowed(pattern)).into_response()
}

/// Returns the methods that a path of the table accepts, for `Allow`.
fn allowed(pattern: &str) -> String {
    /// Method and path of every route; building the whole table is more than a refusal should cost.
    static CALLS: LazyLock<Vec<(Method, &str)>> =
        LazyLock::new(|| table().into_iter().map(|route| (route.method, route.path)).collect());
    let methods = CALLS.iter().filter(|(_, path)| *path == pattern).flat_map(|(method, _)| {
        // A route that answers GET answers HEAD.
        [Some(method.as_str()), (method == Method::GET).then_some("HEAD")].into_iter().flatten()
    });
    methods.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_methods_are_those_of_the_table() {
        assert_eq!(allowed("/v1/tasks"), "GET, HEAD, POST");
        assert_eq!(allowed("/v1/tasks/{id}"), "GET, HEAD, PATCH, DELETE");
        assert_eq!(allowed("/docs/{*file}"), "GET, HEAD");
        assert_eq!(allowed("/v1/nothing"), "");
    }

    /// Calls that change only what belongs to the caller.
    const OF_ANYBODY: [&str; 5] = [
        "/v1/tokens",
        "/v1/tokens/access-token/refresh",
        "/v1/tokens/refresh-token",
        "/v1/users/me/password",
        "/v1/sessions/{id}",
    ];

    #[test]
    fn what_changes_something_is_not_for_those_who_only_look() {
        for route in table().into_iter().filter(|route| route.doc.is_some()) {
            assert!(
                route.method.is_safe()
                    || !route.role.admits(longhaul_auth::Role::Viewer)
                    || OF_ANYBODY.contains(&route.path),
                "{} {}",
                route.method,
                route.path
            );
        }
    }
}
