//! The OpenAPI 3.1 document, made from the table of routes and the schemas of its bodies.

mod schemas;

use http::Method;
use serde_json::{Map, Value, json};

use crate::access::Role;
use crate::routes::Route;

/// Description of a route in the document.
pub(crate) struct Doc {
    /// The `operationId`.
    pub(crate) id: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: Vec<Param>,
    body: Option<Body>,
    answers: Vec<Answer>,
}

/// Body that a route accepts.
pub(crate) enum Body {
    /// JSON of a schema.
    Json(&'static str),
    /// JSON of a schema, or no body.
    Optional(&'static str),
}

/// A parameter.
pub(crate) struct Param {
    name: &'static str,
    place: &'static str,
    schema: Value,
    description: String,
}

/// An answer.
pub(crate) struct Answer {
    status: u16,
    description: &'static str,
    schema: Option<&'static str>,
    /// True if the answer is a list of them.
    list: bool,
    /// True if the answer is a stream of events.
    stream: bool,
}

impl Doc {
    pub(crate) fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Doc { id, tag, summary, parameters: Vec::new(), body: None, answers: Vec::new() }
    }

    pub(crate) fn with(mut self, parameters: Vec<Param>) -> Self {
        self.parameters = parameters;
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn answers(mut self, answers: Vec<Answer>) -> Self {
        self.answers = answers;
        self
    }
}

impl Answer {
    pub(crate) fn json(status: u16, description: &'static str, schema: &'static str) -> Self {
        Answer { status, description, schema: Some(schema), list: false, stream: false }
    }

    /// A list of a schema.
    pub(crate) fn list(status: u16, description: &'static str, schema: &'static str) -> Self {
        Answer { list: true, ..Answer::json(status, description, schema) }
    }

    pub(crate) fn empty(status: u16, description: &'static str) -> Self {
        Answer { status, description, schema: None, list: false, stream: false }
    }

    /// Server-sent events.
    pub(crate) fn stream(status: u16, description: &'static str) -> Self {
        Answer { stream: true, ..Answer::empty(status, description) }
    }

    pub(crate) fn error(status: u16) -> Self {
        let description = match status {
            400 => "The request cannot be read",
            401 => "There is no token, or it is not accepted",
            403 => "The caller's role does not allow it",
            404 => "There is no such thing",
            409 => "The state of it rules that out; nothing changed",
            410 => "The changes after the cursor are not known any more: begin anew without one",
            429 => "Too much at once: `Retry-After` says when to come again",
            422 => "The request breaks a rule; every violation is a nested error",
            _ => "It failed",
        };
        Answer { status, description, schema: Some("Error"), list: false, stream: false }
    }
}

impl Param {
    fn query(name: &'static str, schema: Value, description: &str) -> Self {
        Param { name, place: "query", schema, description: description.to_owned() }
    }

    fn path(name: &'static str, schema: Value, description: &str) -> Self {
        Param { name, place: "path", schema, description: description.to_owned() }
    }

    fn header(name: &'static str, schema: Value, description: &str) -> Self {
        Param { name, place: "header", schema, description: description.to_owned() }
    }

    pub(crate) fn id() -> Self {
        Param::path("id", json!({ "type": "string", "format": "uuid" }), "ID of the task")
    }

    /// Parameter for the reason of a call whose body is ignored.
    pub(crate) fn reason() -> Self {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 1000, "pattern": "\\S" });
        Param::query("reason", schema, "Why, for the audit log and the history of the task")
    }

    /// Parameters of the history of a task.
    pub(crate) fn history() -> Vec<Self> {
        let int = |most: i64| json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": most });
        vec![
            Param::id(),
            Param::query("pageNumber", int(i64::from(i32::MAX)), "The page, from 1; 0 is the first, too"),
            Param::query("pageSize", int(100), "Elements of a page; 100 unless given"),
        ]
    }

    pub(crate) fn sub_task() -> Self {
        Param::path("name", json!({ "type": "string" }), "Name of the sub-task")
    }

    pub(crate) fn credentials_sub_task() -> Self {
        Param::path("subtaskId", json!({ "type": "string", "format": "uuid" }), "ID of the sub-task")
    }

    pub(crate) fn limit() -> Self {
        let schema = json!({ "type": "integer", "format": "int32", "minimum": 0 });
        Param::query("limit", schema, "How many elements there are at the most; 1,000 unless given")
    }

