//! A relay's process.

use std::{
    fs::{self, File, OpenOptions},
    io::BufReader,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::house::{binary, free_port, read_until};

/// A relay in a folder, which runs or not.
pub(crate) struct Relay {
    folder: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    address: String,
}

impl Relay {
    /// Makes a relay, and starts it.
    pub(crate) fn new(folder: &Path) -> Self {
        Self::named(folder, "relay", &format!("127.0.0.1:{}", free_port()), &[])
    }

    /// One that admits nobody without a credential.
    pub(crate) fn minted(folder: &Path) -> Self {
        let mut relay = Self::made(folder, "relay", &format!("127.0.0.1:{}", free_port()), &[]);
        let file = relay.folder.join("relay.toml");
        let configuration = fs::read_to_string(&file).unwrap();
        let minted = configuration.replace("kind = \"open\"", "kind = \"minted\"");
        assert_ne!(minted, configuration, "admission stands in the configuration");
        fs::write(file, minted).unwrap();
        relay.start();
        relay
    }

    /// A credential that its host mints.
    pub(crate) fn mint(&self, uses: u32) -> String {
        let minted = Command::new(binary("sotto-relay"))
            .args(["mint", "--uses", &uses.to_string(), "--data"])
            .arg(&self.folder)
            .output()
            .unwrap();
        assert!(minted.status.success(), "{}", String::from_utf8_lossy(&minted.stderr));
        String::from_utf8(minted.stdout).unwrap().trim().to_owned()
    }

    /// The same with a name of its own, where it listens, and further flags.
    pub(crate) fn named(folder: &Path, name: &str, listen: &str, flags: &[&str]) -> Self {
        let mut relay = Self::made(folder, name, listen, flags);
        relay.start();
        relay
    }

    fn made(folder: &Path, name: &str, listen: &str, flags: &[&str]) -> Self {
        let data = folder.join(name);
        let made = Command::new(binary("sotto-relay"))
            .args(["init", "--listen", listen])
            .args(flags)
            .arg("--data")
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // Relays of several tests run at once, and would all count for their hosts at one place.
        let configuration = fs::read_to_string(data.join("relay.toml")).unwrap();
        fs::write(data.join("relay.toml"), configuration.replace("127.0.0.1:9464", "127.0.0.1:0")).unwrap();
        Self { folder: data, log: folder.join(format!("{name}.log")), child: None, address: String::new() }
    }

    pub(crate) fn start(&mut self) {
        let mut child = Command::new(binary("sotto-relay"))
            .args(["run", "--data"])
            .arg(&self.folder)
            .env("SOTTO_LOG", "debug")
            .stdout(Stdio::piped())
            .stderr(append(&self.log))
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        self.address = read_until(&mut said, |line| line.starts_with("sotto://").then(|| line.to_owned()));
        self.child = Some(child);
    }

    /// What people are given.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Ends it at once, as a power cut does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to end, and says whether it did so in order.
    pub(crate) fn terminate(&mut self) -> bool {
        let mut child = self.child.take().unwrap();
        terminate(&child);
        child.wait().unwrap().success()
    }

    /// Everything the relay knows now.
    pub(crate) fn inspect(&self) -> Value {
        let shown = Command::new(binary("sotto-relay"))
            .args(["inspect", "--json", "--data"])
            .arg(&self.folder)
            .output()
            .unwrap();
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        serde_json::from_slice(&shown.stdout).unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A file that goes on where it ended.
pub(crate) fn append(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// SIGTERM, by the one command that every system has for it: tests have no unsafe code.
pub(crate) fn terminate(child: &Child) {
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
