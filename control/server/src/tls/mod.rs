//! TLS that the service ends itself: its certificate, whom it believes of clients, and how both are renewed.
//!
//! **Invariant:** certificates that cannot be used never take the place of those that are in force.
//! **Invariant:** no session is resumed: a client's certificate is verified anew for each connection.

mod certificates;
mod files;
mod renewal;
mod validity;
mod vouching;

pub use certificates::BadCertificates;
pub use files::Files;
pub use renewal::{Certificates, keep_current};

pub(crate) use files::Written;
