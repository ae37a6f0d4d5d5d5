//! `Session-Token`: what a client has seen, 72 bytes as 144 hexadecimal digits. It comes with
//! every answer; sent back, it lets no later read show less and no later write be booked before.

use super::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response};
use billing_wire::Token;
use billing_wire::codec::Reader;

const HEADER: &str = "session-token";

/// The token that came with a request, if any. Its MAC is not checked yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionToken(pub(super) Option<Token>);

impl<S: Sync> FromRequestParts<S> for SessionToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        match parse(value.as_bytes()) {
            Some(token) => Ok(Self(Some(token))),
            None => Err(Problem::invalid(Token::FIELD, "144 hexadecimal digits expected")),
        }
    }
}

/// 400: the MAC does not match.
pub(super) fn foreign() -> Problem {
    let detail = "no node of this cluster made this token: drop it and start a new session";
    Problem::invalid(Token::FIELD, detail)
}

/// Puts a token on an answer.
pub(super) fn put<B>(response: &mut Response<B>, token: &Token) {
    let mut bytes = Vec::with_capacity(Token::BYTES);
    token.encode(&mut bytes);
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let value = HeaderValue::from_str(&digits).expect("hexadecimal digits are legal in a header");
    response.headers_mut().insert(HEADER, value);
}

fn parse(digits: &[u8]) -> Option<Token> {
    if digits.len() != 2 * Token::BYTES {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| Some((nibble(pair[0])? << 4 | nibble(pair[1])?) as u8);
    let bytes: Vec<u8> = digits.chunks_exact(2).map(byte).collect::<Option<_>>()?;
    Token::decode(&mut Reader::new("session token", &bytes)).ok()
}
