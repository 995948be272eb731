//! Tokens in the byte forms that real clients send (wire contract, section 5), and accounts over the API.

use longhaul_auth::Role;
use serde_json::{Value, json};

use super::support::{Answer, PASSWORD, Running, service};

async fn login(server: &Running, body: Value) -> Answer {
    let request = server.nobody().post(server.url("/v1/tokens"));
    Answer::of(request.header("content-type", "application/json").body(body.to_string())).await
}

async fn pair(server: &Running, username: &str, password: &str) -> (String, String) {
    let answer = login(server, json!({ "username": username, "password": password })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let body = answer.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&body["accessToken"]), text(&body["refreshToken"]["id"]))
}

/// Builds a request whose body is these bytes.
async fn bytes(server: &Running, method: &str, path: &str, body: &str) -> Answer {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = server.nobody().request(method, server.url(path));
    Answer::of(request.header("content-type", "application/json").body(body.to_owned())).await
}

const REFRESH: &str = "/v1/tokens/access-token/refresh";
const REVOKE: &str = "/v1/tokens/refresh-token";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_is_opened_renewed_and_ended() {
    let server = Running::start().await;
    let (access, refresh) = pair(&server, "admin", PASSWORD).await;
    assert_eq!(access.split('.').count(), 3);
    assert_eq!(server.send_as(&access, "GET", "/v1/tasks", None).await.status, 200);
    let me = server.send_as(&access, "GET", "/v1/users/me", None).await.json();
    assert_eq!(me, json!({ "name": "admin", "role": "ADMIN", "kind": "USER" }));

    // A JSON string from most clients, bare from PowerVCF.
    for body in [format!("\"{refresh}\""), refresh.clone()] {
        let answer = bytes(&server, "PATCH", REFRESH, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "application/json; charset=utf-8")
        );
        let renewed = answer.json();
        let again = server.send_as(renewed.as_str().unwrap(), "GET", "/v1/tasks", None).await;
        assert_eq!(again.status, 200);
    }
    assert_eq!(bytes(&server, "DELETE", REVOKE, &format!("\"{refresh}\"")).await.status, 204);
    assert_eq!(bytes(&server, "DELETE", REVOKE, &refresh).await.status, 204, "once more is the same");
    assert_eq!(server.send_as(&access, "GET", "/v1/tasks", None).await.code(), "Unauthorized");
    assert_eq!(bytes(&server, "PATCH", REFRESH, &refresh).await.code(), "TOKEN_NOT_FOUND");
    for wrong in ["", "null", "{}", "\"x\"", "not-a-uuid"] {
        for (method, path) in [("PATCH", REFRESH), ("DELETE", REVOKE)] {
            let answer = bytes(&server, method, path, wrong).await;
            assert_eq!(answer.status, 400, "{method} {wrong}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let server = Running::start().await;
    let keys = server.parts.directory.path().join("keys.json");
    assert_eq!(std::fs::metadata(keys).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_is_refused_without_saying_why() {
    let server = Running::start().await;
    let refused = login(&server, json!({ "username": "admin", "password": "not the password" })).await;
    let unknown = login(&server, json!({ "username": "nobody", "password": "not the password" })).await;
    for answer in [&refused, &unknown] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "IDENTITY_UNAUTHORIZED_ENTITY"));
        assert_eq!(answer.json()["message"], "User is not authorized");
    }
    for (body, pointer) in [
        (json!({}), "/username"),
        (json!({ "username": "admin" }), "/password"),
        (json!({ "password": "x" }), "/username"),
    ] {
        let answer = login(&server, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["context"]["pointer"], pointer, "{body}");
    }
    assert_eq!(
        login(&server, json!({ "username": "admin", "password": PASSWORD, "apiKey": "k" })).await.status,
        400
    );
    let audit = server.get("/v1/audit?outcome=REFUSED").await.json();
    let by: Vec<&Value> = audit["elements"].as_array().unwrap().iter().map(|entry| &entry["user"]).collect();
    assert_eq!(by, ["nobody", "admin"]);
    assert!(!audit.to_string().contains("not the password"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_and_never_locks_out_for_good() {
    let server = Running::start().await;
    let mut seen = Vec::new();
    for n in 0..12 {
        let answer =
            login(&server, json!({ "username": "admin", "password": format!("guess number {n}") })).await;
        seen.push(answer.status.as_u16());
        if answer.status == 429 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
            assert_eq!(answer.code(), "TOO_MANY_FAILED_LOGINS");
        }
    }
    assert_eq!(seen[..5], [401; 5]);
    assert!(seen[5..].contains(&429), "{seen:?}");
    // An API key is no guess.
    assert_eq!(server.get("/v1/tasks").await.status, 200);
}

/// Guesses of passwords behind a balancer slow down nobody but their sender, who cannot claim another
/// address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_behind_a_proxy_is_slowed_by_who_guesses() {
    let trusted_proxies = longhaul_server::Proxies::new(["127.0.0.1"]).unwrap();
    let server = Running::with(longhaul_server::ServerConfig { trusted_proxies, ..Default::default() }).await;
    let login_from = async |forwarded: &str, username: &str, password: &str| {
        let request = server.nobody().post(server.url("/v1/tokens")).header("x-forwarded-for", forwarded);
        let body = json!({ "username": username, "password": password }).to_string();
        Answer::of(request.header("content-type", "application/json").body(body)).await
    };
    let mut seen = Vec::new();
    for n in 0..8 {
        let forwarded = format!("203.0.113.{n}, 198.51.100.7");
        seen.push(login_from(&forwarded, &format!("name-{n}"), "a guess of many").await.status.as_u16());
    }
    assert_eq!((&seen[..5], seen[7]), (&[401; 5][..], 429), "{seen:?}");
    assert_eq!(login_from("198.51.100.7", "admin", PASSWORD).await.status, 429);
    assert_eq!(login_from("198.51.100.8", "admin", PASSWORD).await.status, 201);
    let audit = server.get("/v1/audit?outcome=REFUSED").await.json().to_string();
    assert!(audit.contains("198.51.100.7") && !audit.contains("203.0.113"), "{audit}");
}

/// A browser's page that came over TLS to a proxy, and from there in clear, is this server's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_behind_a_proxy_that_ends_tls_are_own() {
    let trusted_proxies = longhaul_server::Proxies::new(["127.0.0.1"]).unwrap();
    let trusting =
        Running::with(longhaul_server::ServerConfig { trusted_proxies, ..Default::default() }).await;
    let other = Running::start().await;
    for (server, proto, status) in
        [(&trusting, "https", 201), (&trusting, "http", 403), (&other, "https", 403)]
    {
        let body = json!({ "username": "admin", "password": PASSWORD }).to_string();
        let request =
            server.nobody().post(server.url("/v1/tokens")).header("content-type", "application/json");
        let request = request
            .header("host", "tasks.example.com")
            .header("origin", "https://tasks.example.com")
            .header("x-forwarded-proto", proto);
        assert_eq!(Answer::of(request.body(body)).await.status, status, "{proto}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_tokens_are_answered_so_that_clients_log_in_again() {
    let server = Running::start().await;
    for credential in ["x", "a.b.c", "lhk_unknown", "eyJhbGciOiJub25lIn0.e30."] {
        let answer = server.send_as(credential, "GET", "/v1/tasks", None).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "Unauthorized"), "{credential}");
        assert!(answer.text.contains("IDENTITY_UNAUTHORIZED_ENTITY"), "{answer:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    let (access, _) = pair(&server, "admin", PASSWORD).await;
    let basic = server.nobody().get(server.url("/v1/tasks")).basic_auth("admin", Some(PASSWORD));
    assert_eq!(Answer::of(basic).await.code(), "Unauthorized");
    let in_query = server.nobody().get(server.url(&format!("/v1/tasks?access_token={access}")));
    assert_eq!(Answer::of(in_query).await.code(), "Unauthorized");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_made_changed_and_deleted() {
    let server = Running::start().await;
    let made = server
        .send(
            "POST",
            "/v1/users",
            Some(json!({ "name": "anna", "role": "operator", "password": "anna's password" })),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!((&made.json()["role"], &made.json()["kind"]), (&json!("OPERATOR"), &json!("USER")));
    assert!(!made.text.contains("password"), "{made:?}");
    let (access, refresh) = pair(&server, "Anna", "anna's password").await;
    assert_eq!(server.send_as(&access, "GET", "/v1/users", None).await.status, 403);

    let change = |body: Value| server.send("PATCH", "/v1/users/anna", Some(body));
    assert_eq!(change(json!({ "role": "ADMIN" })).await.json()["role"], "ADMIN");
    assert_eq!(server.send_as(&access, "GET", "/v1/users", None).await.status, 200, "as of now");
    assert_eq!(change(json!({ "disabled": true })).await.json()["disabled"], true);
    assert_eq!(server.send_as(&access, "GET", "/v1/tasks", None).await.status, 401);
    assert_eq!(bytes(&server, "PATCH", REFRESH, &refresh).await.status, 404);
    change(json!({ "disabled": false })).await;

    let (access, _) = pair(&server, "anna", "anna's password").await;
    let own = json!({ "oldPassword": "anna's password", "newPassword": "another password" });
    assert_eq!(server.send_as(&access, "PATCH", "/v1/users/me/password", Some(own)).await.status, 204);
    assert_eq!(server.send_as(&access, "GET", "/v1/tasks", None).await.status, 401, "every session ended");
    pair(&server, "anna", "another password").await;

    let robot = json!({ "name": "robot", "role": "VIEWER", "kind": "SERVICE" });
    let robot = server.send("POST", "/v1/users", Some(robot)).await.json();
    let key = robot["apiKey"].as_str().unwrap();
    assert_eq!(server.send_as(key, "GET", "/v1/tasks", None).await.status, 200);
    let second = server.send("POST", "/v1/users/robot/api-keys", Some(json!({ "name": "CI" }))).await;
    assert_eq!(second.status, 201);
    let second = second.json();
    let path = format!("/v1/users/robot/api-keys/{}", second["id"].as_str().unwrap());
    assert_eq!(server.send("DELETE", &path, None).await.status, 204);
    assert_eq!(server.send("DELETE", &path, None).await.code(), "API_KEY_NOT_FOUND");
    assert_eq!(
        server.send_as(second["apiKey"].as_str().unwrap(), "GET", "/v1/tasks", None).await.status,
        401
    );
    assert_eq!(login(&server, json!({ "apiKey": key })).await.status, 201);

    let listed = server.get("/v1/users").await.json();
    let names: Vec<&Value> =
        listed["elements"].as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert_eq!(names, ["admin", "anna", "robot", "tests"]);
    assert!(!listed.to_string().contains("lhk_"));
    for name in ["anna", "robot"] {
        assert_eq!(server.send("DELETE", &format!("/v1/users/{name}"), None).await.status, 204);
        assert_eq!(server.get(&format!("/v1/users/{name}")).await.code(), "USER_NOT_FOUND");
    }
    assert_eq!(server.send("DELETE", "/v1/users/admin", None).await.code(), "LAST_ADMIN");
    assert_eq!(
        server.send("PATCH", "/v1/users/admin", Some(json!({ "role": "VIEWER" }))).await.code(),
        "LAST_ADMIN"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_accounts_are_refused_by_member() {
    let server = Running::start().await;
    let good = || json!({ "name": "anna", "role": "VIEWER", "password": "anna's password" });
    for (member, value, pointer) in [
        ("name", json!("a b"), "/name"),
        ("name", json!("me"), "/name"),
        ("role", json!("ROOT"), "/role"),
        ("kind", json!("ROBOT"), "/kind"),
        ("password", json!("short"), "/password"),
        ("password", json!("password1234"), "/password"),
        ("password", json!("anna"), "/password"),
    ] {
        let mut body = good();
        body[member] = value.clone();
        let answer = server.send("POST", "/v1/users", Some(body)).await;
        assert_eq!(answer.status, 400, "{member} {value}: {answer:?}");
        assert_eq!(answer.json()["context"]["pointer"], pointer, "{member} {value}");
    }
    let mut unknown = good();
    unknown["disabld"] = json!(true);
    assert_eq!(server.send("POST", "/v1/users", Some(unknown)).await.code(), "INVALID_REQUEST");
    assert_eq!(server.send("POST", "/v1/users", Some(good())).await.status, 201);
    assert_eq!(server.send("POST", "/v1/users", Some(good())).await.code(), "USER_EXISTS");
}

/// Each accepted change has one entry in the audit log, with its principal, address and target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_of_accounts_is_noted_once() {
    let server = Running::start().await;
    let noted =
        async || server.get("/v1/audit").await.json()["pageMetadata"]["totalElements"].as_u64().unwrap();
    let anna = json!({ "name": "anna", "role": "VIEWER", "password": "anna's password" });
    let token = std::sync::Mutex::new(String::new());
    let steps: Vec<(&str, &str, String, Option<Value>, &str)> = vec![
        ("addUser", "POST", "/v1/users".into(), Some(anna), "anna"),
        ("updateUser", "PATCH", "/v1/users/anna".into(), Some(json!({ "role": "OPERATOR" })), "anna"),
        ("addApiKey", "POST", "/v1/users/anna/api-keys".into(), None, "anna"),
        ("rotateSigningKeys", "POST", "/v1/signing-keys/rotate".into(), None, ""),
        ("deleteUser", "DELETE", "/v1/users/anna".into(), None, "anna"),
    ];
    for (action, method, path, body, target) in steps {
        let before = noted().await;
        let answer = server.send(method, &path, body).await;
        assert!(answer.status.is_success(), "{action}: {answer:?}");
        *token.lock().unwrap() = answer.text;
        assert_eq!(noted().await, before + 1, "{action}");
        let newest = server.get("/v1/audit?pageSize=1").await.json()["elements"][0].clone();
        assert_eq!((&newest["action"], &newest["user"]), (&json!(action), &json!("tests")), "{newest}");
        assert_eq!(newest["from"], "127.0.0.1");
        assert_eq!(newest["target"].as_str().unwrap_or_default(), target, "{newest}");
    }
    let before = noted().await;
    let (_, refresh) = pair(&server, "admin", PASSWORD).await;
    assert_eq!(noted().await, before + 1);
    bytes(&server, "DELETE", REVOKE, &refresh).await;
    bytes(&server, "DELETE", REVOKE, &refresh).await;
    assert_eq!(noted().await, before + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_listed_and_ended() {
    let server = Running::start().await;
    let anna = json!({ "name": "anna", "role": "VIEWER", "password": "anna's password" });
    assert_eq!(server.send("POST", "/v1/users", Some(anna)).await.status, 201);
    let (admin, _) = pair(&server, "admin", PASSWORD).await;
    let (first, _) = pair(&server, "anna", "anna's password").await;
    let (second, refresh) = pair(&server, "anna", "anna's password").await;
    let listed = async |token: &str, query: &str| {
        let page = server.send_as(token, "GET", &format!("/v1/sessions{query}"), None).await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        assert!(page["pageMetadata"]["totalElements"].as_u64().unwrap() >= 1, "{page}");
        page["elements"].as_array().unwrap().clone()
    };
    let users =
        |all: &[Value]| all.iter().map(|one| one["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(users(&listed(&admin, "").await), ["anna", "anna", "admin"]);
    assert_eq!(users(&listed(&admin, "?user=ANNA&pageSize=1").await), ["anna"]);
    for query in ["", "?user=anna", "?user=Anna"] {
        let mine = listed(&first, query).await;
        assert_eq!(users(&mine), ["anna", "anna"]);
        let current: Vec<bool> = mine.iter().map(|one| one["current"].as_bool().unwrap()).collect();
        assert_eq!(current, [false, true], "newest first");
        assert_eq!((&mine[0]["login"], &mine[0]["from"]), (&json!("PASSWORD"), &json!("127.0.0.1")));
    }
    let other = server.send_as(&first, "GET", "/v1/sessions?user=admin", None).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (403, "FORBIDDEN"));
    let id = |one: &Value| one["id"].as_str().unwrap().to_owned();
    let newest = id(&listed(&first, "").await[0]);
    let of_admin = id(&listed(&admin, "?user=admin").await[0]);
    for none in [of_admin.as_str(), "x", "00000000000000000000000000000000", &newest.to_uppercase()] {
        let answer = server.send_as(&first, "DELETE", &format!("/v1/sessions/{none}"), None).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "SESSION_NOT_FOUND"), "{none}");
    }
    assert_eq!(server.send_as(&first, "DELETE", &format!("/v1/sessions/{newest}"), None).await.status, 204);
    assert_eq!(server.send_as(&second, "GET", "/v1/users/me", None).await.code(), "Unauthorized");
    assert_eq!(bytes(&server, "PATCH", REFRESH, &refresh).await.code(), "TOKEN_NOT_FOUND");
    let noted = server.get("/v1/audit?action=endSession").await.json();
    assert_eq!(noted["pageMetadata"]["totalElements"], 1);
    let entry = &noted["elements"][0];
    assert_eq!((&entry["user"], &entry["target"]), (&json!("anna"), &json!("anna")));
    assert_eq!(entry["detail"], format!("session {newest}"));
    let own = id(&listed(&admin, "?user=admin").await[0]);
    assert_eq!(server.send_as(&admin, "DELETE", &format!("/v1/sessions/{own}"), None).await.status, 204);
    assert_eq!(server.send_as(&admin, "GET", "/v1/sessions", None).await.code(), "Unauthorized");
    assert_eq!(server.send_as(&first, "GET", "/v1/users/me", None).await.status, 200, "others go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_logged_out_by_a_new_signing_key() {
    let server = Running::start().await;
    let (access, _) = pair(&server, "admin", PASSWORD).await;
    assert_eq!(server.send("POST", "/v1/signing-keys/rotate", None).await.status, 204);
    let (newer, _) = pair(&server, "admin", PASSWORD).await;
    for token in [&access, &newer] {
        assert_eq!(server.send_as(token, "GET", "/v1/tasks", None).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller_beyond_its_share_waits_and_pollers_never_do() {
    let limits = longhaul_server::Limits { rate: Some(5), ..longhaul_server::Limits::default() };
    let server = Running::with(longhaul_server::ServerConfig { limits, ..Default::default() }).await;
    let key = service(&server.parts.auth, "greedy", Role::Operator).await;
    let mut refused = 0;
    for _ in 0..30 {
        let answer = server.send_as(&key, "GET", "/v1/tasks", None).await;
        if answer.status == 429 {
            assert_eq!(answer.code(), "TOO_MANY_REQUESTS");
            assert_eq!(answer.header("retry-after"), "1");
            refused += 1;
        }
    }
    assert!(refused >= 10, "{refused}");
    assert_eq!(server.get("/v1/tasks").await.status, 200, "others are not concerned");
    for _ in 0..30 {
        let absent = "/v1/tasks/00000000-0000-4000-8000-000000000000";
        assert_eq!(server.send_as(&key, "GET", absent, None).await.status, 404);
    }
}
