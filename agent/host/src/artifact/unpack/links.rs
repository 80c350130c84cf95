//! Follows the links of an archive, as the kernel would once they stand.
//!
//! **Invariant:** a link that leads out of the release is found whatever other links it goes through.

use std::collections::BTreeMap;

use bowline_model::release::Body;

use super::Found;
use crate::artifact::bad_archive::BadArchive;

/// Links in links: what the kernel follows.
const HOPS_MAX: usize = 40;

/// Refuses a link that leads out, or nowhere at all.
pub(super) fn check(
    members: &BTreeMap<String, Found>,
    path: &str,
    target: &str,
) -> Result<(), BadArchive> {
    let refuse = |why: &str| Err(BadArchive::link(path.as_bytes(), why));
    if target.is_empty() || target.chars().any(char::is_control) || target.len() > 4_095 {
        return refuse("says what no link says");
    }
    let mut place: Vec<&str> = path.split('/').collect();
    place.pop();
    let mut way: Vec<&str> = Vec::new();
    let mut hops = 0;
    let mut said = target;
    loop {
        if said.starts_with('/') {
            return refuse("leads out of the release, to an absolute path");
        }
        hops += 1;
        if hops > HOPS_MAX {
            return refuse("leads in a circle");
        }
        way.extend(said.rsplit('/'));
        said = loop {
            match way.pop() {
                None => return Ok(()),
                Some("" | ".") => {}
                Some("..") if place.pop().is_none() => return refuse("leads out of the release"),
                Some("..") => {}
                Some(name) => {
                    place.push(name);
                    if let Some(Body::Link { target }) =
                        members.get(&place.join("/")).map(|it| &it.body)
                    {
                        place.pop();
                        break target;
                    }
                }
            }
        };
    }
}
