//! A relay that faults can be done to: on a small disk of its own, with a clock that can be set, in a process that can be killed,
//! and traced so that its disk is slow.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use sotto_relay::{
    Identity,
    server::{Clock, Relay, Settings},
    storage::sqlite::SqliteStorage,
};

use crate::relay::RelayProcess;

/// Names the folder to serve from.
const SERVE: &str = "SOTTO_TEST_SERVE";
/// A disk that lasts as long as its standard input.
const A_SMALL_DISK: &str = r#"mount -t tmpfs -o size=96m tmpfs "$1" && echo mounted && exec cat"#;

/// A folder in a mount namespace of its own.
pub(super) struct SmallDisk {
    dir: PathBuf,
    holder: Child,
}

/// A running relay.
pub(super) struct House {
    relay: RelayProcess,
    clock: ChildStdin,
    traced: bool,
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

impl SmallDisk {
    pub(super) fn mount(dir: &Path) -> Self {
        let mut unshare = Command::new("unshare");
        // Without root, a user namespace gives the right to mount.
        unshare.arg(if is_root() { "-m" } else { "-rm" }).args(["sh", "-c", A_SMALL_DISK, "sh"]).arg(dir);
        let mut holder = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n");
        Self { dir: dir.to_owned(), holder }
    }

    /// Takes all the room there is.
    pub(super) fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        while ballast.write_all(&[0; 4_096]).is_ok() {}
    }

    pub(super) fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    /// As it is seen from outside the namespace.
    fn ballast(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.dir.strip_prefix("/").unwrap()).join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

impl House {
    /// Starts a relay; on a slow disk each `fdatasync` takes 4 ms longer.
    pub(super) fn start(disk: &SmallDisk, slow_disk: bool) -> Self {
        let mut command = Command::new("nsenter");
        command.args(["-t", &disk.holder.id().to_string(), "-m"]);
        if !is_root() {
            command.args(["-U", "--preserve-credentials"]);
        }
        if slow_disk {
            command.args(["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fdatasync"]);
            command.args(["-e", "inject=fdatasync:delay_exit=4000"]);
        }
        command.arg(std::env::current_exe().unwrap()).args([
            "--exact",
            "history::house::a_relay_serves",
            "--nocapture",
        ]);
        command.env(SERVE, &disk.dir).stdin(Stdio::piped());
        let mut relay = RelayProcess::spawn(command);
        let clock = relay.stdin();
        Self { relay, clock, traced: slow_disk }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.relay.address
    }

    pub(super) fn jump(&mut self, millis: i64) {
        writeln!(self.clock, "{millis}").unwrap();
    }

    /// SIGKILL to the relay itself.
    pub(super) fn kill(&mut self) {
        if self.traced {
            let children = format!("/proc/{0}/task/{0}/children", self.relay.pid());
            let children = std::fs::read_to_string(children).unwrap();
            assert!(Command::new("kill").arg("-KILL").arg(children.trim()).status().unwrap().success());
            self.relay.wait();
        } else {
            self.relay.kill();
        }
    }
}

/// No test by itself: the process that [`House::start`] starts, with a clock that is set from its standard input.
#[test]
fn a_relay_serves() {
    let Ok(dir) = std::env::var(SERVE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let settings = Settings { metrics_listen: Some(any_port()), ..Settings::plain(any_port()) };
    let clock: Clock = settings.clock.clone();
    let relay = runtime.block_on(async {
        let storage = SqliteStorage::open(&Path::new(&dir).join("relay.db")).await.unwrap();
        Relay::start(settings, Identity::from_secret(&[7; 32]), storage).unwrap()
    });
    let said = format!("\nlistening on {}\nmetrics on {}\n\n", relay.address(), relay.metrics_address().unwrap());
    std::io::stdout().write_all(said.as_bytes()).unwrap();
    for line in std::io::stdin().lines() {
        clock.jump(line.unwrap().parse().unwrap());
    }
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}
