//! JSON Schema of the manifest language, made from the types, so that editors complete and check.
//!
//! **Invariant:** what the schema allows and what the reader accepts come from the same types.

use schemars::{JsonSchema as _, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::manifest::Kind;
use crate::manifest::artifact::ArtifactFields;
use crate::manifest::command::CommandFields;
use crate::manifest::directory::DirectoryFields;
use crate::manifest::file::FileFields;
use crate::manifest::host::HostSpec;
use crate::manifest::metadata::Envelope;
use crate::manifest::probe::ProbeFields;
use crate::manifest::repository::RepositorySpec;
use crate::manifest::symlink::SymlinkSpec;
use crate::manifest::template::TemplateSpec;
use crate::manifest::unit::UnitFields;

/// The dialect; what editors' YAML servers read.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of one kind, or of all. `None`: there is no such kind.
pub fn of(kind: Option<&str>) -> Option<Value> {
    let mut generator = SchemaGenerator::default();
    let mut schema = if let Some(name) = kind {
        object(Kind::named(name)?, &mut generator)
    } else {
        let mut whole = Map::new();
        whole.insert("type".to_owned(), "object".into());
        whole.insert("required".to_owned(), json!(["apiVersion", "kind"]));
        whole.insert("properties".to_owned(), json!({"kind": {"enum": Kind::ALL.map(Kind::name)}}));
        // One branch a kind: an editor then completes by the kind that is written.
        let kinds: Vec<_> = Kind::ALL.iter().map(|it| chosen(*it, &mut generator)).collect();
        whole.insert("allOf".to_owned(), kinds.into());
        whole
    };
    schema.insert("$schema".to_owned(), DIALECT.into());
    let title = kind.map_or("A Bowline manifest".to_owned(), |it| format!("Bowline: kind {it}"));
    schema.insert("title".to_owned(), title.into());
    schema.insert("$defs".to_owned(), generator.take_definitions(true).into());
    Some(schema.into())
}

fn chosen(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    let is_kind = json!({"properties": {"kind": {"const": kind.name()}}, "required": ["kind"]});
    json!({"if": is_kind, "then": object(kind, generator)})
}

/// Envelope and spec of one kind.
fn object(kind: Kind, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut object: Map<String, Value> = match Envelope::json_schema(generator).to_value() {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    object.remove("title");
    object.insert("description".to_owned(), describe(kind).into());
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("kind".to_owned(), json!({"const": kind.name()}));
        properties.insert("spec".to_owned(), spec(kind, generator).to_value());
        if !kind.is_resource() {
            for field in ["target", "dependsOn", "notify", "policy"] {
                properties.remove(field);
            }
        }
    }
    if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
        required.push("spec".into());
    }
    object
}

fn spec(kind: Kind, generator: &mut SchemaGenerator) -> Schema {
    match kind {
        Kind::Artifact => generator.subschema_for::<ArtifactFields>(),
        Kind::Command => generator.subschema_for::<CommandFields>(),
        Kind::Directory => generator.subschema_for::<DirectoryFields>(),
        Kind::File => generator.subschema_for::<FileFields>(),
        Kind::Host => generator.subschema_for::<HostSpec>(),
        Kind::Probe => generator.subschema_for::<ProbeFields>(),
        Kind::Repository => generator.subschema_for::<RepositorySpec>(),
        Kind::Symlink => generator.subschema_for::<SymlinkSpec>(),
        Kind::Template => generator.subschema_for::<TemplateSpec>(),
        Kind::Unit => generator.subschema_for::<UnitFields>(),
    }
}

fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Artifact => {
            "A release: fetched by its digest, unpacked into a folder of its own, linked to."
        }
        Kind::Command => "A program that is run when its guard says so.",
        Kind::Directory => "A directory, or with source a whole tree of the repository.",
        Kind::File => "A file with content that stands in the repository.",
        Kind::Host => "A host that may take part, approved by merge.",
        Kind::Probe => "A check that a change works.",
        Kind::Repository => "What holds for the whole repository.",
        Kind::Symlink => "A link to another path.",
        Kind::Template => "A file rendered from a template of the repository.",
        Kind::Unit => "A unit of the service manager: its files, and whether it runs.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_closed_schema_with_described_fields() {
        for kind in Kind::ALL {
            let schema = of(Some(kind.name())).unwrap();
            assert_eq!(schema["additionalProperties"], false, "{kind}");
            assert_eq!(schema["properties"]["kind"]["const"], kind.name());
            let name = schema["properties"]["spec"]["$ref"].as_str().unwrap();
            let spec = schema.pointer(name.trim_start_matches('#')).unwrap();
            assert_eq!(spec["additionalProperties"], false, "{kind}: {spec}");
            for (field, about) in spec["properties"].as_object().unwrap() {
                assert!(about["description"].is_string(), "{kind}.{field} is not described");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(at: &Value, whole: &Value) {
            match at {
                Value::Object(map) => {
                    if let Some(to) = map.get("$ref").and_then(Value::as_str) {
                        assert!(whole.pointer(to.trim_start_matches('#')).is_some(), "{to}");
                    }
                    map.values().for_each(|it| check(it, whole));
                }
                Value::Array(items) => items.iter().for_each(|it| check(it, whole)),
                _ => {}
            }
        }
        let whole = of(None).unwrap();
        check(&whole, &whole);
        assert_eq!(whole["allOf"].as_array().unwrap().len(), Kind::ALL.len());
    }

    #[test]
    fn a_stranger_has_no_schema() {
        assert!(of(Some("Package")).is_none());
        assert!(of(Some("file")).is_none());
    }

    #[test]
    fn required_fields_and_defaults_are_told() {
        let schema = of(Some("File")).unwrap();
        let spec = &schema["$defs"]["FileFields"];
        assert_eq!(spec["required"], json!(["path"]));
        assert_eq!(spec["properties"]["mode"]["default"], "0644");
        assert_eq!(schema["required"], json!(["apiVersion", "kind", "metadata", "spec"]));
    }
}