    /// Parameters of the audit log.
    pub(crate) fn audit() -> Vec<Self> {
        let text = || json!({ "type": "string" });
        let int = |most: i64| json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": most });
        vec![
            Param::query("user", text(), "Only what this principal did, case ignored"),
            Param::query("action", text(), "Only this `operationId`"),
            Param::query("target", text(), "Only what was done to this task, workflow or user"),
            Param::query(
                "outcome",
                json!({ "type": "string", "enum": ["ACCEPTED", "REFUSED"] }),
                "Only these",
            ),
            Param::query(
                "since",
                json!({ "type": "string", "format": "date-time" }),
                "Only from this instant on",
            ),
            Param::query("pageNumber", int(i64::from(i32::MAX)), "The page, from 1; 0 is the first, too"),
            Param::query("pageSize", int(100), "Elements of a page; 50 unless given"),
        ]
    }

    pub(crate) fn workflow() -> Self {
        Param::path(
            "name",
            json!({ "type": "string", "pattern": "^[a-z0-9._-]{1,100}$" }),
            "Name of the workflow",
        )
    }

    pub(crate) fn queue() -> Self {
        let schema = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$" });
        Param::path("name", schema, "Name of the queue")
    }

    /// Lets a change make a queue that nobody asked for.
    pub(crate) fn create() -> Self {
        let schema = json!({ "type": "boolean", "default": false });
        Param::query(
            "create",
            schema,
            "Set limits for a queue, too, that no workflow or worker has asked for yet",
        )
    }

    /// Parameters of a task's log.
    pub(crate) fn logs() -> Vec<Self> {
        let int = |least: i64, most: i64| json!({ "type": "integer", "format": "int64", "minimum": least, "maximum": most });
        vec![
            Param::id(),
            Param::query(
                "after",
                int(0, i64::MAX),
                "Only lines behind this number: `next` of the page before",
            ),
            Param::query("limit", int(1, 10_000), "Lines of a page; 1,000 unless given"),
            Param::query("subTask", json!({ "type": "string" }), "Only what this sub-task wrote"),
            Param::wait(),
        ]
    }

    /// Parameters of the list of locks.
    pub(crate) fn locks() -> Vec<Self> {
        let text = || json!({ "type": "string" });
        let int = |most: i64| json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": most });
        vec![
            Param::query("resourceType", text(), "Only of this type of resource, case ignored"),
            Param::query("resourceId", text(), "Only of this resource, case ignored"),
            Param::query("pageNumber", int(i64::from(i32::MAX)), "The page, from 1; 0 is the first, too"),
            Param::query("pageSize", int(100), "Elements of a page; 50 unless given"),
        ]
    }

    pub(crate) fn user() -> Self {
        Param::path("name", json!({ "type": "string" }), "Name of the account")
    }

    pub(crate) fn api_key() -> Self {
        Param::path("id", json!({ "type": "string" }), "Identity of the API key")
    }

    pub(crate) fn session() -> Self {
        let schema = json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" });
        Param::path("id", schema, "Identity of the session")
    }

    /// Parameters of the list of sessions.
    pub(crate) fn sessions() -> Vec<Self> {
        let int = |most: i64| json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": most });
        vec![
            Param::query(
                "user",
                json!({ "type": "string" }),
                "Only those of this name, case ignored; another one than one's own is for ADMIN",
            ),
            Param::query("pageNumber", int(i64::from(i32::MAX)), "The page, from 1; 0 is the first, too"),
            Param::query("pageSize", int(100), "Elements of a page; 50 unless given"),
        ]
    }

    pub(crate) fn version() -> Self {
        Param::query(
            "version",
            json!({ "type": "integer", "minimum": 1 }),
            "A version; the newest unless given",
        )
    }

    pub(crate) fn dry_run() -> Self {
        let schema = json!({ "type": "boolean", "default": false });
        Param::query("dryRun", schema, "Check only: nothing is stored, noted or started")
    }

    /// Parameter for a part of a task's ID, as people write it.
    pub(crate) fn id_part() -> Self {
        let schema = json!({ "type": "string", "pattern": "^-*([0-9A-Fa-f]-*){4,32}$" });
        Param::path("part", schema, "The first or the last 4 to 32 hexadecimal digits; hyphens are ignored")
    }

    pub(crate) fn wait() -> Self {
        let schema = json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" });
        Param::query("wait", schema, "Answer once the task ended, or after this time; at most 5m")
    }

    pub(crate) fn view() -> Self {
        let schema = json!({ "type": "string", "enum": ["full", "summary"], "default": "full" });
        Param::query("view", schema, "`summary` leaves out sub-tasks that have not failed")
    }

