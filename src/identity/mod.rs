//! A provider that says who somebody is, by OpenID Connect: the authorization code flow with PKCE,
//! a state and a nonce.
//!
//! Nothing is asked of it before somebody signs in, so a provider that is down keeps nothing else
//! from working. What it says of itself (discovery, with its keys) is kept for a minute, and asked
//! for again where a token is signed by a key that is not among them. Requests are bounded in time
//! and size, and follow no redirects.

mod claims;
mod http;
mod tokens;

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{CoreAuthenticationFlow, CoreClientAuthMethod};
use openidconnect::url::Url;
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, LogoutRequest, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, Scope,
};

use crate::domain::{Clock, Entropy};
use http::Http;

pub use claims::{Person, Roles};

/// For how long it is believed what a provider says of itself.
const FRESH: SignedDuration = SignedDuration::from_mins(1);
/// Where a provider sends people back to, below the console's own address.
pub const CALLBACK: &str = "/sign-in/provider/callback";

/// Why a provider let nobody in.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It cannot be reached, or what it answers is not OpenID Connect.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// It answered, and what it said does not hold.
    #[error("the provider's answer does not hold: {0}")]
    Refused(String),
    /// The settings make no client, or the machine gave no randomness.
    #[error("{0}")]
    Setup(String),
}

/// How a provider is spoken to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What people know it by.
    pub name: String,
    /// Its address; `/.well-known/openid-configuration` stands below it.
    pub issuer: String,
    /// What it knows this service by.
    pub client_id: String,
    /// What proves that it is this service; none for a public client.
    pub client_secret: Option<String>,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// The address that browsers know the console by.
    pub public_url: String,
    /// What somebody may do, by what the provider says of them.
    pub roles: Roles,
}

/// A sign-in that has begun: what to remember until the browser comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Where the browser goes now.
    pub url: String,
    /// What it must bring back.
    pub state: String,
    /// What the token must name.
    pub nonce: String,
    /// What proves that the same service asks.
    pub verifier: String,
}

/// What comes back with the browser.
#[derive(Debug, Clone, Copy)]
pub struct Returned<'a> {
    /// The authorization code.
    pub code: &'a str,
    /// Who says that they sent it (RFC 9207), where they do.
    pub issuer: Option<&'a str>,
    /// As it was remembered.
    pub nonce: &'a str,
    /// As it was remembered.
    pub verifier: &'a str,
}

type Metadata = ProviderMetadataWithLogout;
type Client = tokens::Client<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider.
pub struct Provider {
    settings: Settings,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    http: Http,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    known: Mutex<Option<(Timestamp, Arc<Metadata>)>>,
}

impl Provider {
    /// A provider, of which nothing is asked yet.
    ///
    /// # Errors
    /// An address is none.
    pub fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, IdentityError> {
        let setup = |e: &dyn std::fmt::Display| IdentityError::Setup(e.to_string());
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|e| setup(&e))?;
        let back = format!("{}{CALLBACK}", settings.public_url.trim_end_matches('/'));
        let redirect = RedirectUrl::new(back).map_err(|e| setup(&e))?;
        let (http, known) = (Http::new()?, Mutex::default());
        Ok(Self { settings, issuer, redirect, http, clock, entropy, known })
    }

    /// What people know it by.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// The provider cannot be reached, or the machine gave no randomness.
    pub async fn begin(&self) -> Result<Begun, IdentityError> {
        let client = self.client(&*self.metadata(FRESH).await?);
        let (state, nonce, verifier) = (self.random()?, self.random()?, self.random()?);
        let challenge = PkceCodeVerifier::new(verifier.clone());
        let (given_state, given_nonce) = (state.clone(), nonce.clone());
        let (url, ..) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(given_state),
                move || Nonce::new(given_nonce),
            )
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&challenge))
            .url();
        Ok(Begun { url: url.into(), state, nonce, verifier })
    }

    /// Who came back. Their tokens are read once and kept nowhere.
    ///
    /// # Errors
    /// The provider cannot be reached, refuses the code, or says what does not hold.
    pub async fn finish(&self, returned: Returned<'_>) -> Result<Person, IdentityError> {
        if returned.issuer.is_some_and(|issuer| issuer != self.settings.issuer) {
            return Err(IdentityError::Refused("another provider sent the answer".to_owned()));
        }
        let metadata = self.metadata(FRESH).await?;
        let code = AuthorizationCode::new(returned.code.to_owned());
        let verifier = PkceCodeVerifier::new(returned.verifier.to_owned());
        let client = self.client(&metadata);
        let answer = self.exchange(&client, code, verifier).await?;
        let nonce = Nonce::new(returned.nonce.to_owned());
        let now = self.clock.now();
        let read = match tokens::read(&client, &answer, &nonce, now) {
            // The provider has changed its keys since it was last asked.
            Err(tokens::Unsound::UnknownKey) => {
                let client = self.client(&*self.metadata(SignedDuration::ZERO).await?);
                tokens::read(&client, &answer, &nonce, now)
            }
            read => read,
        };
        let mut claims = read.map_err(|e| IdentityError::Refused(e.to_string()))?;
        // Many providers put little into a token, and tell the rest when they are asked.
        if !self.settings.roles.are_told(&claims) || !claims::are_named(&claims) {
            self.ask_more(&client, &answer, &mut claims).await?;
        }
        claims::person(&self.settings.issuer, &self.settings.roles, &claims)
            .ok_or_else(|| IdentityError::Refused("it names nobody".to_owned()))
    }

    /// Where somebody who has signed out here can sign out there, if the provider says so and was
    /// asked before.
    pub fn sign_out_url(&self) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let end = known?.1.additional_metadata().end_session_endpoint.clone()?;
        let back = self.settings.public_url.trim_end_matches('/');
        let mut request =
            LogoutRequest::from(end).set_client_id(ClientId::new(self.settings.client_id.clone()));
        if let Ok(back) = PostLogoutRedirectUrl::new(format!("{back}/sign-in")) {
            request = request.set_post_logout_redirect_uri(back);
        }
        let url: Url = request.http_get_url();
        Some(url.into())
    }

    fn client(&self, metadata: &Metadata) -> Client {
        let settings = &self.settings;
        let id = ClientId::new(settings.client_id.clone());
        let secret = settings.client_secret.clone().map(ClientSecret::new);
        let client = tokens::Client::from_provider_metadata(metadata.clone(), id, secret);
        let client = client.set_redirect_uri(self.redirect.clone());
        // The secret goes into a header, as every provider must allow, unless this one says no.
        let ways = metadata.token_endpoint_auth_methods_supported();
        let allows = |way| ways.is_none_or(|ways| ways.contains(&way));
        let in_body = !allows(CoreClientAuthMethod::ClientSecretBasic)
            && allows(CoreClientAuthMethod::ClientSecretPost);
        client.set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth })
    }

    /// What the provider says of itself, no older than this.
    async fn metadata(&self, age: SignedDuration) -> Result<Arc<Metadata>, IdentityError> {
        let now = self.clock.now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, metadata)) = known
            && at <= now
            && now.duration_since(at) < age
        {
            return Ok(metadata);
        }
        let found = Metadata::discover_async(self.issuer.clone(), &self.http).await;
        let found = found.map_err(|e| IdentityError::Unreachable(http::causes(&e)))?;
        let found = Arc::new(found);
        let kept = Some((now, Arc::clone(&found)));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(found)
    }

    fn random(&self) -> Result<String, IdentityError> {
        let mut bytes = [0; 32];
        self.entropy.fill(&mut bytes).map_err(|e| IdentityError::Setup(e.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}
