//! Repositories behind real servers, and behind servers that mean no good.
//!
//! **Invariant:** every way to fetch brings the same revision, and every failure leaves the host as it was.

mod ssh;
