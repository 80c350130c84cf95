//! SLSA provenance: who built an artifact.
//!
//! **Invariant:** a builder is known by its whole id.

use bowline_model::policy::predicate::PROVENANCE;
use jiff::Timestamp;
use serde_json::Value;

use super::reading::{Reading, Standing, demand, demand_text, quote};
use super::signed_time::read_field;

/// What witness calls a provenance.
const BY_WITNESS: &str = "https://slsa.dev/provenance/v1.0";

/// Where the fields are.
struct Fields {
    kind: &'static str,
    parameters: &'static str,
    builder: &'static str,
}

/// As SLSA writes them.
const BY_SLSA: Fields = Fields {
    kind: "/buildDefinition/buildType",
    parameters: "/buildDefinition/externalParameters",
    builder: "/runDetails/builder/id",
};

/// As witness writes them: by their names in the schema, and a time as a number.
const IN_SCHEMA: Fields = Fields {
    kind: "/build_definition/build_type",
    parameters: "/build_definition/external_parameters",
    builder: "/run_details/builder/id",
};

/// The kind of statement as which a gate asks for it.
pub(super) fn kind(predicate_type: &str) -> &str {
    if predicate_type == BY_WITNESS { PROVENANCE } else { predicate_type }
}

/// Reads a provenance.
pub(super) fn read(predicate: &Value, builders: &[String]) -> Result<Reading, Reading> {
    let in_schema = predicate.get("build_definition").is_some();
    let fields = if in_schema { IN_SCHEMA } else { BY_SLSA };
    demand_text(predicate, fields.kind)?;
    demand(predicate, fields.parameters)?;
    let builder = demand_text(predicate, fields.builder)?;
    let finished = if in_schema {
        read_number(predicate)?
    } else {
        read_field(predicate, "/runDetails/metadata/finishedOn")?
    };
    if !builders.iter().any(|it| it == builder) {
        let detail = format!("built by {}, who is not among the builders", quote(builder));
        return Err(Reading::silent(Standing::AnotherMatter, detail));
    }
    Ok(Reading::met(format!("built by {}", quote(builder))).at(finished))
}

/// When the build ended, in seconds since 1970.
fn read_number(predicate: &Value) -> Result<Option<Timestamp>, Reading> {
    let Some(time) = predicate.pointer("/run_details/metadata/finished_on") else {
        return Ok(None);
    };
    let seconds = time.get("seconds").and_then(Value::as_i64);
    let time = seconds.and_then(|it| Timestamp::from_second(it).ok());
    time.map(Some).ok_or_else(|| Reading::malformed("run_details.metadata.finished_on is no time"))
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
    fn what_witness_writes_is_a_provenance_in_other_words() {
        let artifact = Sha256::of(b"1");
        let mut bench = Bench::new(GATE);
        bench.manifested = Ok(naming(&[artifact]));
        let written = |builder: &str, finished: Value| {
            json!({"build_definition": {"build_type": "t", "external_parameters": {}},
                "run_details": {"builder": {"id": builder}, "metadata": {"finished_on": finished}}})
        };
        let good = written("https://ci.example/b", json!({"seconds": 1_794_268_800, "nanos": 7}));
        for (kind, predicate, said) in [
            (super::BY_WITNESS, good.clone(), "met"),
            (PROVENANCE, good.clone(), "met"),
            (super::BY_WITNESS, built_by("https://ci.example/b"), "met"),
            ("https://slsa.dev/provenance/v1.1", good, "evidence-missing"),
            (
                super::BY_WITNESS,
                written("https://other", json!({"seconds": 1})),
                "evidence-missing",
            ),
            (
                super::BY_WITNESS,
                written("https://ci.example/b", json!("2026-11-10T00:00:00Z")),
                "evidence-malformed",
            ),
            (
                super::BY_WITNESS,
                json!({"build_definition": {}, "buildDefinition": {"buildType": "t"}}),
                "evidence-malformed",
            ),
        ] {
            let mut attested = about(&bench, artifact, &predicate);
            attested.statement.predicate_type = kind.to_owned();
            assert_eq!(bench.said(&[attested]), said, "{kind} {predicate}");
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
