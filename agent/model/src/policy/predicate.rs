//! The kinds of statement that gates ask for, by the names that in-toto, SLSA and cosign gave them.
//!
//! **Invariant:** a name is compared as it stands: another version of a predicate is another predicate.

/// in-toto's test result.
pub const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// in-toto's supply-chain attribute report; carries coverage and counts of findings.
pub const ATTRIBUTE: &str = "https://in-toto.io/attestation/scai/v0.3";
/// in-toto's vulnerability scan.
pub const VULNERABILITIES: &str = "https://in-toto.io/attestation/vulns/v0.2";
/// in-toto's vulnerability scan as it was first written.
pub const VULNERABILITIES_FIRST: &str = "https://in-toto.io/attestation/vulns/v0.1";
/// cosign's vulnerability scan: the scanner's own report inside.
pub const VULNERABILITIES_COSIGN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
/// SLSA's account of how an artifact was built.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// SLSA's summary of what somebody else verified.
pub const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";
/// This project's own change approval.
pub const CHANGE_APPROVAL: &str = "bowline change-approval/v1";
