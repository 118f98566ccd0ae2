//! A headless Chromium, told what to do over its DevTools protocol. It ends with its owner.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use data_encoding::BASE64;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// One browser with one page.
pub(crate) struct Browser {
    child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    next_id: u32,
    /// What the page told without being asked.
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts Debian's `chromium`, which asks nobody for anything by itself.
    pub(crate) async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
            ])
            .args(["--disable-extensions", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("`make test` installs chromium");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| line.unwrap().strip_prefix("DevTools listening on ").map(str::to_owned));
        // Its pipe is read to the end, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        let (socket, _) = connect_async(address.expect("it says where it listens")).await.unwrap();
        let mut browser = Self { child, socket, session: None, next_id: 0, events: vec![], _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = browser.call("Target.attachToTarget", attach).await["sessionId"].clone();
        browser.session = session.as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// One command and its result.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let mut command = json!({ "id": self.next_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = session.clone().into();
        }
        self.socket.send(Message::text(command.to_string())).await.unwrap();
        loop {
            let told = self.told().await;
            if told["id"] == self.next_id {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            self.events.push(told);
        }
    }

    async fn told(&mut self) -> Value {
        let message = self.socket.next().await.expect("the browser lives").unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    /// Goes to an address and waits until all of it is there.
    pub(crate) async fn open(&mut self, address: &str) {
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        let before = self.events.iter().filter(|event| loaded(event)).count();
        self.call("Page.navigate", json!({ "url": address })).await;
        while self.events.iter().filter(|event| loaded(event)).count() == before {
            let told = self.told().await;
            self.events.push(told);
        }
    }

    /// What an expression is worth in the page.
    pub(crate) async fn value(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        self.call("Runtime.evaluate", asked).await["result"]["value"].clone()
    }

    /// A window of this width, in light or dark colours.
    pub(crate) async fn look(&mut self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", media).await;
    }

    /// The whole page as a PNG; also a file in `$PICTURES/NAME.png`, for who wants to look at it.
    pub(crate) async fn picture(&mut self, name: &str) -> Vec<u8> {
        let asked = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.call("Page.captureScreenshot", asked).await;
        let png = BASE64.decode(taken["data"].as_str().unwrap().as_bytes()).unwrap();
        if let Some(folder) = std::env::var_os("PICTURES") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), &png).unwrap();
        }
        png
    }

    /// What the browser complained of: errors of scripts, breaches of the page's policy, files that are missing.
    pub(crate) fn complaints(&self) -> Vec<&Value> {
        let kinds = ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"];
        self.events.iter().filter(|event| kinds.iter().any(|kind| event["method"] == *kind)).collect()
    }

    /// The addresses that the page asked for, with what follows their `#`.
    pub(crate) fn asked_for(&self) -> Vec<String> {
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        let address = |event: &Value| event["params"]["request"]["url"].as_str().unwrap().to_owned();
        requests.map(address).collect()
    }

    /// Closes it, and waits until it is gone.
    pub(crate) async fn close(mut self) {
        self.session = None;
        self.call("Browser.close", json!({})).await;
        tokio::task::block_in_place(|| self.child.wait()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
