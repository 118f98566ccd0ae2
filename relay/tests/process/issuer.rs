//! An OpenID issuer of our own on loopback: discovery, a login that needs no hands, codes exchanged after PKCE was checked for
//! real, a key set that rotates. It can be told to lie.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use form_urlencoded::{Serializer, parse};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    authority::{TlsListener, root},
    issuer_key::IssuerKey,
};

/// What the issuer calls the relay, and what the relay shows it.
pub(crate) const CLIENT: &str = "a relay";
pub(crate) const SECRET: &str = "hidden:&%";
/// What an issuer says where it says something in words; no browser may be shown it.
pub(crate) const ERROR_TEXT: &str = "<script>alert(1)</script>";

/// Changes the header and the claims of what is issued.
type Lie = Box<dyn Fn(&mut Value, &mut Value) + Send>;

/// The issuer.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    url: String,
    server: Mutex<Option<JoinHandle<()>>>,
    /// The first one signs.
    keys: Mutex<Vec<IssuerKey>>,
    /// What is told of whoever logs in; null: they cancel.
    person: Mutex<Value>,
    lie: Mutex<Option<Lie>>,
    granted: Mutex<HashMap<String, Granted>>,
    codes: AtomicU64,
    pub(crate) key_fetches: AtomicU64,
    has_secret: bool,
}

/// What stands behind a code.
struct Granted {
    challenge: String,
    nonce: String,
    redirect: String,
    person: Value,
}

type Pairs = HashMap<String, String>;