    /// Parameter for Longhaul's own members, which a list shows when asked, and a single task in addition to
    /// its defaults.
    pub(crate) fn include(list: bool) -> Self {
        let mut words = vec!["progress", "waitingFor", "workflow", "attempt", "version", "labels", "all"];
        words.extend(if list { &["children"][..] } else { &["input", "outputs"] });
        Param::words("include", &words, "Longhaul's own members to show, separated by commas")
    }

    /// Parameter that is a list of words, separated by commas; the parameter may also be there several times.
    fn words(name: &'static str, words: &[&str], description: &str) -> Self {
        let items = json!({ "type": "string", "enum": words });
        Param::query(name, json!({ "type": "array", "items": items }), description)
    }

    pub(crate) fn if_none_match() -> Self {
        Param::header("If-None-Match", json!({ "type": "string" }), "The ETag of what the caller knows")
    }

    pub(crate) fn idempotency_key() -> Self {
        // Printable ASCII, without spaces at its ends, which HTTP takes away.
        let schema = json!({ "type": "string", "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$" });
        Param::header(
            "Idempotency-Key",
            schema,
            "The same key and body give the same task, for at least 24 hours",
        )
    }

    pub(crate) fn traceparent() -> Self {
        let schema = json!({ "type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$" });
        Param::header(
            "traceparent",
            schema,
            "The caller's span (W3C Trace Context): the task's trace is linked to it",
        )
    }

    pub(crate) fn cursor() -> Self {
        Param::query("cursor", json!({ "type": "string" }), "Where to go on, as an event or a page had it")
    }

    pub(crate) fn last_event_id() -> Self {
        let schema = json!({ "type": "string" });
        Param::header("Last-Event-ID", schema, "The same as `cursor`, as browsers send it")
    }

    /// Parameters of the events of a list: filters, order and page of the list, and where to go on.
    pub(crate) fn events() -> Vec<Self> {
        let own = ["limit", "view", "include"];
        let mut all: Vec<Self> = Param::list().into_iter().filter(|one| !own.contains(&one.name)).collect();
        all.extend([Param::cursor(), Param::last_event_id()]);
        all
    }

    /// Parameters of pages of changes: the filters of the list, and where to go on.
    pub(crate) fn changes() -> Vec<Self> {
        let paging =
            ["limit", "view", "include", "pageNumber", "page", "pageSize", "orderBy", "orderDirection"];
        let mut all: Vec<Self> =
            Param::list().into_iter().filter(|one| !paging.contains(&one.name)).collect();
        let limit = json!({ "type": "integer", "format": "int32", "minimum": 0, "default": 100 });
        all.extend([
            Param::cursor(),
            Param::query("limit", limit, "How many changes there are at the most, about, up to 1,000"),
            Param::query(
                "wait",
                json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
                "Answer as soon as there is a change, or after this time; at most 5m",
            ),
        ]);
        all
    }

    /// Parameters of the task list.
    pub(crate) fn list() -> Vec<Self> {
        let text = || json!({ "type": "string" });
        let int = |minimum: i64, maximum: i64| json!({ "type": "integer", "format": "int32", "minimum": minimum, "maximum": maximum });
        let orders = ["id", "name", "type", "status", "creationTimestamp", "completionTimestamp"];
        vec![
            Param::query(
                "limit",
                int(0, i64::from(i32::MAX)),
                "How many elements there are at the most, over all pages",
            ),
            Param::words(
                "taskStatus",
                &schemas::task_statuses(),
                "One or more statuses, in any spelling, separated by commas",
            ),
            Param::query("taskType", text(), "Type of the tasks, case ignored"),
            Param::query("resourceId", text(), "ID of a resource of the tasks"),
            Param::query("resourceType", text(), "Type of a resource of the tasks, case ignored"),
            Param::query(
                "completedAfter",
                json!({ "type": "integer", "format": "int64" }),
                "Only tasks that succeeded or failed after this instant, in milliseconds since 1970",
            ),
            Param::query("pageNumber", int(0, i64::from(i32::MAX)), "The page, from 1; 0 is the first, too"),
            Param::query(
                "pageSize",
                int(0, 100),
                "Elements of a page; 10 unless the server is set otherwise",
            ),
            Param::query(
                "orderDirection",
                json!({ "type": "string", "enum": ["ASC", "DESC"] }),
                "Which way, case ignored",
            ),
            Param::query(
                "orderBy",
                json!({ "type": "string", "enum": orders, "default": "creationTimestamp" }),
                "What to sort by; the newest come first unless this is given",
            ),
            Param::query("taskName", text(), "A text that the name contains, case ignored"),
            Param::query(
                "openFailures",
                json!({ "type": "boolean", "default": false }),
                "Longhaul's own: failed tasks that nobody has resolved; with `taskStatus`, those as well",
            ),
            Param::query(
                "label",
                json!({ "type": "array", "maxItems": 50, "items": { "type": "string", "pattern": "^[^=]" } }),
                "Longhaul's own: tasks that have this label, `name` or `name=value`; given several times, all of them",
            ),
            Param::query(
                "doLiveRefresh",
                json!({ "type": "boolean", "default": false }),
                "Accepted, and changes nothing",
            ),
            Param::view(),
            Param::include(true),
        ]
    }

