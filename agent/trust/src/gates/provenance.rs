//! SLSA provenance: who built an artifact.
//!
//! **Invariant:** a builder is known by its whole id.

use serde_json::Value;

use super::reading::{Reading, Standing, demand, demand_text, quote};
use super::signed_time::read_field;

/// Reads a provenance.
pub(super) fn read(predicate: &Value, builders: &[String]) -> Result<Reading, Reading> {
    demand_text(predicate, "/buildDefinition/buildType")?;
    demand(predicate, "/buildDefinition/externalParameters")?;
    let builder = demand_text(predicate, "/runDetails/builder/id")?;
    let finished = read_field(predicate, "/runDetails/metadata/finishedOn")?;
    if !builders.iter().any(|it| it == builder) {
        let detail = format!("built by {}, who is not among the builders", quote(builder));
        return Err(Reading::silent(Standing::AnotherMatter, detail));
    }
    Ok(Reading::met(format!("built by {}", quote(builder))).at(finished))
}

#[cfg(test)]
mod tests {
    use bowline_model::digest::Sha256;
    use serde_json::{Value, json};

    use crate::attested::Attested;
    use crate::gates::bench::{Bench, PROVENANCE};
    use crate::manifested::Manifested;

    const GATE: &str = "predicate: \"https://slsa.dev/provenance/v1\", signers: [ci], builders: [\"https://ci.example/b\"]";

    fn naming(artifacts: &[Sha256]) -> Manifested {
        Manifested { hosts: Vec::new(), artifacts: artifacts.to_vec() }
    }

    fn built_by(builder: &str) -> Value {
        json!({"buildDefinition": {"buildType": "t", "externalParameters": {}},
            "runDetails": {"builder": {"id": builder}, "metadata": {"finishedOn": "2026-11-10T00:00:00Z"}}})
    }

    fn about(bench: &Bench, artifact: Sha256, predicate: &Value) -> Attested {
        let mut attested = bench.by_ci(PROVENANCE, predicate);
        let digest = [("sha256".to_owned(), artifact.to_string())];
        attested.statement.subjects[0].digest = digest.into_iter().collect();
        attested.statement.subjects.truncate(1);
        attested.sha256 = artifact;
        attested
    }

    #[test]
    fn every_artifact_needs_a_known_builder() {
        let (one, two) = (Sha256::of(b"1"), Sha256::of(b"2"));
        let mut bench = Bench::new(GATE);
        let good = built_by("https://ci.example/b");
        let [of_one, of_two] = [one, two].map(|it| about(&bench, it, &good));
        let evidence = [of_one.clone(), of_two];
        bench.manifested = Ok(naming(&[one]));
        assert_eq!(bench.said(&evidence[..1]), "met");
        assert_eq!(bench.said(&evidence[1..]), "evidence-missing");
        bench.manifested = Ok(naming(&[one, two]));
        assert_eq!(bench.said(&evidence), "met");
        assert_eq!(bench.said(&evidence[..1]), "evidence-missing");
        assert_eq!(bench.judge(&evidence).evidence.len(), 2);
        for (predicate, said) in [
            (built_by("https://ci.example/b2"), "evidence-missing"),
            (built_by("https://ci.example/"), "evidence-missing"),
            (
                json!({"runDetails": {"builder": {"id": "https://ci.example/b"}}}),
                "evidence-malformed",
            ),
            (
                json!({"buildDefinition": {"buildType": "t", "externalParameters": {}}}),
                "evidence-malformed",
            ),
        ] {
            let evidence = [of_one.clone(), about(&bench, two, &predicate)];
            assert_eq!(bench.said(&evidence), said, "{predicate}");
        }
    }

    #[test]
    fn artifacts_that_nobody_read_are_not_taken_for_none() {
        let mut bench = Bench::new(GATE);
        assert_eq!(bench.said(&[]), "manifests-unreadable");
        assert_eq!(bench.judge(&[]).detail, "nobody read them");
        bench.manifested = Ok(naming(&[]));
        assert_eq!(bench.said(&[]), "met");
    }
}
