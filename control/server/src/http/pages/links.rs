//! Where pages lead to.
//!
//! **Invariant:** a link is made of plain characters only, whatever a host calls its things.

use std::fmt::Write as _;

use bowline_api::route;

/// Longest id that stands in a link as it is.
const ID_CHARS_MAX: usize = 100;

/// A host's page. Names of hosts are plain already.
pub(super) fn host(name: &str) -> String {
    // A name that ends as a twin's path does is told apart by one ending more.
    let ending = if has_ending(name) { ".html" } else { "" };
    format!("{}/{name}{ending}", route::HOST_PAGES)
}

/// A host's twin.
pub(super) fn host_twin(name: &str) -> String {
    format!("{}/{name}.json", route::HOST_PAGES)
}

/// A deployment's page; by the record's sequence where the host's id is empty or would not stand in a path
/// as it is.
pub(super) fn deployment(host: &str, id: &str, seq: u64) -> String {
    let is_within = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    let is_plain = id.bytes().all(is_within)
        && id.bytes().next().is_some_and(|it| it.is_ascii_alphanumeric())
        && id.len() <= ID_CHARS_MAX
        && !has_ending(id);
    if is_plain {
        return format!("{}/{host}/{id}", route::DEPLOYMENT_PAGES);
    }
    record(host, seq)
}

/// A deployment's page and its twin.
pub(super) fn deployment_and_twin(host: &str, id: &str, seq: u64) -> (String, String) {
    let page = deployment(host, id, seq);
    let twin = format!("{page}.json");
    (page, twin)
}

/// The page of one record.
pub(super) fn record(host: &str, seq: u64) -> String {
    format!("{}/{host}/@{seq}", route::DEPLOYMENT_PAGES)
}

/// A link to a record of a key that is not the one whose records are taken now: that one has records with
/// the same sequences and ids.
pub(super) fn of_key(link: String, key: Option<&str>) -> String {
    match key {
        Some(key) => with(&link, &[("key", key)]),
        None => link,
    }
}

/// A record that was told otherwise.
pub(super) fn otherwise(host: &str, fault: u64) -> String {
    format!("{}/{host}/faults/{fault}", route::FLEET_HOSTS)
}

/// A host's gaps and forks, from a place on.
pub(super) fn faults(host: &str, after: &str) -> String {
    with(&format!("{}/{host}/faults", route::FLEET_HOSTS), &[("after", after)])
}

/// A record's envelope, as its host wrote it.
pub(super) fn envelope(key: &str, seq: u64) -> String {
    with(route::FLEET_ENVELOPE, &[("key", key), ("seq", &seq.to_string())])
}

fn has_ending(name: &str) -> bool {
    [".json", ".html"].iter().any(|it| name.ends_with(it))
}

/// A path with a query; what is empty is left out.
pub(super) fn with(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut found = path.to_owned();
    for (at, (key, value)) in pairs.iter().filter(|(_, it)| !it.is_empty()).enumerate() {
        found.push(if at == 0 { '?' } else { '&' });
        found.push_str(key);
        found.push('=');
        encode(value, &mut found);
    }
    found
}

fn encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a text in memory does not fail.
            write!(into, "%{byte:02X}").unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_in_a_link_only_when_it_is_plain() {
        let plain = "/deployments/web-1/d000001-c0ffee12";
        assert_eq!(deployment("web-1", "d000001-c0ffee12", 7), plain);
        let long = "d".repeat(101);
        for id in ["", "..", ".", "a/b", "a b", "a\"b", "@7", "a.json", "a.html", "é", &long] {
            assert_eq!(deployment("web-1", id, 7), "/deployments/web-1/@7", "{id}");
        }
        assert_eq!(host("a.json"), "/hosts/a.json.html");
        assert_eq!(host_twin("a.json"), "/hosts/a.json.json");
    }

    #[test]
    fn an_older_key_stands_in_the_link() {
        assert_eq!(of_key(record("a", 1), None), "/deployments/a/@1");
        assert_eq!(
            of_key(record("a", 1), Some("SHA256:b+")),
            "/deployments/a/@1?key=SHA256%3Ab%2B"
        );
    }

    #[test]
    fn a_query_holds_no_special_character() {
        let found = with("/", &[("name", "a&b=<\"é"), ("none", ""), ("after", "web-1")]);
        assert_eq!(found, "/?name=a%26b%3D%3C%22%C3%A9&after=web-1");
        assert_eq!(with("/", &[("a", "")]), "/");
    }
}
