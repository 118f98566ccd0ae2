//! People log in at an issuer and get a credential, whose tokens make mailboxes.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::atomic::Ordering};

use serde_json::{Value, json};
use sotto_outer::{Answer, Command, Create, ShownToken};

use crate::{
    browser::Browser,
    client::{Client, Owner},
    issuer::{CLIENT, ERROR_TEXT, Issuer, SECRET},
    issuer_key::IssuerKey,
    relay::{self, RelayProcess, output},
    tokens::fetch,
    visitor::{Visitor, claims, get, log_in},
};

const OVER: &str = "This login is over";

/// Makes a relay at which people log in at this issuer, with more keys of `[admission]`.
pub(crate) fn init(data: &Path, issuer: &str, more: &[(&str, &str)]) {
    relay::init(data);
    let path = data.join("relay.toml");
    let mut config = fs::read_to_string(&path).unwrap();
    let always = [("kind", "\"oidc\""), ("issuer", &format!("\"{issuer}\"")), ("client_id", &format!("\"{CLIENT}\""))];
    let (head, admission) = config.split_once("\n[admission]\n").unwrap();
    let mut admission = admission.to_owned();
    for (key, value) in always.iter().chain(more) {
        let at = admission.find(&format!("\n{key} = ")).unwrap_or_else(|| panic!("{key}")) + 1;
        let end = at + admission[at..].find('\n').unwrap();
        admission.replace_range(at..end, &format!("{key} = {value}"));
    }
    config = format!("{head}\n[admission]\n{admission}");
    fs::write(&path, config).unwrap();
}

fn start(data: &Path, issuer: &Issuer, more: &[(&str, &str)]) -> RelayProcess {
    init(data, issuer.url(), more);
    RelayProcess::start(data)
}

