//! Renders templates at plan time, so that the plan holds what will stand on the host.
//!
//! **Invariant:** a template sees its values and the host's facts, nothing else; an unknown name is an
//! error, never an empty text.
//! **Invariant:** a template that does not end runs out of fuel.

use std::collections::BTreeMap;

use bowline_model::facts::Facts;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};
use thiserror::Error;

/// Instructions one template may take: a configuration file of a megabyte takes fewer.
const FUEL: u64 = 10_000_000;

/// Largest text a template may give.
const RENDERED_BYTES_MAX: usize = 8 << 20;

/// A template could not be rendered.
#[derive(Debug, Error)]
pub enum RenderFailure {
    /// The template itself is at fault.
    #[error("render {name}")]
    Template {
        /// The template, or the value that is one.
        name: String,
        /// What is wrong, with its line.
        #[source]
        source: minijinja::Error,
    },
    /// Its text is too large.
    #[error("{name} renders to more than {RENDERED_BYTES_MAX} bytes")]
    TooLarge {
        /// The template.
        name: String,
    },
}

/// Renders a template. Values that are texts may use facts themselves.
pub fn render(
    name: &str,
    source: &str,
    values: &BTreeMap<String, Json>,
    facts: &Facts,
) -> Result<String, RenderFailure> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .map_err(|source| RenderFailure::Template { name: name.to_owned(), source })?;
    environment.set_syntax(syntax);
    environment.set_fuel(Some(FUEL));
    let facts = Value::from(Serde(nested(facts)));
    let failed = |name: &str| {
        let name = name.to_owned();
        move |source| RenderFailure::Template { name, source }
    };
    let mut context = BTreeMap::from([("facts".to_owned(), facts.clone())]);
    for (key, value) in values {
        let rendered = match value {
            Json::String(text) if text.contains("{{") || text.contains("{%") => {
                let only_facts = BTreeMap::from([("facts", facts.clone())]);
                let text = environment
                    .render_str(text, only_facts)
                    .map_err(failed(&format!("the value {key} of {name}")))?;
                Value::from(text)
            }
            other => Value::from(Serde(other)),
        };
        context.insert(key.clone(), rendered);
    }
    let text = environment.render_named_str(name, source, context).map_err(failed(name))?;
    if text.len() > RENDERED_BYTES_MAX {
        return Err(RenderFailure::TooLarge { name: name.to_owned() });
    }
    Ok(text)
}

/// Facts by their dotted names as nested maps: `os.family` is `facts.os.family`.
fn nested(facts: &Facts) -> Json {
    let mut top = Map::new();
    for (name, value) in &facts.values {
        let value = value.parse::<u64>().map_or_else(|_| Json::from(value.as_str()), Json::from);
        insert(&mut top, name, value);
    }
    Json::Object(top)
}

fn insert(folder: &mut Map<String, Json>, name: &str, value: Json) {
    match name.split_once('.') {
        None => drop(folder.insert(name.to_owned(), value)),
        Some((first, rest)) => {
            let inner = folder.entry(first).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let values = [("cpu.count", "2"), ("os.family", "debian")];
        let values = values.into_iter().map(|(key, it)| (key.to_owned(), it.to_owned())).collect();
        Facts { values, ..Facts::default() }
    }

    #[test]
    fn facts_and_values_fill_a_template() {
        let values = BTreeMap::from([
            ("workers".to_owned(), Json::from("{{ facts.cpu.count * 2 }}")),
            ("name".to_owned(), Json::from("shop")),
        ]);
        let text =
            render("t", "{{ name }}={{ workers }} on {{ facts.os.family }}\n", &values, &facts());
        assert_eq!(text.unwrap(), "shop=4 on debian\n");
    }

    #[test]
    fn bad_templates_are_errors() {
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        for bad in ["{{ nobody }}", "{{ facts.os.nothing }}", "{% if %}", endless] {
            assert!(render("t", bad, &BTreeMap::new(), &facts()).is_err(), "{bad}");
        }
    }
}
