//! A real relay process in a folder of its own. It ends with its owner.

use std::{
    io::{BufRead, BufReader, Lines, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio},
};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_sotto-relay");

/// A running relay.
pub(crate) struct RelayProcess {
    child: Child,
    /// Keeps the pipe open; nothing more is said on it.
    _stdout: Lines<BufReader<ChildStdout>>,
    stderr: Option<ChildStderr>,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    /// As people are given it.
    pub(crate) link: String,
}

/// Makes a relay in a folder, without TLS, on ports that the system chooses.
pub(crate) fn init(data: &Path) {
    init_tls(data, "off");
}

/// The same, with TLS as it is said.
pub(crate) fn init_tls(data: &Path, tls: &str) {
    let made = command("init", data).args(["--listen", "127.0.0.1:0", "--tls", tls]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// `sotto-relay NAME --data DIR`.
pub(crate) fn command(name: &str, data: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.arg(name).arg("--data").arg(data);
    command
}

/// Runs to its end.
pub(crate) fn output(name: &str, data: &Path) -> Output {
    command(name, data).output().unwrap()
}

impl RelayProcess {
    pub(crate) fn start(data: &Path) -> Self {
        Self::spawn(command("run", data))
    }

    /// Starts what runs a relay in the end, and waits until it says that it is ready.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = child.stderr.take();
        // Whatever starts it may say something before.
        let mut said = |prefix: &str| match stdout.find_map(|line| Some(line.ok()?.strip_prefix(prefix)?.to_owned())) {
            Some(said) => said,
            None => {
                let mut text = String::new();
                let _ = stderr.as_mut().map(|stderr| stderr.read_to_string(&mut text));
                panic!("the relay did not start: {text}")
            }
        };
        let address = said("listening on ").parse().unwrap();
        let metrics = said("metrics on ").parse().unwrap();
        let link = said("");
        Self { child, _stdout: stdout, stderr, address, metrics, link }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, where that is a pipe.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, waits for the end, and gives its code and what it logged.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, String) {
        let killed = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status().unwrap();
        assert!(killed.success());
        self.wait()
    }

    /// Waits for the end, and gives its code and what it logged.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        if let Some(mut stderr) = self.stderr.take() {
            stderr.read_to_string(&mut log).unwrap();
        }
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
