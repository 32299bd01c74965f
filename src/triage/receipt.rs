//! Answers that are kept for callers who ask again.

use crate::store::{Answer, Claim, StoreError, Transaction};

/// How a use case's answer is kept, in its own transaction, for a caller who may ask again.
pub struct Receipt<'a, T: ?Sized>(Option<(&'a Claim, Render<'a, T>)>);

type Render<'a, T> = &'a (dyn Fn(&T) -> Answer + Send + Sync);

impl<'a, T: ?Sized> Receipt<'a, T> {
    /// For a caller who will not ask again.
    pub fn none() -> Self {
        Self(None)
    }

    /// For a caller who holds a claim: `render` makes the answer from what the use case returns.
    pub fn new(claim: Option<&'a Claim>, render: Render<'a, T>) -> Self {
        Self(claim.map(|claim| (claim, render)))
    }

    /// Stores the answer.
    pub(super) async fn settle(
        &self,
        tx: &mut dyn Transaction,
        outcome: &T,
    ) -> Result<(), StoreError> {
        match &self.0 {
            Some((claim, render)) => {
                let answer = render(outcome);
                tx.settle(claim, &answer).await
            }
            None => Ok(()),
        }
    }
}
