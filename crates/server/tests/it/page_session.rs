//! Sessions of the page: the cookie opens every route to whom a token would, and changes nothing for others.

use longhaul_auth::{NewUser, Role};
use longhaul_crypto::Zeroizing;
use longhaul_engine::Audit;
use longhaul_server::{Proxies, ServerConfig};
use serde_json::{Value, json};

use super::access::{calls, may};
use super::support::{Answer, PASSWORD, Running};

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");
const PEOPLE: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

fn secret_of(role: Role) -> String {
    format!("the password of {role}")
}

/// The name of the person of that role.
fn name_of(role: Role) -> String {
    format!("page-{role}")
}

/// Makes the person of that role.
async fn person(server: &Running, role: Role) {
    let password = Some(Zeroizing::new(secret_of(role)));
    let name = name_of(role);
    let new = NewUser { name, role, password, service: false, bounds: Default::default() };
    server.parts.auth.create_user(new, Audit::new("tests".into(), None, "addUser")).await.unwrap();
}

async fn send(
    server: &Running,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let mut request = server.nobody().request(method.parse().unwrap(), server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    Answer::of(request).await
}

async fn try_sign_in(server: &Running, name: &str, password: &str, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "username": name, "password": password });
    send(server, "POST", "/ui/session", headers, Some(body)).await
}

/// Signs in; gives the header `Cookie` of later requests.
async fn sign_in(server: &Running, name: &str, password: &str) -> String {
    cookie(&try_sign_in(server, name, password, &[OWN]).await)
}

fn cookie(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn get(server: &Running, path: &str, cookie: &str) -> Answer {
    send(server, "GET", path, &[("cookie", cookie)], None).await
}

/// Each call of the document by each person's cookie: let in as by a token, and where it changes something,
/// from the page only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_takes_the_cookie_and_changes_by_it_from_the_page_only() {
    let server = Running::start().await;
    let calls = calls(&server.get("/openapi.json").await.json());
    let own = format!("http://{}", server.address);
    let foreign: [&[(&str, &str)]; 7] = [
        &[],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("origin", "null")],
        &[("origin", "http://evil.example")],
        &[OWN, ("origin", "http://127.0.0.1:1")],
    ];
    let mut changes = 0;
    for role in PEOPLE {
        person(&server, role).await;
        let cookie = sign_in(&server, &name_of(role), &secret_of(role)).await;
        for (method, path, needed) in calls.iter().filter(|(.., needed)| needed != "PUBLIC") {
            let body = (!method.is_safe()).then(|| json!({ "unexpected": 1 }));
            let with = async |page: &[(&str, &str)]| {
                let headers = [&[("cookie", cookie.as_str())][..], page].concat();
                send(&server, method.as_str(), path, &headers, body.clone()).await
            };
            for page in [&[OWN][..], &[("origin", &own)], &[OWN, ("origin", &own)]] {
                let answer = with(page).await;
                assert_ne!(answer.status, 401, "{role} {method} {path}: {answer:?}");
                let refused = answer.status == 403 && answer.code() == "FORBIDDEN";
                assert_eq!(refused, !may(role, needed), "{role} {method} {path} {page:?}: {answer:?}");
            }
            for page in foreign {
                let answer = with(page).await;
                let refused = answer.status == 403 && answer.code() == "FOREIGN_ORIGIN";
                assert_eq!(refused, !method.is_safe(), "{role} {method} {path} {page:?}: {answer:?}");
                changes += usize::from(refused);
            }
        }
        assert_eq!(get(&server, "/ui/session", &cookie).await.json()["role"], role.code());
    }
    assert!(changes > 3 * 7 * 20, "{changes}");
}

