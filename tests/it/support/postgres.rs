//! A PostgreSQL server for the tests' run, from the machine's own packages; or the one that
//! `DESKHAND_TEST_POSTGRES_URL` names (as a user who may create databases). Each test has a
//! database of its own, which goes with it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// How long the server may take to come up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs the server until the tests' process is gone, however it ends, and tidies up. The server's
/// own signals: INT says to end the sessions that there still are.
const WATCH: &str = r#"
folder=$1; shift
"$@" >"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT $server
wait $server
rm -rf "$folder"
"#;

/// A database for one test, dropped with it.
pub(crate) struct TestDatabase {
    url: String,
    name: String,
}

impl TestDatabase {
    /// Makes one, and the server where it is the first.
    pub(crate) async fn new() -> Self {
        let name = format!("deskhand_test_{:x}", RandomState::new().build_hasher().finish());
        let database = Self { url: at(&name), name };
        database.administer(&format!("CREATE DATABASE {}", database.name)).await;
        database
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Changes a setting for the sessions to come.
    pub(crate) async fn set(&self, setting: &str) {
        self.administer(&format!("ALTER DATABASE {} SET {setting}", self.name)).await;
    }

    async fn administer(&self, sql: &str) {
        let mut connection = PgConnection::connect(server()).await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = self.name.clone();
        // The test's own runtime may be on its way down.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(server()).await?;
                let sql = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
                sqlx::raw_sql(sql).execute(&mut connection).await
            })
        });
        let _ = dropped.join();
    }
}

/// The server's URL with another database in it.
fn at(database: &str) -> String {
    let url = server();
    let (place, options) = url.split_once('?').map_or((url, ""), |(place, o)| (place, o));
    let host = place.find("://").unwrap() + 3;
    let end = place[host..].find('/').map_or(place.len(), |at| host + at);
    let mark = if options.is_empty() { "" } else { "?" };
    format!("{}/{database}{mark}{options}", &place[..end])
}

fn server() -> &'static str {
    // The server's life hangs on the child's standard input, which closes with this process.
    static SERVER: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let given = || Some((std::env::var("DESKHAND_TEST_POSTGRES_URL").ok()?, None));
    &SERVER.get_or_init(|| given().unwrap_or_else(start)).0
}

fn start() -> (String, Option<Child>) {
    let programs = programs();
    let folder = tempfile::Builder::new().prefix("deskhand-pg-").tempdir().unwrap();
    let path = folder.path().to_owned();
    // The server refuses to run as root.
    let user = if output(Command::new("id").arg("-u")).trim() == "0" {
        let user = if output(Command::new("id").args(["-u", "postgres"])).is_empty() {
            "nobody"
        } else {
            "postgres"
        };
        let group = output(Command::new("id").args(["-gn", user]));
        output(Command::new("chown").arg(user).arg(&path));
        vec![
            "setpriv".to_owned(),
            format!("--reuid={user}"),
            format!("--regid={}", group.trim()),
            "--clear-groups".to_owned(),
        ]
    } else {
        Vec::new()
    };
    let data = path.join("data");
    let mut make = as_user(&user, &programs.join("initdb"));
    make.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
    let made = make.arg(&data).current_dir(&path).output().unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let mut watch = Command::new("sh");
    watch.args(["-c", WATCH, "watch"]).arg(&path).args(&user);
    watch.arg(programs.join("postgres")).arg("-D").arg(&data).arg("-k").arg(&path);
    for setting in ["listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=300"]
    {
        watch.args(["-c", setting]);
    }
    // A group of its own: an interrupt at the terminal is for the tests, and this ends after them.
    let watch = watch.current_dir(&path).process_group(0).stdin(Stdio::piped());
    let watcher = watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _ = folder.keep();
    let socket = path.join(".s.PGSQL.5432");
    let ready = || std::os::unix::net::UnixStream::connect(&socket).is_ok();
    let begin = Instant::now();
    while !ready() || !accepts(&programs, &path) {
        let log = || std::fs::read_to_string(path.join("log")).unwrap_or_default();
        assert!(begin.elapsed() < PATIENCE, "PostgreSQL does not come up: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    (format!("postgres://postgres@localhost/postgres?host={}", path.display()), Some(watcher))
}

/// Whether the server is past its start.
fn accepts(programs: &Path, socket: &Path) -> bool {
    let mut ask = Command::new(programs.join("pg_isready"));
    let ask = ask.arg("-q").arg("-h").arg(socket).stdout(Stdio::null()).stderr(Stdio::null());
    ask.status().is_ok_and(|status| status.success())
}

/// The folder of the server's programs.
fn programs() -> PathBuf {
    let mut folders: Vec<PathBuf> = glob("/usr/lib/postgresql").chain(glob("/usr")).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Names in PATH may be links out of the folder where the programs find each other.
    let known = std::env::split_paths(&path)
        .filter_map(|folder| std::fs::canonicalize(folder.join("initdb")).ok())
        .filter_map(|program| Some(program.parent()?.to_owned()));
    let all = folders.into_iter().chain(known);
    let found = all.into_iter().find(|f| f.join("postgres").exists() && f.join("initdb").exists());
    assert!(
        found.is_some(),
        "these tests need PostgreSQL's server programs (Debian: apt-get install postgresql), or \
         DESKHAND_TEST_POSTGRES_URL with a server whose user may create databases"
    );
    found.unwrap()
}

/// `bin` folders of installed versions, as Debian (`/usr/lib/postgresql/17`) and others
/// (`/usr/pgsql-17`) name them.
fn glob(parent: &str) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| version(&path.join("bin")) > 0)
        .map(|p| p.join("bin"))
}

fn version(bin: &Path) -> u32 {
    let name = bin.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    name.strip_prefix("pgsql-").unwrap_or(&name).parse().unwrap_or(0)
}

fn as_user(user: &[String], program: &Path) -> Command {
    match user {
        [] => Command::new(program),
        [switch, arguments @ ..] => {
            let mut command = Command::new(switch);
            command.args(arguments).arg(program);
            command
        }
    }
}

fn output(command: &mut Command) -> String {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    text
}