impl Issuer {
    /// Serves plain HTTP until the test ends.
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let issuer = Self::new(address, format!("http://{address}"), false);
        issuer.serve(listener);
        issuer
    }

    /// Serves TLS to the relay, under a root of its own that is written to a file, and asks for the client's secret. Browsers
    /// find it at `address`, without TLS.
    pub(crate) async fn start_with_tls(root_file: &Path) -> Arc<Self> {
        let (root, signer) = root();
        std::fs::write(root_file, root.pem()).unwrap();
        let [plain, listener] = [TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await];
        let (plain, listener) = (plain.unwrap(), listener.unwrap());
        let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let issuer = Self::new(plain.local_addr().unwrap(), origin, true);
        issuer.serve(plain);
        let (listener, router) = (TlsListener::new(listener, &signer), router(&issuer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    fn new(address: SocketAddr, origin: String, has_secret: bool) -> Arc<Self> {
        Arc::new(Self {
            address,
            url: format!("{origin}/realms/friends"),
            server: Mutex::default(),
            keys: Mutex::new(vec![IssuerKey::rs256("first")]),
            person: Mutex::new(json!({ "sub": "alice" })),
            lie: Mutex::default(),
            granted: Mutex::default(),
            codes: AtomicU64::new(0),
            key_fetches: AtomicU64::new(0),
            has_secret,
        })
    }

    fn serve(self: &Arc<Self>, listener: TcpListener) {
        let router = router(self);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        *self.server.lock().unwrap() = Some(server);
    }

    /// Closes its port.
    pub(crate) async fn stop(&self) {
        let server = self.server.lock().unwrap().take().unwrap();
        server.abort();
        let _ = server.await;
    }

    /// Opens it again.
    pub(crate) async fn resume(self: &Arc<Self>) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    /// As it calls itself.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Says who logs in from now on.
    pub(crate) fn set_person(&self, claims: Value) {
        *self.person.lock().unwrap() = claims;
    }

    /// Lies from now on.
    pub(crate) fn set_lie(&self, lie: impl Fn(&mut Value, &mut Value) + Send + 'static) {
        *self.lie.lock().unwrap() = Some(Box::new(lie));
    }

    pub(crate) fn be_honest(&self) {
        *self.lie.lock().unwrap() = None;
    }

    /// Signs with this key from now on, and shows no other.
    pub(crate) fn rotate(&self, key: IssuerKey) {
        *self.keys.lock().unwrap() = vec![key];
    }

    fn token(&self, granted: &Granted) -> String {
        let keys = self.keys.lock().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut header = json!({ "alg": keys[0].algorithm(), "typ": "JWT", "kid": keys[0].id });
        let mut claims = json!({ "iss": self.url, "aud": CLIENT, "azp": CLIENT, "iat": now, "exp": now + 300 });
        claims["nonce"] = granted.nonce.clone().into();
        claims.as_object_mut().unwrap().extend(granted.person.as_object().unwrap().clone());
        if let Some(lie) = &*self.lie.lock().unwrap() {
            lie(&mut header, &mut claims);
        }
        keys[0].token(&header, &claims)
    }

    /// Whether a request for a token comes from the relay.
    fn knows(&self, headers: &HeaderMap, form: &Pairs) -> bool {
        let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        match authorization {
            Some(value) => {
                let pair = value.strip_prefix("Basic ").and_then(|value| BASE64.decode(value.as_bytes()).ok());
                pair.is_some_and(|pair| pair == b"a+relay:hidden%3A%26%25") && !form.contains_key("client_id")
            }
            None => !self.has_secret && form.get("client_id").is_some_and(|id| id == CLIENT),
        }
    }
}

fn router(issuer: &Arc<Issuer>) -> Router {
    Router::new()
        .route("/realms/friends/.well-known/openid-configuration", get(discovery))
        .route("/realms/friends/login", get(login))
        .route("/realms/friends/token", post(token))
        .route("/realms/friends/keys", get(keys))
        .with_state(Arc::clone(issuer))
}

type House = State<Arc<Issuer>>;
type Json = ([(HeaderName, &'static str); 1], String);

fn as_json(value: &Value) -> Json {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
}

async fn discovery(State(issuer): House) -> Json {
    let [login, token, keys] = ["login?realm=friends", "token", "keys"].map(|path| format!("{}/{path}", issuer.url));
    as_json(&json!({
        "issuer": issuer.url,
        "authorization_endpoint": login,
        "token_endpoint": token,
        "jwks_uri": keys,
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

fn pairs(text: &str) -> Pairs {
    parse(text.as_bytes()).into_owned().collect()
}

/// Whoever comes is logged in, or cancels.
async fn login(State(issuer): House, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(&query.unwrap());
    assert_eq!((asked["realm"].as_str(), asked["client_id"].as_str()), ("friends", CLIENT));
    assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
    assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
    let redirect = asked["redirect_uri"].clone();
    assert!(redirect.ends_with("/join/callback"), "it is registered");
    let mut query = Serializer::new(String::new());
    query.append_pair("state", &asked["state"]).append_pair("iss", &issuer.url);
    let person = issuer.person.lock().unwrap().clone();
    if person.is_null() {
        query.append_pair("error", "access_denied").append_pair("error_description", ERROR_TEXT);
    } else {
        let code = format!("code-{}", issuer.codes.fetch_add(1, Ordering::Relaxed));
        let [challenge, nonce] = ["code_challenge", "nonce"].map(|name| asked[name].clone());
        let granted = Granted { challenge, nonce, redirect: redirect.clone(), person };
        query.append_pair("code", &code);
        issuer.granted.lock().unwrap().insert(code, granted);
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, format!("{redirect}?{}", query.finish()))]).into_response()
}

fn refused(error: &str) -> Response {
    let body = json!({ "error": error, "error_description": ERROR_TEXT });
    (StatusCode::BAD_REQUEST, as_json(&body)).into_response()
}

/// A code for a token, once, for the client that asked, with the verifier of its challenge.
async fn token(State(issuer): House, headers: HeaderMap, body: String) -> Response {
    let form = pairs(&body);
    if !issuer.knows(&headers, &form) {
        return refused("invalid_client");
    }
    let granted = issuer.granted.lock().unwrap().remove(&form["code"]);
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(&form["code_verifier"]));
    match granted {
        Some(granted) if granted.challenge == challenge && granted.redirect == form["redirect_uri"] => {
            let answer = json!({ "access_token": "a", "token_type": "Bearer", "id_token": issuer.token(&granted) });
            as_json(&answer).into_response()
        }
        Some(_) | None => refused("invalid_grant"),
    }
}

async fn keys(State(issuer): House) -> Json {
    issuer.key_fetches.fetch_add(1, Ordering::Relaxed);
    let keys: Vec<Value> = issuer.keys.lock().unwrap().iter().map(IssuerKey::jwk).collect();
    as_json(&json!({ "keys": keys }))
}
