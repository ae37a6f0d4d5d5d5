//! Clients that mix clusters up: a write comes with a token that no node of this cluster made. It
//! must be refused, and its client sends it again with its own.

use billing_wire::{OpId, Token};

/// The token that the first sending of a write comes with: the session's, or, of so many in a
/// million, one of another cluster.
pub(super) fn first_shown(op_id: OpId, ppm: u32, own: Option<Token>) -> Option<Token> {
    if is_due(op_id, ppm) { own.map(forged) } else { own }
}

/// No stream is drawn from, so that a plan which leaves operations out changes nothing of the
/// others.
fn is_due(op_id: OpId, ppm: u32) -> bool {
    let mixed = (op_id.0 as u64).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32;
    mixed % 1_000_000 < u64::from(ppm)
}

/// What another cluster would have made of a token: the same, under another secret.
fn forged(token: Token) -> Token {
    Token { mac: token.mac.map(|byte| !byte), ..token }
}

#[cfg(test)]
mod tests {
    use super::{first_shown, forged, is_due};
    use billing_wire::{Frontier, Hlc, OpId, Token};

    #[test]
    fn no_node_of_the_cluster_made_it() {
        let token = Token::sign(&[7; 32], Frontier::default(), Hlc::ZERO, Hlc::from_ms(9));
        assert!(token.verify(&[7; 32]) && !forged(token).verify(&[7; 32]));
    }

    #[test]
    fn it_is_due_as_often_as_the_scenario_says() {
        let op = |n: u128| OpId(n.wrapping_mul(0x0123_4567_89ab_cdef_1357));
        let due = (0..100_000).filter(|n| is_due(op(*n), 20_000)).count();
        assert!((1_900..2_100).contains(&due), "{due}");
        assert!(!(0..100_000).any(|n| is_due(op(n), 0)));
        let own = Some(Token::default());
        assert_eq!(first_shown(op(1), 0, own), own);
        assert_eq!(first_shown(op(1), 1_000_000, own), own.map(forged));
        assert_eq!(first_shown(op(1), 1_000_000, None), None);
    }
}
