//! URLs, environments and files in all their forms.

use std::fs::{Permissions, set_permissions, write};

use super::*;

fn at(variables: &[(&str, &str)], home: Option<&Path>) -> Surroundings {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Surroundings { variables: variables.iter().map(text).collect(), home: home.map(Path::to_owned) }
}

fn one(url: &str, surroundings: &Surroundings) -> Config {
    let mut read = Parameters::read(url, surroundings).unwrap();
    assert_eq!(read.servers.len(), 1, "{url}");
    read.servers.remove(0)
}

fn password(config: &Config) -> Option<&str> {
    config.get_password().map(|password| std::str::from_utf8(password).unwrap())
}

fn secret_file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    write(&file, text).unwrap();
    set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}

#[test]
fn each_server_has_a_url() {
    let one = |url: &str| each_server(url).join(" ");
    assert_eq!(one("postgres://u:p@a:1,b/t?x=1"), "postgres://u:p@a:1/t?x=1 postgres://u:p@b/t?x=1");
    assert_eq!(one("postgres://u@%2Frun%2Fpg/t"), "postgres://u@%2Frun%2Fpg/t");
    assert_eq!(one("postgresql:///t?host=/run"), "postgresql:///t?host=/run");
    assert_eq!(one("postgres://[::1]:5,b"), "postgres://[::1]:5 postgres://b");
}

#[test]
fn url_is_read_and_what_is_wrong_is_named() {
    let nothing = at(&[], None);
    let read = Parameters::read("postgres://ann:secret@a:1,b:2/tasks?sslmode=disable", &nothing).unwrap();
    let ports: Vec<_> = read.servers.iter().map(|server| server.get_ports().to_vec()).collect();
    assert_eq!(ports, [[1], [2]]);
    assert_eq!(password(&read.servers[1]), Some("secret"));
    for (url, says) in [
        ("mysql://a/b", "postgres://"),
        ("postgres://a", "no database"),
        ("postgres:///b", "no host"),
        ("postgres://a/b?sslmode=never", "sslmode=never"),
        ("postgres://a/b?sslcert=/a.pem", "sslkey"),
        ("postgres://a/b?sslkey=/a.pem", "sslcert"),
        ("postgres://a/b?service=none", "\"none\""),
        ("postgres://a/b?colour=red", "colour"),
    ] {
        let Err(StoreError::Open(message)) = Parameters::read(url, &nothing) else {
            panic!("{url} is taken")
        };
        assert!(message.contains(says) && !message.contains("secret"), "{url}: {message}");
    }
}

#[test]
fn proof_is_what_the_mode_asks_for() {
    for (url, variables, mode, proof) in [
        ("postgres://a/b", &[][..], SslMode::Prefer, Proof::None),
        ("postgres://a/b?sslmode=disable", &[], SslMode::Disable, Proof::None),
        ("postgres://a/b?sslmode=require", &[], SslMode::Require, Proof::None),
        ("postgres://a/b?sslmode=require&sslrootcert=%2Fca", &[], SslMode::Require, Proof::Name),
        ("postgres://a/b?sslmode=verify-ca&sslrootcert=/ca", &[], SslMode::Require, Proof::Authority),
        (
            "postgres://a/b",
            &[("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", "/ca")],
            SslMode::Require,
            Proof::Name,
        ),
        ("postgres://a/b?sslmode=disable", &[("PGSSLMODE", "verify-full")], SslMode::Disable, Proof::None),
    ] {
        let read = Parameters::read(url, &at(variables, None)).unwrap();
        assert_eq!((read.servers[0].get_ssl_mode(), read.tls.proof), (mode, proof), "{url}");
        let is_named = url.contains("sslrootcert") || variables.len() > 1;
        assert_eq!(read.tls.roots, is_named.then(|| PathBuf::from("/ca")), "{url}");
    }
}

#[test]
fn what_the_url_leaves_open_comes_from_the_environment() {
    let all = [
        ("PGUSER", "ann"),
        ("PGPASSWORD", "x:y"),
        ("PGDATABASE", "tasks"),
        ("PGHOST", "h1,h2"),
        ("PGPORT", "7"),
    ];
    let read = Parameters::read("postgres://", &at(&all, None)).unwrap();
    let hosts: Vec<_> = read.servers.iter().flat_map(|server| server.get_hosts().to_vec()).collect();
    assert_eq!(hosts, [Host::Tcp("h1".into()), Host::Tcp("h2".into())]);
    let second = &read.servers[1];
    assert_eq!(
        (second.get_user(), second.get_dbname(), second.get_ports()),
        (Some("ann"), Some("tasks"), &[7][..])
    );
    assert_eq!(password(second), Some("x:y"));
    let stronger = one("postgres://bob:z@a/b", &at(&all, None));
    assert_eq!(
        (stronger.get_user(), stronger.get_dbname(), password(&stronger)),
        (Some("bob"), Some("b"), Some("z"))
    );
}

#[test]
fn password_is_found_in_the_password_file() {
    let home = tempfile::tempdir().unwrap();
    let text = "# comment\nshort:line\nother:5432:tasks:ann:no\nh\\:1:*:ta\\\\sks:ann:co\\:lon:s\nh:6543:*:*:by port\n\
                localhost:*:tasks:*:socket\n*:*:tasks:ann:any\n";
    let file = secret_file(home.path(), ".pgpass", text);
    let found = |url: &str| password(&one(url, &at(&[], Some(home.path())))).map(str::to_owned);
    assert_eq!(found("postgres://ann@h/tasks").as_deref(), Some("any"));
    assert_eq!(found("postgres://bob@h:6543/x").as_deref(), Some("by port"));
    assert_eq!(found("postgres://bob@%2Frun%2Fpg/tasks").as_deref(), Some("socket"));
    assert_eq!(found("postgres://bob@h/tasks"), None);
    assert_eq!(found("postgres://ann:own@h/tasks").as_deref(), Some("own"));
    assert_eq!(
        password_of("h\\:1:*:ta\\\\sks:ann:co\\:lon:s", ["h:1", "1", "ta\\sks", "ann"]).as_deref(),
        Some("co:lon:s")
    );
    // Others may read it: not used.
    set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    assert_eq!(found("postgres://ann@h/tasks"), None);
    let elsewhere = secret_file(home.path(), "other", "*:*:*:*:elsewhere\n");
    let named = [("PGPASSFILE", elsewhere.to_str().unwrap())];
    assert_eq!(password(&one("postgres://ann@h/tasks", &at(&named, None))), Some("elsewhere"));
}

#[test]
fn service_is_a_section_of_a_file() {
    let home = tempfile::tempdir().unwrap();
    let text = "[test]\nhost=t\n\n[prod]\n# the real one\nhost = db1,db2\nport=6000,6001\ndbname=tasks\nuser=ann\n\
                password=p=w\nsslmode=verify-ca\n[other]\nhost=o\n";
    secret_file(home.path(), ".pg_service.conf", text);
    for (url, variables) in [("postgres://?service=prod", &[][..]), ("postgres://", &[("PGSERVICE", "prod")])]
    {
        let read = Parameters::read(url, &at(variables, Some(home.path()))).unwrap();
        let second = &read.servers[1];
        assert_eq!(second.get_hosts(), [Host::Tcp("db2".into())]);
        assert_eq!(
            (second.get_ports(), second.get_dbname(), password(second)),
            (&[6001][..], Some("tasks"), Some("p=w"))
        );
        assert_eq!(read.tls.proof, Proof::Authority);
    }
}
