//! The pipelines that the repository offers for evidence are what they say.
//!
//! **Invariant:** they are YAML, their commands are ones that `bowline` takes, and no job that runs the repository's
//! code has a key.

use std::fs;

use bowline_cli::arguments::Arguments;
use clap::Parser as _;
use serde_yaml::Value;

use crate::files::root;

/// What stands for the key, or leads to it.
const SECRETS: [&str; 3] = ["EVIDENCE_KEY", "EVIDENCE_TOKEN", "secrets."];

/// Programs of the repository itself.
const OWN_CODE: &str = "pytest";

/// Each job of a pipeline by its name, as text of its own.
fn jobs(text: &str) -> Vec<(String, String)> {
    let pipeline: Value = serde_yaml::from_str(text).unwrap();
    let jobs = pipeline.get("jobs").unwrap_or(&pipeline).as_mapping().unwrap();
    let name = |it: &Value| it.as_str().unwrap().to_owned();
    let is_job = |it: &Value| it.get("steps").is_some() || it.get("script").is_some();
    jobs.iter()
        .filter(|(_, job)| is_job(job))
        .map(|(it, job)| (name(it), serde_yaml::to_string(job).unwrap()))
        .collect()
}

#[test]
fn offered_pipelines_keep_the_key_from_the_code_and_their_commands_are_taken() {
    let mut pipelines = 0;
    for entry in fs::read_dir(root().join("packaging/ci")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.display();
        pipelines += 1;
        assert!(text.contains("Never let PR code run where a signing key is"), "{shown}");
        let jobs = jobs(&text);
        let signs = |job: &str| job.contains("bowline attest");
        assert!(jobs.iter().any(|(_, job)| signs(job)), "{shown}: {jobs:?}");
        assert!(jobs.iter().any(|(_, job)| job.contains(OWN_CODE)), "{shown}: {jobs:?}");
        for (name, job) in &jobs {
            let has_secret = SECRETS.iter().any(|it| job.contains(it));
            assert_eq!(has_secret, signs(job), "{shown}: {name}");
            assert!(!(has_secret && job.contains(OWN_CODE)), "{shown}: {name}");
        }
        let lines = text.lines().map(|it| it.trim().trim_start_matches("- "));
        for line in lines.filter(|it| it.starts_with("bowline ")) {
            let words = line.split_whitespace().map(|it| it.trim_matches('"'));
            Arguments::try_parse_from(words).unwrap_or_else(|bad| panic!("{shown}: {line}: {bad}"));
        }
    }
    assert_eq!(pipelines, 3);
}