    fn document(&self) -> Value {
        let mut parameter = json!({
            "name": self.name, "in": self.place, "required": self.place == "path",
            "description": self.description, "schema": self.schema,
        });
        if self.place == "query" {
            // An empty value is as good as none.
            parameter["allowEmptyValue"] = json!(true);
            if self.schema["type"] == "array" {
                // Words of ours have commas between; texts of others may have commas in them, and stand
                // each by itself.
                parameter["explode"] = json!(self.schema["items"]["enum"].is_null());
            }
        }
        parameter
    }
}

/// The document of a table.
pub(crate) fn document(table: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in table {
        let Some(doc) = &route.doc else { continue };
        let operations = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        operations[method_name(&route.method)] = operation(doc, route.role);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Longhaul",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "The Tasks API, and what Longhaul adds to it. A workflow's `route:` adds a call that answers 202 with a task.",
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "Tasks", "description": "Look, start, retry, cancel, decide" },
            { "name": "Credentials", "description": "Change credentials, and what became of it" },
            { "name": "Workers", "description": "Do the work of sub-tasks, and see who does" },
            { "name": "Tokens", "description": "Log in and out" },
            { "name": "Users", "description": "Who may come in, and what they may do" },
            { "name": "Administration", "description": "Who did what" },
            { "name": "Workflows", "description": "What tasks are made from" },
            { "name": "Health", "description": "For who runs the server" },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer", "description": "An access token, or an API key",
            } },
        },
        "security": [{ "bearer": [] }],
    })
}

fn method_name(method: &Method) -> String {
    method.as_str().to_ascii_lowercase()
}

fn operation(doc: &Doc, role: Role) -> Value {
    let mut answers: Map<String, Value> =
        doc.answers.iter().map(|a| (a.status.to_string(), answer(a))).collect();
    answers
        .insert("default".into(), answer(&Answer { description: "Any other failure", ..Answer::error(0) }));
    let mut operation = json!({
        "operationId": doc.id, "tags": [doc.tag], "summary": doc.summary,
        "x-longhaul-role": role.name(),
        "description": match role {
            Role::Public => "For anybody, without a token.".to_owned(),
            Role::Known => "For whoever has a token.".to_owned(),
            _ => format!("Needs the role {}.", role.name()),
        },
    });
    if role == Role::Public {
        operation["security"] = json!([]);
    } else {
        answers.insert("401".into(), answer(&Answer::error(401)));
        answers.insert("403".into(), answer(&Answer::error(403)));
        answers.insert("429".into(), answer(&Answer::error(429)));
    }
    if !doc.parameters.is_empty() {
        operation["parameters"] = doc.parameters.iter().map(Param::document).collect();
    }
    match &doc.body {
        None => {}
        Some(Body::Json(schema)) => {
            operation["requestBody"] = json!({ "required": true, "content": content(schema) });
        }
        Some(Body::Optional(schema)) => operation["requestBody"] = json!({ "content": content(schema) }),
    }
    operation["responses"] = Value::Object(answers);
    operation
}

fn answer(answer: &Answer) -> Value {
    match answer.schema {
        Some(schema) if answer.list => {
            let items = json!({ "$ref": format!("#/components/schemas/{schema}") });
            let content = json!({ "application/json": { "schema": { "type": "array", "items": items } } });
            json!({ "description": answer.description, "content": content })
        }
        Some(schema) => json!({ "description": answer.description, "content": content(schema) }),
        None if answer.stream => {
            let event = json!({ "schema": {
                "type": "object", "description": "One event", "required": ["event", "data"], "properties": {
                    "event": { "type": "string", "description": "Kind of the event" },
                    "id": { "type": "string", "description": "Cursor behind the event" },
                    "data": { "type": "string", "description": "JSON" },
                },
            } });
            json!({ "description": answer.description, "content": { crate::event_stream::MEDIA_TYPE: event } })
        }
        None => json!({ "description": answer.description }),
    }
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}
