//! A PostgreSQL server of the tests' own: made in a scratch folder, reached by a socket in it, gone with its last user.
//!
//! The programs are looked for on the path and where Debian puts them. They refuse to run as root; then they run as `nobody`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// Whom the server runs as where the tests run as root.
const NOBODY: u32 = 65_534;

/// A running server.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    synced: bool,
    server: Mutex<Option<Server>>,
    databases: Mutex<u32>,
}

/// The server's process. A thread of its own waits for it, because it is told to end with the thread that began it.
struct Server {
    pid: u32,
    ended: JoinHandle<()>,
}

impl Cluster {
    /// A server of one's own. With `synced`, what it answers is on the disk, which only a benchmark needs.
    pub(crate) fn start(synced: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        if is_root() {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = as_nobody("initdb")
            .args([
                "--auth=trust",
                "--username=backstop",
                "--encoding=UTF8",
                "--no-sync",
                "-D",
            ])
            .arg(folder.path().join("data"))
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let cluster = Self {
            server: Mutex::new(None),
            folder,
            synced,
            databases: Mutex::new(0),
        };
        cluster.serve();
        cluster
    }

    /// A fresh database: its address.
    pub(crate) fn database(&self) -> String {
        let mut number = lock(&self.databases);
        *number += 1;
        let sql = format!("CREATE DATABASE test_{number}");
        self.connect(&self.url("postgres")).batch_execute(&sql).unwrap();
        self.url(&format!("test_{number}"))
    }

    /// The address of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://backstop@{socket}/{database}")
    }

    /// A connection, for whatever a test wants to do behind the store's back.
    pub(crate) fn connect(&self, url: &str) -> postgres::Client {
        postgres::Client::connect(url, postgres::NoTls).unwrap()
    }

    /// Ends the server at once.
    pub(crate) fn kill(&self) {
        if let Some(server) = lock(&self.server).take() {
            let told = Command::new("kill").args(["-QUIT", &server.pid.to_string()]).status();
            assert!(told.unwrap().success());
            server.ended.join().unwrap();
        }
    }

    /// Starts the server, and waits until it answers.
    pub(crate) fn serve(&self) {
        *lock(&self.server) = Some(serve(self.folder.path().to_owned(), self.synced));
        let mut tries = 0;
        while let Err(error) = postgres::Client::connect(&self.url("postgres"), postgres::NoTls) {
            tries += 1;
            assert!(tries < 1_200, "the server does not answer: {error}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(folder: PathBuf, synced: bool) -> Server {
    let (tell, told) = mpsc::channel();
    let ended = std::thread::spawn(move || {
        let mut server = as_nobody("postgres")
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-k")
            .arg(&folder)
            .args([
                "-h",
                "",
                "-c",
                if synced { "fsync=on" } else { "fsync=off" },
                "-c",
                "max_connections=300",
                "-c",
                "log_min_messages=panic",
            ])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tell.send(server.id()).unwrap();
        server.wait().unwrap();
    });
    Server {
        pid: told.recv().unwrap(),
        ended,
    }
}

/// A program of PostgreSQL's, not as root, that ends with the thread that begins it.
fn as_nobody(name: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root() {
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command.arg(find(name));
    command
}

fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(name));
    let debians = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debians = debians.map(|version| version.unwrap().path().join("bin").join(name));
    let found = on_path.chain(debians).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not installed: it is in Debian's package `postgresql`"))
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&Path::new("/proc/self").metadata().unwrap()) == 0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
