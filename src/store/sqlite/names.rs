//! The names that deployments have had, from a file that may belong to a running agent.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

/// So many names of each kind are read at most.
const NAMES_MAX: usize = 10_000;

/// The apps and environments that were deployed, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The apps.
    pub apps: BTreeSet<String>,
    /// The environments.
    pub environments: BTreeSet<String>,
}

/// The names in the store at `url`, if there is one that can be read as it is. Nothing is made, locked or changed.
pub fn names_seen(url: &str) -> Option<Names> {
    let path = Path::new(url.strip_prefix("sqlite://")?);
    if !path.is_file() {
        return None;
    }
    let connection = open(path).ok()?;
    read(&connection).ok()
}

/// Opens a file for reading only, without a file of SQLite's own appearing beside it.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let beside = |end: &str| PathBuf::from(format!("{}{end}", path.display())).exists();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if beside("-wal") && beside("-shm") {
        return Connection::open_with_flags(path, flags);
    }
    // Nobody has it open. A reader of a log-keeping file would leave the log's files behind, maybe as another user.
    let escaped = path
        .display()
        .to_string()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let uri = format!("file:{escaped}?immutable=1");
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

fn read(connection: &Connection) -> rusqlite::Result<Names> {
    let column = |sql: &str| -> rusqlite::Result<BTreeSet<String>> {
        let mut statement = connection.prepare(&format!("{sql} LIMIT {NAMES_MAX}"))?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    // Where a delivery names them, it does so although no run may have followed from it.
    let apps = column(
        "SELECT app FROM runs UNION SELECT opened_app FROM deliveries WHERE opened_app IS NOT NULL
         UNION SELECT heard ->> 'app' FROM deliveries WHERE heard ->> 'app' IS NOT NULL",
    )?;
    let environments = column(
        "SELECT environment FROM runs
         UNION SELECT heard ->> 'environment' FROM deliveries WHERE heard ->> 'environment' IS NOT NULL",
    )?;
    Ok(Names { apps, environments })
}
