//! What the agent says to a server.
//!
//! **Invariant:** a poll is one small message: the references that are wanted, by prefix, and no more.

use bowline_model::object_id::ObjectId;

use super::packet::{write, write_delimiter, write_flush};

/// Asks for references that begin so (version 2).
pub(crate) fn ls_refs(prefixes: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Without `object-format` a server takes the client for one of SHA-1, which it is.
    write(&mut bytes, "command=ls-refs");
    write_delimiter(&mut bytes);
    for prefix in prefixes {
        write(&mut bytes, &format!("ref-prefix {prefix}"));
    }
    write_flush(&mut bytes);
    bytes
}

/// Asks for everything below one commit that is not below others (version 2).
pub(crate) fn fetch(want: &ObjectId, haves: &[ObjectId]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, "command=fetch");
    write_delimiter(&mut bytes);
    write(&mut bytes, "ofs-delta\n");
    write(&mut bytes, "no-progress\n");
    write(&mut bytes, &format!("want {want}\n"));
    for have in haves {
        write(&mut bytes, &format!("have {have}\n"));
    }
    // With it the server does not negotiate: one request, one answer.
    write(&mut bytes, "done\n");
    write_flush(&mut bytes);
    bytes
}

/// Asks for the same in version 0, naming what both sides can do.
pub(crate) fn fetch_as_version_0(want: &ObjectId, haves: &[ObjectId], abilities: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, &format!("want {want} {abilities}\n"));
    write_flush(&mut bytes);
    for have in haves {
        write(&mut bytes, &format!("have {have}\n"));
    }
    write(&mut bytes, "done\n");
    bytes
}

/// Says goodbye.
pub(crate) fn goodbye() -> Vec<u8> {
    b"0000".to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_git_expects() {
        let id = |digit: &str| digit.repeat(40).parse().unwrap();
        let asked = ls_refs(&["refs/heads/main"]);
        assert_eq!(
            String::from_utf8(asked).unwrap(),
            "0013command=ls-refs0001001eref-prefix refs/heads/main0000"
        );
        let fetched = String::from_utf8(fetch(&id("a"), &[id("b")])).unwrap();
        let (want, have) = ("a".repeat(40), "b".repeat(40));
        assert_eq!(
            fetched,
            format!(
                "0011command=fetch0001000eofs-delta\n0010no-progress\n0032want {want}\n0032have {have}\n0009done\n0000"
            )
        );
        let old = String::from_utf8(fetch_as_version_0(&id("a"), &[], "side-band-64k")).unwrap();
        assert_eq!(old, format!("0040want {want} side-band-64k\n00000009done\n"));
    }
}
