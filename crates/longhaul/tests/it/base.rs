//! Database of a server that is stopped and started again, which a test changes meanwhile, on either engine.

use longhaul_testbed::{Cluster, Durability};
use rusqlite::Connection;
use tempfile::TempDir;

use super::support::{Server, longhaul};

/// A folder for the server and its database.
pub(crate) struct Base {
    pub(crate) home: TempDir,
    /// PostgreSQL and the address of the database there; none for the database in the folder.
    pub(crate) cluster: Option<(Cluster, String)>,
}

impl Base {
    pub(crate) fn sqlite() -> Base {
        Base { home: TempDir::new().expect("a directory"), cluster: None }
    }

    pub(crate) fn postgres() -> Base {
        let cluster = Cluster::start(Durability::None).expect("PostgreSQL");
        let url = cluster.create("tasks").expect("a database");
        Base { cluster: Some((cluster, url)), ..Base::sqlite() }
    }

    pub(crate) fn serve(&self, level: &str) -> Server {
        let mut command = longhaul();
        if let Some((_, url)) = &self.cluster {
            command.env("LONGHAUL_DATABASE_URL", url).env("LONGHAUL_ALLOW_UNSAFE_DATABASE", "true");
        }
        Server::of(command, self.home.path(), "127.0.0.1:0", &["--log-level", level])
    }

    /// Returns the one number that a query asks for.
    pub(crate) fn number(&self, query: &str) -> i64 {
        match &self.cluster {
            Some((cluster, _)) => {
                cluster.sql("tasks", query).expect("an answer").trim().parse().expect("a number")
            }
            None => self.file().query_row(query, [], |row| row.get(0)).expect("a number"),
        }
    }

    /// Returns the one text that a query asks for.
    pub(crate) fn text(&self, query: &str) -> String {
        match &self.cluster {
            Some((cluster, _)) => cluster.sql("tasks", query).expect("an answer").trim().to_owned(),
            None => self.file().query_row(query, [], |row| row.get(0)).expect("a text"),
        }
    }

    /// Carries out a change, and returns the number of rows that it changed.
    pub(crate) fn change(&self, statement: &str) -> i64 {
        match &self.cluster {
            Some(_) => {
                self.number(&format!("WITH done AS ({statement} RETURNING 1) SELECT count(*) FROM done"))
            }
            None => self.file().execute(statement, []).expect("changed") as i64,
        }
    }

    pub(crate) fn file(&self) -> Connection {
        Connection::open(self.home.path().join("longhaul.db")).expect("a database")
    }

    /// Returns all that is stored, as bytes or SQL have it.
    pub(crate) fn everything(&self) -> String {
        match &self.cluster {
            Some((cluster, _)) => {
                cluster.sql("tasks", "SELECT database_to_xml(true, true, '')").expect("all tables")
            }
            None => {
                let files = ["longhaul.db", "longhaul.db-wal"].map(|name| self.home.path().join(name));
                let bytes = files.map(|file| std::fs::read(file).unwrap_or_default()).concat();
                String::from_utf8_lossy(&bytes).into_owned()
            }
        }
    }

    /// Returns the number of tasks that have ended.
    pub(crate) fn ended(&self) -> i64 {
        self.number(match self.cluster {
            Some(_) => "SELECT count(*) FROM history WHERE completed_at IS NOT NULL",
            None => "SELECT count(*) FROM hot WHERE completed_at IS NOT NULL",
        })
    }
}