fn create(owner: &Owner, token: ShownToken) -> Command {
    let Command::Create(create) = owner.create() else { unreachable!("a create") };
    Command::Create(Create { token: Some(Box::new(token)), ..create })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_gives_a_credential_whose_tokens_make_a_mailbox() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let mut relay = start(dir.path(), &issuer, &[("uses_per_week", "3")]);

    let page = log_in(relay.address);
    assert_eq!(page.status, 200, "{page:?}");
    for line in
        ["cache-control: no-store", "referrer-policy: no-referrer", "content-security-policy: default-src 'none';"]
    {
        assert!(page.head.contains(line), "{line}: {}", page.head);
    }
    assert!(page.header("set-cookie").unwrap().starts_with("sotto-join=; Path=/join; Max-Age=0; "), "it is forgotten");
    assert!(page.body.contains("sotto-cli relay admit -"));
    let credential = page.credential().to_owned();
    let claims = claims(&credential);
    assert_eq!(claims["uses"], 3);
    assert!(!claims.to_string().contains("alice"), "{claims}");

    // One connection fetches, another one spends.
    let mut alice = Client::connect(relay.address).await.unwrap();
    let tokens = fetch(&mut alice, &credential, 2).await.unwrap();
    let mut elsewhere = Client::connect(relay.address).await.unwrap();
    let owner = Owner::new(1);
    assert!(matches!(elsewhere.ask(owner.create()).await.unwrap(), Answer::Refused { .. }), "no token");
    assert_eq!(elsewhere.ask(create(&owner, tokens[0])).await.unwrap(), Answer::Done);
    elsewhere.read(&owner).await.unwrap();

    // The same person again has what is left of the week; another one has a share of their own.
    let again = log_in(relay.address).credential().to_owned();
    assert_eq!(fetch(&mut alice, &again, 2).await, Err(Answer::Denied), "four are more than three");
    assert_eq!(fetch(&mut alice, &again, 1).await.unwrap().len(), 1);
    assert_eq!(fetch(&mut alice, &again, 1).await, Err(Answer::Denied), "used up");
    issuer.set_person(json!({ "sub": "bob" }));
    let bobs = log_in(relay.address).credential().to_owned();
    assert_eq!(fetch(&mut alice, &bobs, 3).await.unwrap().len(), 3);

    let metrics = get(relay.metrics, "/metrics", None).body;
    assert!(metrics.contains("sotto_relay_logins_total{outcome=\"done\"} 3"), "{metrics}");
    let (_, log) = relay.terminate();
    let stored = fs::read(dir.path().join("relay.db")).unwrap();
    for name in ["alice", "bob", "code-0", issuer.url(), claims["sub"].as_str().unwrap(), &credential] {
        assert!(!log.contains(name), "{log}");
        assert!(!stored.windows(name.len()).any(|window| window == name.as_bytes()), "{name} is stored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_issuer_must_not_say_admits_nobody() {
    type Lie = fn(&mut Value, &mut Value);
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let mut relay = start(dir.path(), &issuer, &[]);
    let lies: [(&str, Lie); 11] = [
        ("nonce", |_, claims| claims["nonce"] = json!("another")),
        ("issuer", |_, claims| claims["iss"] = json!("https://another.example")),
        ("audience", |_, claims| claims["aud"] = json!("another")),
        ("party", |_, claims| claims["azp"] = json!("another")),
        ("expired", |_, claims| claims["exp"] = json!(claims["iat"].as_u64().unwrap() - 120)),
        ("from tomorrow", |_, claims| claims["iat"] = json!(claims["iat"].as_u64().unwrap() + 86_400)),
        ("from before", |_, claims| claims["iat"] = json!(claims["iat"].as_u64().unwrap() - 3_600)),
        ("nobody", |_, claims| claims["sub"] = Value::Null),
        ("none", |header, _| header["alg"] = json!("none")),
        ("the public key as a secret", |header, _| header["alg"] = json!("HS256")),
        ("an unknown key", |header, _| header["kid"] = json!("unknown")),
    ];
    for (what, lie) in lies {
        issuer.set_lie(lie);
        let page = log_in(relay.address);
        assert_eq!(page.status, 502, "{what}: {page:?}");
        assert!(page.body.contains("cannot be believed") && !page.body.contains("credential\""), "{what}: {page:?}");
    }
    issuer.be_honest();
    assert_eq!(log_in(relay.address).status, 200);
    // Another key under the name of the one that is known.
    issuer.rotate(IssuerKey::rs256("first"));
    assert_eq!(log_in(relay.address).status, 502);

    issuer.set_person(Value::Null);
    let page = log_in(relay.address);
    assert_eq!(page.status, 403);
    assert!(page.body.contains("You were not logged in") && !page.body.contains(ERROR_TEXT), "{page:?}");
    let (_, log) = relay.terminate();
    for kind in ["token: nonce", "token: issuer", "token: audience", "token: time", "token: subject", "token: form"] {
        assert!(log.contains(kind), "{kind}: {log}");
    }
    for kind in ["token: algorithm", "token: unknown key", "token: signature"] {
        assert!(log.contains(kind), "{kind}: {log}");
    }
    assert!(!log.contains("alice") && !log.contains("another"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_for_one_browser_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let relay = start(dir.path(), &issuer, &[]);
    let answer = get(relay.address, "/join", None);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/join; Max-Age=600; HttpOnly; Secure; SameSite=Lax"), "{cookie}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let alice = Visitor::begin(relay.address);
    let back = alice.log_in();
    assert_eq!(alice.come_back(&back).status, 200);
    let over = |page: crate::visitor::Answer| page.status == 400 && page.body.contains(OVER);
    assert!(over(alice.come_back(&back)), "the same once more");

    // Somebody else's browser, none at all, and then hers again.
    let alice = Visitor::begin(relay.address);
    let back = alice.log_in();
    let mallory = Visitor::begin(relay.address);
    assert!(over(mallory.come_back(&back)));
    assert!(over(alice.come_back(&back)), "with that it was over");
    let mut cookieless = Visitor::begin(relay.address);
    cookieless.cookie = "other=1".to_owned();
    assert!(over(cookieless.come_back(&cookieless.log_in())));

    // Her code in his login: PKCE ties it to hers. His challenge was changed on the way: the same.
    let (alice, mallory) = (Visitor::begin(relay.address), Visitor::begin(relay.address));
    let (hers, his) = (alice.log_in(), mallory.log_in());
    let code = |address: &str| address.split(['?', '&']).find(|pair| pair.starts_with("code=")).unwrap().to_owned();
    assert!(over(mallory.come_back(&his.replace(&code(&his), &code(&hers)))));
    let mut changed = Visitor::begin(relay.address);
    changed.sent_to = changed.sent_to.replace("code_challenge=", "code_challenge=A");
    assert!(over(changed.come_back(&changed.log_in())));

    // What leads nowhere, comes twice, or says that another issuer sent it.
    for query in ["", "?code=a", "?state=a", "?state=a&code=b", "?state=%00&code=%ff"] {
        let page = get(relay.address, &format!("/join/callback{query}"), Some(&alice.cookie));
        assert_eq!((page.status, page.body.contains(OVER)), (400, true), "{query}");
    }
    let alice = Visitor::begin(relay.address);
    assert!(over(alice.come_back(&format!("{}&code=b", alice.log_in()))));
    for (named, other) in [("iss=http", "iss=https"), ("&iss=", "&is=")] {
        let alice = Visitor::begin(relay.address);
        assert!(over(alice.come_back(&alice.log_in().replace(named, other))), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_keys_are_fetched_when_a_token_names_one_and_not_too_often() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let relay = start(dir.path(), &issuer, &[]);
    let fetches = || issuer.key_fetches.load(Ordering::Relaxed);
    assert_eq!((log_in(relay.address).status, log_in(relay.address).status, fetches()), (200, 200, 1));
    issuer.rotate(IssuerKey::es256("second"));
    assert_eq!((log_in(relay.address).status, log_in(relay.address).status, fetches()), (200, 200, 2));
    issuer.set_lie(|header, _| header["kid"] = json!("nobody's"));
    for _ in 0..8 {
        assert_eq!(log_in(relay.address).status, 502);
    }
    assert_eq!(fetches(), 4, "three for keys that are not known, then no more for a while");
    issuer.be_honest();
    assert_eq!(log_in(relay.address).status, 200, "those that are known are known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_whom_the_host_lets_in_gets_a_credential() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let policy = [("email_domains", "[\"example.org\"]"), ("claim", "\"groups\""), ("claim_value", "\"friends\"")];
    let relay = start(dir.path(), &issuer, &policy);
    assert!(Visitor::begin(relay.address).sent_to.contains("scope=openid+email"));
    let person = |email: &str, is_verified: bool, groups: Value| {
        issuer.set_person(json!({ "sub": "alice", "email": email, "email_verified": is_verified, "groups": groups }));
        log_in(relay.address)
    };
    assert_eq!(person("alice@example.org", true, json!(["staff", "friends"])).status, 200);
    for (email, is_verified, groups) in [
        ("alice@example.com", true, json!(["friends"])),
        ("alice@example.org", false, json!(["friends"])),
        ("alice@example.org", true, json!(["staff"])),
    ] {
        let page = person(email, is_verified, groups);
        assert_eq!(page.status, 403, "{email}");
        assert!(page.body.contains("may not use this relay") && !page.body.contains("alice"), "{page:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_issuer_is_down_only_logins_wait() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let relay = start(dir.path(), &issuer, &[]);
    let credential = log_in(relay.address).credential().to_owned();
    let alice = Visitor::begin(relay.address);
    let back = alice.log_in();
    issuer.stop().await;
    let page = alice.come_back(&back);
    assert_eq!((page.status, page.header("retry-after")), (503, Some("30")), "{page:?}");
    assert!(page.body.contains("does not answer"), "{page:?}");

    // Who has a credential goes on.
    let mut client = Client::connect(relay.address).await.unwrap();
    let tokens = fetch(&mut client, &credential, 1).await.unwrap();
    assert_eq!(client.ask(create(&Owner::new(1), tokens[0])).await.unwrap(), Answer::Done);

    issuer.resume().await;
    assert_eq!(log_in(relay.address).credential(), credential);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_was_never_there_is_looked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let relay = start(dir.path(), &issuer, &[]);
    issuer.stop().await;
    for _ in 0..2 {
        let page = get(relay.address, "/join", None);
        assert_eq!(page.status, 503, "{page:?}");
        assert!(page.header("set-cookie").is_none() && page.body.contains("href=\"/join\""), "{page:?}");
    }
    issuer.resume().await;
    // It is left alone for a moment.
    while get(relay.address, "/join", None).status != 303 {}
    assert_eq!(log_in(relay.address).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confidential_client_logs_people_in_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root.pem");
    let issuer = Issuer::start_with_tls(&root).await;
    let data = dir.path().join("relay");
    let root = format!("\"{}\"", root.display());
    let keys = [("issuer_root", root.as_str()), ("client_secret_file", "\"secret\"")];
    init(&data, issuer.url(), &keys);
    let secret = data.join("secret");
    let log_in = |text: &str| {
        fs::write(&secret, text).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let relay = RelayProcess::start(&data);
        let mut visitor = Visitor::begin(relay.address);
        let (origin, _) = issuer.url().split_once("/realms").unwrap();
        assert!(visitor.sent_to.starts_with(origin), "{}", visitor.sent_to);
        visitor.sent_to = visitor.sent_to.replace(origin, &format!("http://{}", issuer.address));
        visitor.come_back(&visitor.log_in())
    };
    assert_eq!(log_in(SECRET).status, 200);
    let page = log_in("another");
    assert_eq!(page.status, 502, "{page:?}");
    assert!(!page.body.contains(ERROR_TEXT), "{page:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_and_doctor_say_whether_people_can_log_in() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root.pem");
    let issuer = Issuer::start_with_tls(&root).await;
    let data = dir.path().join("relay");
    fs::write(dir.path().join("secret"), SECRET).unwrap();
    fs::set_permissions(dir.path().join("secret"), fs::Permissions::from_mode(0o644)).unwrap();
    let secret = format!("\"{}\"", dir.path().join("secret").display());
    let run = |name: &str, more: &[(&str, &str)]| {
        let _ = fs::remove_dir_all(&data);
        init(&data, issuer.url(), more);
        let output = output(name, &data);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    // Of its root nobody knows.
    let (code, said) = run("check", &[]);
    assert!(code == 1 && said.contains("issuer         WRONG: no login is possible (unreachable"), "{said}");
    let root = [("issuer_root", format!("\"{}\"", root.display()))];
    let root = root.each_ref().map(|(key, value)| (*key, value.as_str()));
    let (code, said) = run("check", &root);
    assert!(code == 0 && said.contains("issuer         right"), "{said}");
    let (_, said) = run("doctor", &root);
    assert!(said.contains("has 1 keys; the redirect address to enter there is http"), "{said}");
    let other = [root[0], ("issuer", &format!("\"{}/\"", issuer.url()))];
    let (code, said) = run("doctor", &other);
    assert!(code == 1 && said.contains("not the one in relay.toml, letter by letter"), "{said}");
    let (code, said) = run("check", &[root[0], ("client_secret_file", &secret)]);
    assert!(code == 1 && said.contains("can be read by all users"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_keeps_the_cookie_and_shows_the_credential() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let relay = start(dir.path(), &issuer, &[]);
    let mut browser = Browser::start().await;
    browser.open(&format!("http://{}/", relay.address)).await;
    assert_eq!(browser.value("document.querySelector('a[href=\"/join\"]').textContent").await, "log in to get one");
    browser.open(&format!("http://{}/join", relay.address)).await;
    let credential = browser.value("document.getElementById('credential').textContent").await;
    assert_eq!(credential, log_in(relay.address).credential(), "one a week");
    assert_eq!(browser.value("document.cookie").await, "");
    assert_eq!(browser.value("document.scripts.length").await, 0);
    for (width, scheme) in [(1_280, "light"), (1_280, "dark"), (320, "light"), (320, "dark")] {
        browser.look(width, scheme).await;
        assert_eq!(browser.value("document.documentElement.scrollWidth").await, width, "nothing is wider");
        browser.picture(&format!("join-{width}-{scheme}")).await;
    }
    assert_eq!(browser.complaints(), Vec::<&Value>::new());
    issuer.set_person(Value::Null);
    browser.open(&format!("http://{}/join", relay.address)).await;
    assert_eq!(browser.value("document.querySelector('h1').textContent").await, "You were not logged in");
    browser.picture("join-declined").await;
    browser.close().await;
}
