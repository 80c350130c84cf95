//! Asks the host what it is: system, hardware, accounts.
//!
//! **Invariant:** accounts and the system's name are those below the root, where it has them.
//! **Invariant:** a fact that cannot be read is left out; accounts that cannot be read are an error.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::path::Path;

use bowline_model::facts::Facts;
use nix::unistd::{getegid, geteuid, gethostname};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::door::files;
use crate::door::root::Root;
use crate::failure::OsFailure;

/// No account file is larger: a million lines fit.
const ACCOUNTS_BYTES_MAX: u64 = 64 << 20;

/// os-release and files of /proc/sys are some lines.
const SMALL_BYTES_MAX: u64 = 64 << 10;

/// Families by the ids of distributions that os-release names.
const FAMILIES: [(&str, &[&str]); 7] = [
    ("debian", &["debian", "ubuntu", "raspbian", "linuxmint", "devuan"]),
    ("rhel", &["rhel", "fedora", "centos", "rocky", "almalinux", "ol", "amzn"]),
    ("suse", &["suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "sles"]),
    ("arch", &["arch", "archarm", "manjaro"]),
    ("alpine", &["alpine", "postmarketos"]),
    ("gentoo", &["gentoo"]),
    ("nixos", &["nixos"]),
];

/// Reads facts and accounts.
pub fn read(root: &Root) -> Result<Facts, OsFailure> {
    let own = (!geteuid().is_root()).then(|| (geteuid().as_raw(), getegid().as_raw()));
    Ok(Facts {
        values: values(root),
        users: accounts(root, "/etc/passwd")?,
        groups: accounts(root, "/etc/group")?,
        only_owner: own,
        links: root.links().clone(),
        boot: small(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default(),
    })
}

/// Facts by name; those that cannot be read are left out.
fn values(root: &Root) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|it| !it.is_empty()) {
            values.insert(name.to_owned(), value);
        }
    };
    let release = os_release(root);
    let field = |name: &str| release.get(name).cloned();
    put("os.name", field("NAME"));
    put("os.id", field("ID"));
    put("os.version", field("VERSION_ID"));
    let ids =
        format!("{} {}", field("ID").unwrap_or_default(), field("ID_LIKE").unwrap_or_default());
    put("os.family", family(&ids).map(str::to_owned));
    put("kernel.version", small(Path::new("/proc/sys/kernel/osrelease")));
    put("arch", Some(ARCH.to_owned()));
    put("cpu.count", std::thread::available_parallelism().ok().map(|it| it.to_string()));
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let memory = System::new_with_specifics(memory).ok().map(|it| it.total_memory() >> 20);
    put("memory.totalMiB", memory.map(|it| it.to_string()));
    put("hostname", gethostname().ok().and_then(|it| it.into_string().ok()));
    values
}

/// The first family that one of these ids belongs to; the distribution's own comes before its likes.
fn family(ids: &str) -> Option<&'static str> {
    ids.split_whitespace().find_map(|id| {
        FAMILIES.iter().find(|(_, members)| members.contains(&id)).map(|(family, _)| *family)
    })
}

/// The fields of os-release: below the root, else the machine's.
fn os_release(root: &Root) -> BTreeMap<String, String> {
    let below = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| root.read(path, SMALL_BYTES_MAX).ok().flatten());
    // On most systems /etc/os-release is a link, which no path below the root follows.
    let bytes = below.or_else(|| {
        let path = Path::new("/etc/os-release");
        files::read(path, SMALL_BYTES_MAX).ok().flatten()
    });
    let bytes = bytes.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines()
        .filter_map(|line| line.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), unquote(value).to_owned()))
        .collect()
}

fn unquote(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote).and_then(|it: &str| it.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// A small file of the kernel's, without its end of line.
fn small(path: &Path) -> Option<String> {
    let bytes = files::read(path, SMALL_BYTES_MAX).ok()??;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Ids by name: the third field of passwd and group alike.
fn accounts(root: &Root, path: &str) -> Result<BTreeMap<String, u32>, OsFailure> {
    let bytes = match root.read(path, ACCOUNTS_BYTES_MAX)? {
        Some(bytes) => bytes,
        None => files::read(Path::new(path), ACCOUNTS_BYTES_MAX)?.unwrap_or_default(),
    };
    Ok(parse_accounts(&String::from_utf8_lossy(&bytes)))
}

fn parse_accounts(text: &str) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(id)) = (fields.next(), fields.nth(1)) else {
            continue;
        };
        if let Ok(id) = id.parse() {
            // Of two lines with one name the C library takes the first.
            found.entry(name.to_owned()).or_insert(id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn what_the_root_has_counts_before_what_the_machine_has() {
        let scratch = Scratch::new();
        std::fs::create_dir_all(scratch.path().join("etc")).unwrap();
        let put = |name: &str, text: &str| {
            std::fs::write(scratch.path().join("etc").join(name), text).unwrap();
        };
        put(
            "os-release",
            "NAME=\"Some Linux\"\nID=somelinux\nID_LIKE=\"ubuntu debian\"\nVERSION_ID='9'\n",
        );
        put(
            "passwd",
            "root:x:0:0::/root:/bin/sh\nshop:x:1500:1501::/:/bin/false\nshop:x:7:7::/:/\n",
        );
        put("group", "shop:x:1501:\n# no group\n");
        let facts = read(&Root::open(scratch.path()).unwrap()).unwrap();
        for (name, value) in [
            ("os.name", "Some Linux"),
            ("os.id", "somelinux"),
            ("os.version", "9"),
            ("os.family", "debian"),
        ] {
            assert_eq!(facts.values.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(facts.users.get("shop"), Some(&1500));
        assert_eq!(facts.groups.len(), 1);
    }

    #[test]
    fn the_machine_answers_for_an_empty_root() {
        let scratch = Scratch::new();
        let facts = read(&Root::open(scratch.path()).unwrap()).unwrap();
        for name in ["kernel.version", "arch", "cpu.count", "memory.totalMiB", "hostname"] {
            assert!(facts.values.get(name).is_some_and(|it| !it.is_empty()), "{name}");
        }
        assert_eq!(facts.users.get("root"), Some(&0));
        assert_eq!(facts.boot.len(), 36, "{}", facts.boot);
        assert_eq!(facts.only_owner.is_none(), geteuid().is_root());
    }

    #[test]
    fn families_follow_the_distribution_before_its_likes() {
        for (ids, expected) in [
            ("debian ", Some("debian")),
            ("rocky rhel centos fedora", Some("rhel")),
            ("opensuse-leap suse opensuse", Some("suse")),
            ("unheard-of arch", Some("arch")),
            ("unheard-of", None),
        ] {
            assert_eq!(family(ids), expected, "{ids}");
        }
    }
}