/// The routes that workflows add, and those of the page itself, keep to the same rule.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_outside_the_document_take_the_cookie_in_the_same_way() {
    let server = Running::start().await;
    let workflow = json!({ "name": "bound", "type": "T_X", "title": "t", "route": "POST /v1/bound",
        "subTasks": [{ "name": "A", "description": "a", "action": { "simulate": {} } }] });
    assert_eq!(server.send("PUT", "/v1/workflows/bound", Some(workflow)).await.status, 201);
    for (role, status) in PEOPLE.into_iter().zip([403, 202, 202]) {
        person(&server, role).await;
        let cookie = sign_in(&server, &name_of(role), &secret_of(role)).await;
        let cookie = ("cookie", cookie.as_str());
        for (method, path) in [("POST", "/v1/bound"), ("DELETE", "/ui/session")] {
            let refused = send(&server, method, path, &[cookie], None).await;
            assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "FOREIGN_ORIGIN"));
        }
        let answer = send(&server, "POST", "/v1/bound", &[cookie, OWN], None).await;
        assert_eq!(answer.status, status, "{role}: {answer:?}");
        assert_eq!(send(&server, "GET", "/metrics", &[cookie], None).await.status, 200, "{role}");
    }
    assert_eq!(server.total().await, 2);
    let nobody = send(&server, "DELETE", "/ui/session", &[], None).await;
    assert_eq!(nobody.status, 204, "there is no session to end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_begins_is_seen_and_ends_like_any_other() {
    let server = Running::start().await;
    person(&server, Role::Operator).await;
    let secret = secret_of(Role::Operator);
    assert_eq!(get(&server, "/ui/session", "").await.code(), "Unauthorized");
    let begun = try_sign_in(&server, "page-operator", &secret, &[OWN]).await;
    let set = begun.header("set-cookie");
    assert!(
        set.starts_with("longhaul_session=") && set.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{set}"
    );
    let first = cookie(&begun);
    let body = get(&server, "/ui/session", &first).await.json();
    assert_eq!(body, begun.json());
    assert_eq!(
        (&body["name"], &body["role"], &body["kind"]),
        (&json!("page-OPERATOR"), &json!("OPERATOR"), &json!("USER"))
    );
    assert!(body["server"]["version"].is_string() && body["server"]["name"].is_string(), "{body}");
    assert!(body["expiresAt"].as_str().unwrap().ends_with('Z'), "{body}");
    assert!(!begun.text.contains(first.split('=').nth(1).unwrap()), "scripts do not see the secret");

    let sessions = get(&server, "/v1/sessions", &first).await.json();
    let one = &sessions["elements"][0];
    assert_eq!((&one["current"], &one["login"]), (&json!(true), &json!("PASSWORD")), "{sessions}");
    let path = format!("/v1/sessions/{}", one["id"].as_str().unwrap());
    assert_eq!(server.send("DELETE", &path, None).await.status, 204, "by an administrator");
    assert_eq!(get(&server, "/v1/tasks", &first).await.code(), "Unauthorized");

    // Signing in again ends the session that the browser had; signing out ends this one.
    let second = sign_in(&server, "page-operator", &secret).await;
    let other = sign_in(&server, "page-operator", &secret).await;
    let third = cookie(&try_sign_in(&server, "page-operator", &secret, &[OWN, ("cookie", &second)]).await);
    let works = async |cookie: &str| get(&server, "/ui/session", cookie).await.status == 200;
    assert!(!works(&second).await && works(&third).await && works(&other).await);
    let ended = send(&server, "DELETE", "/ui/session", &[("cookie", &third), OWN], None).await;
    assert_eq!(ended.status, 204);
    assert!(ended.header("set-cookie").contains("Max-Age=0"), "{ended:?}");
    assert!(!works(&third).await && works(&other).await);

    let audit = server.get("/v1/audit?target=page-OPERATOR&pageSize=100").await.json();
    let actions: Vec<&str> = audit["elements"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    let (login, logout) = ("createToken", "invalidateRefreshToken");
    assert_eq!(actions, ["addUser", login, "endSession", login, login, login, logout, logout], "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_is_refused_with_its_reason_and_no_cookie() {
    let server = Running::start().await;
    person(&server, Role::Worker).await;
    let secret = secret_of(Role::Worker);
    let post = async |body: Value| send(&server, "POST", "/ui/session", &[OWN], Some(body)).await;
    for (body, status, code, pointer) in [
        (json!({}), 400, "INVALID_REQUEST", "/username"),
        (json!({ "username": "admin" }), 400, "INVALID_REQUEST", "/password"),
        (json!({ "username": "admin", "password": 5 }), 400, "INVALID_REQUEST", "/password"),
        (
            json!({ "username": "admin", "password": PASSWORD, "apiKey": "k" }),
            400,
            "INVALID_REQUEST",
            "/apiKey",
        ),
        (json!({ "username": "page-WORKER", "password": secret }), 403, "FORBIDDEN", ""),
        (json!({ "username": "page-WORKER", "password": "x" }), 401, "IDENTITY_UNAUTHORIZED_ENTITY", ""),
        (json!({ "username": "nobody", "password": "x" }), 401, "IDENTITY_UNAUTHORIZED_ENTITY", ""),
    ] {
        let answer = post(body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{body}: {answer:?}");
        assert_eq!(
            answer.json()["context"]["pointer"].as_str().unwrap_or_default(),
            pointer,
            "{body}: {answer:?}"
        );
        assert_eq!(answer.header("set-cookie"), "", "{body}");
    }
    // A worker's refresh token in the cookie's place opens nothing, either.
    let body = json!({ "username": "page-WORKER", "password": secret });
    let pair = send(&server, "POST", "/v1/tokens", &[], Some(body)).await.json();
    let planted = format!("longhaul_session={}", pair["refreshToken"]["id"].as_str().unwrap());
    assert_eq!(get(&server, "/v1/users/me", &planted).await.code(), "Unauthorized");
    let mut slowed = false;
    for n in 0..12 {
        let guess = json!({ "username": "admin", "password": format!("guess number {n}") });
        slowed |= post(guess).await.code() == "TOO_MANY_FAILED_LOGINS";
    }
    assert!(slowed);
}

/// A credential that is sent counts, also where it is wrong; the cookie is for requests without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_comes_before_the_cookie() {
    let server = Running::start().await;
    person(&server, Role::Viewer).await;
    let cookie = sign_in(&server, "page-viewer", &secret_of(Role::Viewer)).await;
    let bearer = format!("Bearer {}", server.key);
    let name = async |headers: &[(&str, &str)]| {
        send(&server, "GET", "/v1/users/me", headers, None).await.json()["name"].clone()
    };
    assert_eq!(name(&[("cookie", &cookie)]).await, "page-VIEWER");
    assert_eq!(name(&[("cookie", &cookie), ("authorization", &bearer)]).await, "tests");
    for wrong in ["Bearer wrong", "Basic abc", ""] {
        let headers = [("cookie", cookie.as_str()), ("authorization", wrong)];
        assert_eq!(send(&server, "GET", "/v1/users/me", &headers, None).await.status, 401, "{wrong}");
    }
    let twice = format!("{cookie}; {cookie}");
    assert_eq!(send(&server, "GET", "/v1/users/me", &[("cookie", &twice)], None).await.status, 401);
}

/// Over TLS, here or to a trusted proxy, the cookie has the name that browsers protect, and no other counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookie_over_tls_is_another_one() {
    let trusted_proxies = Proxies::new(["127.0.0.1"]).unwrap();
    let behind = Running::with(ServerConfig { trusted_proxies, ..Default::default() }).await;
    let direct = Running::with(ServerConfig::default()).await;
    for (server, by_proxy) in [(&behind, true), (&direct, false)] {
        let headers = [OWN, ("x-forwarded-proto", "https")];
        let answer = try_sign_in(server, "admin", PASSWORD, &headers).await;
        let set = answer.header("set-cookie");
        assert_eq!(set.starts_with("__Host-longhaul="), by_proxy, "{set}");
        assert_eq!(set.contains("; Secure"), by_proxy, "{set}");
        let secret = cookie(&answer).split('=').nth(1).unwrap().to_owned();
        for (name, secure) in [("__Host-longhaul", true), ("longhaul_session", false)] {
            let named = format!("{name}={secret}");
            let headers = [("cookie", named.as_str()), ("x-forwarded-proto", "https")];
            let status = send(server, "GET", "/ui/session", &headers, None).await.status;
            assert_eq!(status, if secure == by_proxy { 200 } else { 401 }, "{name}");
        }
    }
}

/// The page works under whatever name leads to a server that other machines may reach without TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_without_tls_works_on_other_machines_where_that_is_allowed() {
    for (insecure_http, status) in [(true, 200), (false, 403)] {
        let server = Running::with(ServerConfig { insecure_http, ..Default::default() }).await;
        for host in ["lab.example:8080", "192.0.2.7:8080"] {
            let origin = format!("http://{host}");
            // Such a browser says less: there is no `Sec-Fetch-Site` without TLS.
            let own = [("host", host), ("origin", origin.as_str())];
            let answer = try_sign_in(&server, "admin", PASSWORD, &own).await;
            assert_eq!(answer.status, status, "{host}: {answer:?}");
            if status != 200 {
                assert!(answer.text.contains("other names need TLS"), "{answer:?}");
                continue;
            }
            let cookie = cookie(&answer);
            let mine = [own[0], own[1], ("cookie", cookie.as_str())];
            let other = [own[0], ("origin", "http://evil.example"), mine[2]];
            let started = async |headers| send(&server, "POST", "/v1/tasks", headers, Some(json!({}))).await;
            assert_eq!(started(&mine).await.status, 400);
            assert_eq!(started(&other).await.code(), "FOREIGN_ORIGIN");
        }
    }
}

/// Secrets of the page are in no list, no audit entry and no answer but the one header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_is_nowhere_but_in_the_cookie() {
    let server = Running::start().await;
    let cookie = sign_in(&server, "admin", PASSWORD).await;
    let secret = cookie.split('=').nth(1).unwrap();
    for path in
        ["/v1/sessions", "/v1/audit", "/ui/session", "/ui", "/v1/users/me", "/metrics", "/v1/users/admin"]
    {
        let answer = get(&server, path, &cookie).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text.contains(secret) && !format!("{:?}", answer.headers).contains(secret), "{path}");
    }
}
