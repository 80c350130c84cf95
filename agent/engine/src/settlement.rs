//! How a transaction ends, as it is made durable.
//!
//! **Invariant:** what failed is remembered together with what stands.

use std::sync::Arc;

use bowline_model::generation::{Generation, Ledger};

/// An end to make durable.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// The generation that was staged with this deployment stands now.
    Commit {
        /// The deployment.
        deployment: String,
        /// What is remembered of failures.
        ledger: Arc<Ledger>,
    },
    /// A generation that changed nothing on the host stands now.
    Adopt {
        /// It.
        generation: Box<Generation>,
        /// What is remembered of failures.
        ledger: Arc<Ledger>,
    },
    /// A deployment was taken back.
    Revert {
        /// The deployment.
        deployment: String,
        /// What is remembered of failures.
        ledger: Arc<Ledger>,
    },
}
