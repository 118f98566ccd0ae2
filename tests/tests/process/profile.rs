//! A person's profile, and `sotto-cli` as they use it: verb by verb, or beside a daemon.

use std::{
    io::{BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    events::Events,
    house::{binary, read_until},
    relay::{append, terminate},
};

/// A profile, whose daemon runs or not.
pub(crate) struct Profile {
    folder: PathBuf,
    log: PathBuf,
    passphrase: String,
    daemon: Option<Child>,
}

/// What one verb came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    /// What it said, an object a line.
    pub(crate) items: Vec<Value>,
    /// Why it failed; null if it did not.
    pub(crate) failure: Value,
}

impl Profile {
    /// A folder for a profile that is not made yet.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let passphrase = format!("{name} likes long passphrases");
        let log = folder.join(format!("{name}.log"));
        Self { folder: folder.join(name), log, passphrase, daemon: None }
    }

    /// A profile with an account at a relay.
    pub(crate) fn made(folder: &Path, name: &str, relay: &str) -> Self {
        let profile = Self::new(folder, name);
        profile.ok(&["init", "--name", name, "--relay", relay]);
        profile
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    pub(crate) fn passphrase(&self) -> &str {
        &self.passphrase
    }

    pub(crate) fn set_passphrase(&mut self, passphrase: &str) {
        passphrase.clone_into(&mut self.passphrase);
    }

    /// `sotto-cli` for this profile, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("sotto-cli"));
        command.arg("--json").arg("--profile").arg(&self.folder).args(arguments);
        command.env("SOTTO_PASSPHRASE", &self.passphrase).stdin(Stdio::null());
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// Runs a verb that must go well.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> Vec<Value> {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.failure);
        ran.items
    }

    /// Starts a client that stays, and waits until it can be asked.
    pub(crate) fn start_daemon(&mut self) {
        let mut child = self
            .command(&["daemon"])
            .env("SOTTO_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(append(&self.log))
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        read_until(&mut said, |line| line.contains("ready").then_some(()));
        self.daemon = Some(child);
    }

    pub(crate) const fn has_daemon(&self) -> bool {
        self.daemon.is_some()
    }

    /// Ends the daemon at once.
    pub(crate) fn kill_daemon(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks the daemon to end, and says whether it did so in order.
    pub(crate) fn end_daemon(&mut self) -> bool {
        let mut child = self.daemon.take().unwrap();
        terminate(&child);
        child.wait().unwrap().success()
    }

    /// Sends a message through the daemon, and waits until it is stored. The same key again sends nothing.
    pub(crate) fn send(&self, to: &str, text: &str, key: &str) {
        let send = json!({ "to": to, "message": text, "wait": null, "timeout": null, "idempotency_key": key });
        let mut answers = self.ask(&json!({ "send": send }));
        read_until(&mut answers, |line| {
            assert!(!line.contains("\"failed\""), "{line}");
            line.contains("\"done\"").then_some(())
        });
    }

    /// The daemon's events from a cursor on, and as they happen.
    pub(crate) fn listen(&self, since: u64) -> Events {
        let listen = json!({ "since": since.to_string(), "types": [], "ack": false });
        Events::new(self.ask(&json!({ "listen": listen })))
    }

    /// Asks the daemon by its socket, as `sotto-cli` does.
    fn ask(&self, request: &Value) -> BufReader<UnixStream> {
        let mut socket = UnixStream::connect(self.folder.join("daemon.sock")).unwrap();
        writeln!(socket, "{}", json!({ "version": 1, "request": request })).unwrap();
        BufReader::new(socket)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.kill_daemon();
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let lines = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
        };
        let failures: Vec<Value> = lines(&output.stderr);
        Self {
            code: output.status.code().expect("it ended by itself"),
            items: lines(&output.stdout),
            failure: failures.into_iter().next_back().unwrap_or_default(),
        }
    }

    /// Checks that it failed as it should: the code, the word for programs, and a sentence for people.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, kind: &str) {
        let sentence = self.failure["error"].as_str().unwrap_or_default();
        assert_eq!((self.code, self.failure["kind"].as_str()), (code, Some(kind)), "{sentence}");
        let reads = sentence.chars().next().is_some_and(char::is_uppercase) && sentence.contains(' ');
        assert!(reads && sentence.ends_with(['.', '!', '?']), "this is no sentence: {sentence:?}");
    }
}
