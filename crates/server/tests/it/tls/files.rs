//! Certificates: made, kept, refused, replaced.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_server::{ServerConfig, ServerError, TlsError};

use super::super::support::{Parts, Running};
use super::{ask, connect, files, put_pair, self_signed, shown, trusting};

/// Starts a server and returns the error that keeps it from starting.
async fn refused(listen: &str, config: ServerConfig) -> Option<ServerError> {
    Parts::new().await.bind(listen, config).await.err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_machines_need_tls_or_a_word() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let e = refused(listen, ServerConfig::default()).await.unwrap();
        assert!(matches!(e, ServerError::InsecureHttp(_)), "{e}");
        for way_out in ["--tls self-signed", "--tls-cert", "127.0.0.1", "--insecure-http"] {
            assert!(e.to_string().contains(way_out), "{e}");
        }
    }
    let open = ServerConfig { insecure_http: true, ..ServerConfig::default() };
    assert!(refused("0.0.0.0:0", open).await.is_none());
    let directory = tempfile::tempdir().unwrap();
    assert!(refused("0.0.0.0:0", self_signed(directory.path())).await.is_none());
    assert!(refused("127.0.0.1:0", ServerConfig::default()).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_others_can_read_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    put_pair(directory.path());
    let key = directory.path().join("key.pem");
    for mode in [0o644, 0o640, 0o604] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let e = refused("127.0.0.1:0", files(directory.path())).await.unwrap();
        assert!(matches!(e, ServerError::Tls(TlsError::Exposed { .. })), "{e}");
        assert!(e.to_string().contains(&format!("chmod 600 {}", key.display())), "{e}");
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(refused("127.0.0.1:0", files(directory.path())).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_self_signed_certificate_is_made_once_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("tls");
    let first = Running::with(self_signed(&folder)).await;
    let mode = |name: &str| std::fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("cert.pem"), mode("key.pem")), (0o700, 0o600, 0o600));
    let config = Arc::new(trusting(&folder.join("cert.pem")));
    let before = shown(&connect(first.address, &config).await.unwrap());
    drop(first);
    let second = Running::with(self_signed(&folder)).await;
    assert_eq!(shown(&connect(second.address, &config).await.unwrap()), before);
    // A client without the certificate does not trust it.
    let stranger = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    let e = stranger.get(second.url("/v1/tasks")).send().await.unwrap_err();
    assert!(format!("{e:?}").contains("UnknownIssuer"), "{e:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_trusts_a_self_signed_certificate_trusts_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let first = Running::with(self_signed(directory.path())).await;
    let path = directory.path().join("cert.pem");
    let config = Arc::new(trusting(&path));
    let before = shown(&connect(first.address, &config).await.unwrap());
    drop(first);
    // The key is still there: the certificate is made for it.
    std::fs::remove_file(&path).unwrap();
    let second = Running::with(self_signed(directory.path())).await;
    assert_ne!(shown(&connect(second.address, &config).await.unwrap()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_for_those_who_come_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cert.pem");
    let first = put_pair(directory.path());
    let server = Running::with(files(directory.path())).await;
    let certificate = server.certificate.as_ref().unwrap();
    let mut open = connect(server.address, &Arc::new(trusting(&path))).await.unwrap();
    ask(&mut open).await;
    assert_eq!(shown(&open), first);

    let second = put_pair(directory.path());
    certificate.reload().await.unwrap();
    ask(&mut open).await;
    let trusts_second = Arc::new(trusting(&path));
    assert_eq!(shown(&connect(server.address, &trusts_second).await.unwrap()), second);

    std::fs::write(directory.path().join("key.pem"), "no key").unwrap();
    let e = certificate.reload().await.unwrap_err();
    assert!(matches!(e, TlsError::NoKey { .. }), "{e}");
    ask(&mut open).await;
    let mut next = connect(server.address, &trusts_second).await.unwrap();
    assert_eq!(shown(&next), second);
    ask(&mut next).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_files_are_noticed_unasked() {
    let directory = tempfile::tempdir().unwrap();
    put_pair(directory.path());
    let server = Running::with(files(directory.path())).await;
    let second = put_pair(directory.path());
    let trusts_second = Arc::new(trusting(&directory.path().join("cert.pem")));
    let begun = Instant::now();
    loop {
        if let Ok(stream) = connect(server.address, &trusts_second).await {
            assert_eq!(shown(&stream), second);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it is looked at every 5 seconds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
