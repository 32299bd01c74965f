//! The code against a token, and what a token says once it has been verified.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, ClaimsVerificationError, EmptyExtraTokenFields,
    IdTokenFields, Nonce, OAuth2TokenResponse, PkceCodeVerifier, SignatureVerificationError,
    StandardErrorResponse, StandardTokenResponse, SubjectIdentifier, TokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::http::causes;
use super::{IdentityError, Provider};

/// How far the provider's clock and ours may be apart.
const SKEW: Duration = Duration::from_mins(1);

/// What a token may be signed with: with the provider's key, never with a secret that we have too,
/// and never not at all.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Claims beyond the standard ones, whatever they are called.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Others(Map<String, Value>);

impl AdditionalClaims for Others {}

type Fields = IdTokenFields<
    Others,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
/// What a code is changed for.
pub(super) type Answer = StandardTokenResponse<Fields, CoreTokenType>;
/// A client that reads every claim; its parameters are which endpoints are known.
pub(super) type Client<A, D, I, R, T, U> = openidconnect::Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    A,
    D,
    I,
    R,
    T,
    U,
>;

/// Why a token is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsound {
    /// Its key is not among those that the provider named.
    #[error("the token's key is not one of the provider's")]
    UnknownKey,
    /// There is none.
    #[error("there is no token that says who signed in")]
    Missing,
    /// It is not for us, not for now, not signed, or not what was asked for.
    #[error("{0}")]
    Claims(String),
}

/// What a verified token says. Signature, issuer, audience, time and nonce must all fit.
pub(super) fn read(
    client: &super::Client,
    answer: &Answer,
    nonce: &Nonce,
    now: Timestamp,
) -> Result<Map<String, Value>, Unsound> {
    let token = answer.id_token().ok_or(Unsound::Missing)?;
    let since_epoch = Duration::try_from(now.as_duration()).unwrap_or_default();
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(SIGNATURES)
        .set_time_fn(move || (SystemTime::UNIX_EPOCH + since_epoch.saturating_sub(SKEW)).into());
    let claims = token.claims(&verifier, nonce).map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey,
        ) => Unsound::UnknownKey,
        error => Unsound::Claims(causes(&error)),
    })?;
    object(claims)
}

fn object(claims: &impl Serialize) -> Result<Map<String, Value>, Unsound> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(claims)) => Ok(claims),
        Ok(_) => Err(Unsound::Missing),
        Err(error) => Err(Unsound::Claims(error.to_string())),
    }
}

impl Provider {
    /// Changes a code for tokens.
    pub(super) async fn exchange(
        &self,
        client: &super::Client,
        code: AuthorizationCode,
        verifier: PkceCodeVerifier,
    ) -> Result<Answer, IdentityError> {
        use openidconnect::RequestTokenError as Failed;
        let request = client.exchange_code(code);
        let request = request.map_err(|e| IdentityError::Unreachable(causes(&e)))?;
        let answer = request.set_pkce_verifier(verifier).request_async(&self.http).await;
        answer.map_err(|error| match error {
            // Its other words may hold anything; the code says what is wrong.
            Failed::ServerResponse(said) => IdentityError::Refused(said.error().to_string()),
            Failed::Request(error) => IdentityError::Unreachable(causes(&error)),
            Failed::Parse(error, _) => IdentityError::Refused(causes(&error)),
            Failed::Other(error) => IdentityError::Refused(error),
        })
    }

    /// Adds what the provider tells when it is asked with somebody's token. What the token itself
    /// says stays.
    pub(super) async fn ask_more(
        &self,
        client: &super::Client,
        answer: &Answer,
        claims: &mut Map<String, Value>,
    ) -> Result<(), IdentityError> {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let subject = SubjectIdentifier::new(subject.to_owned());
        // A provider that has no such page has told everything.
        let Ok(request) = client.user_info(answer.access_token().clone(), Some(subject)) else {
            return Ok(());
        };
        let told: openidconnect::UserInfoClaims<Others, CoreGenderClaim> =
            request.request_async(&self.http).await.map_err(|error| match error {
                openidconnect::UserInfoError::Request(error) => {
                    IdentityError::Unreachable(causes(&error))
                }
                error => IdentityError::Refused(causes(&error)),
            })?;
        for (name, value) in object(&told).map_err(|e| IdentityError::Refused(e.to_string()))? {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }
}
