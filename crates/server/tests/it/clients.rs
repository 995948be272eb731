//! Clients of several habits at one server: each is spoken with as its account, key or `User-Agent` asks for.

use longhaul_auth::Role;
use longhaul_model::StatusStyle;
use longhaul_server::{ServerConfig, UserAgent, WireClient, WireConfig};
use serde_json::json;

use super::support::{Answer, Running, service};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_is_spoken_with_in_its_way() {
    let constant = Some(StatusStyle::Constant);
    let clients = vec![
        WireClient { account: Some("VV".to_owned()), status_style: constant, ..WireClient::default() },
        WireClient { api_key: Some("paging".to_owned()), default_page_size: Some(100), ..Default::default() },
        WireClient {
            user_agent: Some(UserAgent::new("*Salt/*").unwrap()),
            login_status: Some(200),
            default_page_size: Some(50),
            ..WireClient::default()
        },
        WireClient { account: Some("tests".to_owned()), default_page_size: Some(7), ..WireClient::default() },
    ];
    let wire = WireConfig { clients, ..WireConfig::default() };
    let server = Running::with(ServerConfig { wire, ..ServerConfig::default() }).await;
    server.workflow("w", vec![json!({})]).await;
    let id = server.run("w").await["id"].as_str().unwrap().to_owned();
    let vv = service(&server.parts.auth, "vv", Role::Viewer).await;
    let other = service(&server.parts.auth, "other", Role::Viewer).await;
    let named = server.send("POST", "/v1/users/vv/api-keys", Some(json!({ "name": "paging" }))).await;
    let paging = named.json()["apiKey"].as_str().unwrap().to_owned();

    let spoken = async |key: &str, agent: &str| {
        let get = |path: String| {
            server.nobody().get(server.url(&path)).header("user-agent", agent).bearer_auth(key)
        };
        let task = Answer::of(get(format!("/v1/tasks/{id}"))).await;
        let page = Answer::of(get("/v1/tasks".to_owned())).await.json();
        let login = server.nobody().post(server.url("/v1/tokens")).header("user-agent", agent);
        let login = Answer::of(login.json(&json!({ "apiKey": key }))).await;
        let status = task.json()["status"].as_str().unwrap().to_owned();
        assert_eq!(page["elements"][0]["status"], status);
        let size = page["pageMetadata"]["pageSize"].as_u64().unwrap();
        (status, size, login.status.as_u16(), task.header("etag").to_owned())
    };
    let (status, size, login, display) = spoken(&other, "curl/8").await;
    assert_eq!((status.as_str(), size, login), ("Successful", 10, 201));
    let (status, size, login, tag) = spoken(&vv, "python-requests/2").await;
    assert_eq!((status.as_str(), size, login), ("SUCCESSFUL", 10, 201));
    assert_ne!(tag, display, "another spelling is another representation");
    let (status, size, login, _) = spoken(&paging, "x").await;
    assert_eq!((status.as_str(), size, login), ("SUCCESSFUL", 100, 201));
    let (status, size, login, _) = spoken(&other, "my salt/3006").await;
    assert_eq!((status.as_str(), size, login), ("Successful", 50, 200));
    // The first entry that says anything of a setting counts.
    let (_, size, ..) = spoken(&server.key, "salt/3").await;
    assert_eq!(size, 50);
    let (_, size, ..) = spoken(&server.key, "other").await;
    assert_eq!(size, 7);
    // A token from a login belongs to the account.
    let token = server.send("POST", "/v1/tokens", Some(json!({ "apiKey": vv }))).await.json();
    let task =
        server.send_as(token["accessToken"].as_str().unwrap(), "GET", &format!("/v1/tasks/{id}"), None).await;
    assert_eq!(task.json()["status"], "SUCCESSFUL");
}
