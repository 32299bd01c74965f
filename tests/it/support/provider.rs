//! A provider of identities on a port of its own, which signs whatever a test tells it to. Browsers
//! do not come here: a test says itself who has signed in, and gets the code that they would bring.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{
    CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{JsonWebKeyId, PrivateSigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const CLIENT: &str = "deskhand";
pub(crate) const SECRET: &str = "a secret that is long enough for anything";

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// As it should be.
    Rightly,
    /// By another key of the same name.
    ByAnother,
    /// Rightly, and then one bit of what was signed was changed.
    ThenChanged,
    /// Not at all, and the header says so.
    NotAtAll,
    /// With the secret that the service has too.
    WithTheSecret,
    /// There is no token.
    Missing,
}

/// What the token endpoint answers to a code.
#[derive(Debug, Clone)]
struct Grant {
    challenge: String,
    claims: Value,
    told: Value,
    signed: Signed,
}

struct Shared {
    issuer: String,
    key: Mutex<(String, Arc<CoreEdDsaPrivateSigningKey>)>,
    grants: Mutex<HashMap<String, Grant>>,
    told: Mutex<Value>,
    requests: AtomicUsize,
    babbles: AtomicBool,
}

pub(crate) struct TestProvider(Arc<Shared>);

fn new_key(id: &str) -> (String, Arc<CoreEdDsaPrivateSigningKey>) {
    // PKCS #8 around 32 random bytes.
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    der.extend(seed);
    let encoded = STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n");
    let named = Some(JsonWebKeyId::new(id.to_owned()));
    let key = CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, named).unwrap();
    (id.to_owned(), Arc::new(key))
}

impl TestProvider {
    pub(crate) async fn serve() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            key: Mutex::new(new_key("first")),
            grants: Mutex::default(),
            told: Mutex::new(Value::Null),
            requests: AtomicUsize::default(),
            babbles: AtomicBool::default(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(Arc::clone(&shared));
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self(shared)
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// How often it was asked what it is.
    pub(crate) fn requests(&self) -> usize {
        self.0.requests.load(Ordering::SeqCst)
    }

    /// Signs by another key from now on, under another name.
    pub(crate) fn change_keys(&self) {
        *self.0.key.lock().unwrap() = new_key("second");
    }

    /// Answers at endless length when it is asked what it is.
    pub(crate) fn babble(&self) {
        self.0.babbles.store(true, Ordering::SeqCst);
    }

    /// Somebody signs in who was sent here by this address. Returns what their browser brings back.
    pub(crate) fn approve(&self, sent: &str, claims: &Value, signed: Signed) -> String {
        self.approve_and_tell(sent, claims, &json!({ "sub": claims["sub"] }), signed)
    }

    /// The same where a part is told only when it is asked for.
    pub(crate) fn approve_and_tell(
        &self,
        sent: &str,
        claims: &Value,
        told: &Value,
        signed: Signed,
    ) -> String {
        let asked = parameters(sent.split_once('?').unwrap().1.as_bytes());
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        let mut full = json!({
            "iss": self.0.issuer, "aud": CLIENT, "nonce": asked["nonce"],
            // The tests' clock says 2026-01-02T03:04:05Z at first.
            "iat": 1_767_323_045, "exp": 1_767_323_045 + 300,
        });
        full.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let mut grants = self.0.grants.lock().unwrap();
        let code = format!("code-{}", grants.len());
        let challenge = asked["code_challenge"].clone();
        let grant = Grant { challenge, claims: full, told: told.clone(), signed };
        grants.insert(code.clone(), grant);
        format!("code={code}&state={}", asked["state"])
    }
}

fn parameters(query: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(query).into_owned().collect()
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    if shared.babbles.load(Ordering::SeqCst) {
        return " ".repeat(8 << 20).into_response();
    }
    let issuer = &shared.issuer;
    // It claims to sign in any way at all, which must not be believed.
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/me"),
        "jwks_uri": format!("{issuer}/keys"),
        "end_session_endpoint": format!("{issuer}/end"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    });
    Json(document).into_response()
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let public = shared.key.lock().unwrap().1.as_verification_key();
    Json(serde_json::to_value(CoreJsonWebKeySet::new(vec![public])).unwrap())
}

async fn me(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.told.lock().unwrap().clone())
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let sent = parameters(&body);
    let refused = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why })));
    let secret = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect::<String>();
    let known = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{secret}")));
    if headers.get("authorization").is_none_or(|given| *given != *known) {
        return refused("invalid_client").into_response();
    }
    let grant = shared.grants.lock().unwrap().remove(&sent["code"]);
    let Some(grant) = grant else { return refused("invalid_grant").into_response() };
    let proved = URL_SAFE_NO_PAD.encode(Sha256::digest(&sent["code_verifier"]));
    let back = sent["redirect_uri"].ends_with("/sign-in/provider/callback");
    if proved != grant.challenge || !back {
        return refused("invalid_grant").into_response();
    }
    *shared.told.lock().unwrap() = grant.told.clone();
    let mut answer = json!({ "access_token": "x", "token_type": "Bearer", "expires_in": 300 });
    if grant.signed != Signed::Missing {
        answer["id_token"] = signed(&shared, &grant).into();
    }
    Json(answer).into_response()
}

fn signed(shared: &Shared, grant: &Grant) -> String {
    let (id, key) = shared.key.lock().unwrap().clone();
    let algorithm = match grant.signed {
        Signed::NotAtAll => "none",
        Signed::WithTheSecret => "HS256",
        _ => "EdDSA",
    };
    let mut header = json!({ "alg": algorithm, "typ": "JWT" });
    if algorithm == "EdDSA" {
        header["kid"] = id.clone().into();
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&grant.claims));
    let by = |key: &CoreEdDsaPrivateSigningKey| {
        key.sign(&CoreJwsSigningAlgorithm::EdDsa, text.as_bytes()).unwrap()
    };
    let signature = match grant.signed {
        Signed::NotAtAll | Signed::Missing => Vec::new(),
        Signed::WithTheSecret => CoreHmacKey::new(SECRET)
            .sign(&CoreJwsSigningAlgorithm::HmacSha256, text.as_bytes())
            .unwrap(),
        Signed::ByAnother => by(&new_key(&id).1),
        Signed::Rightly | Signed::ThenChanged => by(&key),
    };
    let mut claims = grant.claims.clone();
    if grant.signed == Signed::ThenChanged {
        claims["groups"] = json!(["ops"]);
    }
    let text = format!("{}.{}", part(&header), part(&claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
