//! The process that unpacks what a remote sends: what it may do, what becomes of bombs, and of the process.
//!
//! **Invariant:** whatever happens to it, the agent goes on, changes nothing, and leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_api::status::{Last, Status};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tests::agent::{Service, until};
use tests::bomb::Bomb;
use tests::nginx::Nginx;
use tests::villain::Villain;
use tests::workshop::Workshop;

use super::app;
use super::hostile::{band, careful, head, packfile, with_pack};

/// What lies where packs arrive.
fn arrivals(shop: &Workshop) -> Vec<String> {
    let folder = shop.state().join("objects.git/arriving/pack");
    let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    names.map(|it| it.to_string_lossy().into_owned()).collect()
}

/// A server whose pack drips.
fn slow() -> Villain {
    with_pack(|it| {
        it.begin();
        it.say(&packfile(&[&band(1, &head(1)), &band(1, b"\xbf\xff\xff\xff\x7f\x78\x01")]));
        it.say(&band(1, b"\x00\xf0\xff\x0f\x00"));
        while it.say(&band(1, b"x")) && it.hold(Duration::from_millis(20)) {}
    })
}

/// The process that unpacks for an agent, once it has confined itself.
fn unpacker(shop: &Workshop, service: &Service<'_>) -> PathBuf {
    let mut found = None;
    until("a process unpacks", || {
        let processes = fs::read_dir("/proc").unwrap().map(|it| it.unwrap().path());
        let parent = service.id().to_string();
        let mut unpackers = processes.filter(|it| of(it, "status", "PPid:") == parent);
        found = unpackers.find(|it| {
            fs::read_to_string(it.join("cmdline")).is_ok_and(|it| it.contains("--unpack"))
        });
        // It writes nothing before it is confined.
        found.is_some() && !arrivals(shop).is_empty()
    });
    found.unwrap()
}

/// What stands behind a word in a file of a process.
fn of(process: &Path, file: &str, word: &str) -> String {
    let text = fs::read_to_string(process.join(file)).unwrap_or_default();
    let line = text.lines().find_map(|it| it.strip_prefix(word));
    line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn id(process: &Path) -> Pid {
    Pid::from_raw(process.file_name().unwrap().to_str().unwrap().parse().unwrap())
}

/// How the first cycle of an agent ended.
fn first(service: &Service<'_>) -> Last {
    let mut last = None;
    until("the first cycle is over", || {
        last = service.tell::<Status>("/v1/status").last;
        last.is_some()
    });
    last.unwrap()
}

fn fetching_from(villain: &Villain, timeout: &str) -> Workshop {
    let shop = careful();
    let more = format!("timeout = \"{timeout}\"\n");
    shop.fetch_from(&format!("\"{}\"", villain.url("/fleet.git")), &more);
    shop
}

#[test]
fn attack_33_what_unpacks_may_do_nothing_else() {
    let villain = slow();
    let shop = fetching_from(&villain, "30s");
    let service = shop.serve();
    let process = unpacker(&shop, &service);
    for (word, limit) in [
        ("Max data size", "536870912 536870912 bytes"),
        ("Max cpu time", "30 30 seconds"),
        ("Max core file size", "0 0 bytes"),
        ("Max processes", "0 0 processes"),
        ("Max open files", "64 64 files"),
        // The pack's bytes, and 128 MiB for its index.
        ("Max file size", "136314880 136314880 bytes"),
    ] {
        assert_eq!(of(&process, "limits", word), limit, "{word}");
    }
    let addresses = of(&process, "limits", "Max address space");
    let most: u64 = addresses.split(' ').next().unwrap().parse().unwrap();
    assert!(most < 2 << 30, "{most} bytes of addresses");
    assert_eq!(of(&process, "status", "NoNewPrivs:"), "1");
    for set in ["CapInh:", "CapPrm:", "CapEff:"] {
        assert_eq!(of(&process, "status", set), "0000000000000000", "{set}");
    }
    if Uid::effective().is_root() {
        for who in ["Uid:", "Gid:"] {
            assert_eq!(of(&process, "status", who), "65534 65534 65534 65534", "{who}");
        }
        assert_eq!(of(&process, "status", "Groups:"), "");
    }
    // Its files are those of the pack, and three pipes: no socket, nothing of the agent's.
    let open = fs::read_dir(process.join("fd")).unwrap();
    for file in open.map(|it| fs::read_link(it.unwrap().path()).unwrap()) {
        let file = file.display().to_string();
        assert!(file.starts_with("pipe:") || file.contains("/arriving/pack/"), "{file}");
    }
    assert_eq!(fs::read_to_string(process.join("environ")).unwrap(), "");
    assert_eq!(service.stop(), Some(0));
    assert!(!process.exists(), "it ends with the agent");
    assert!(arrivals(&shop).is_empty(), "{:?}", arrivals(&shop));
}

#[test]
fn attack_33_a_process_that_is_killed_or_hangs_is_a_fetch_that_failed() {
    let villain = slow();
    for (signal, timeout, code) in
        [(Signal::SIGKILL, "30s", "unpack-died"), (Signal::SIGSTOP, "4s", "fetch-timeout")]
    {
        let shop = fetching_from(&villain, timeout);
        let service = shop.serve();
        let process = unpacker(&shop, &service);
        kill(id(&process), signal).unwrap();
        let last = first(&service);
        assert_eq!((last.outcome, last.code.as_str()), (Outcome::Failed, code), "{last:#?}");
        assert!(!process.exists(), "{signal}: it is still there");
        assert!(arrivals(&shop).is_empty(), "{signal}: {:?}", arrivals(&shop));
        assert!(service.answers());
        // The host goes on: its own repository is followed again.
        assert_eq!(service.stop(), Some(0));
        fs::write(shop.on_host("/etc/app.conf"), "broken").unwrap();
        shop.fetch_from("\"repo\"", "");
        shop.once().ended(Outcome::Committed);
        assert_eq!(app(&shop), "app one\n", "{signal}");
    }
}

#[test]
fn attack_33_an_agent_that_is_killed_leaves_neither_process_nor_pack() {
    let villain = slow();
    let shop = fetching_from(&villain, "30s");
    let service = shop.serve();
    let process = unpacker(&shop, &service);
    // One that still runs may notice that no more comes, and tidy up by itself.
    kill(id(&process), Signal::SIGSTOP).unwrap();
    kill(Pid::from_raw(service.id().try_into().unwrap()), Signal::SIGKILL).unwrap();
    until("it is gone as well", || {
        !process.exists() || of(&process, "status", "State:").starts_with('Z')
    });
    assert!(!arrivals(&shop).is_empty(), "nothing had arrived");
    drop(service);
    shop.fetch_from("\"repo\"", "");
    shop.once().ended(Outcome::Unchanged);
    assert!(arrivals(&shop).is_empty(), "{:?}", arrivals(&shop));
}

/// The most memory that a process ever had, in KiB.
fn peak(service: &Service<'_>) -> u64 {
    let process = PathBuf::from(format!("/proc/{}", service.id()));
    of(&process, "status", "VmHWM:").split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn attack_33_bombs_go_off_where_nobody_is_hurt() {
    let doubled = (0..10).fold(Bomb::default().zeros(1), |it, _| it.twice());
    let deep = (0..10_000_u32).fold(Bomb::default().zeros(1), |it, at| it.another(at as u8));
    for (what, bomb, code) in [
        // What is to be built upon takes more memory than there is.
        ("a huge base", Bomb::default().zeros(900).another(1), "too-large"),
        // 2 GiB out of one MiB, which libgit2 gives up by itself.
        ("a huge result", Bomb::default().zeros(1).repeats(32 << 10), "remote-damaged"),
        ("each twice the one before", doubled, "too-large"),
        // It can be put together, and is of no use.
        ("a deep chain", deep, "remote-damaged"),
        ("a huge blob", Bomb::default().zeros(900), "remote-damaged"),
    ] {
        let body = packfile(&[&band_all(&bomb.pack()), b"0000"]);
        let villain = with_pack(move |it| it.serve(&body));
        let shop = fetching_from(&villain, "50s");
        let service = shop.serve();
        let last = first(&service);
        assert_eq!(
            (last.outcome, last.code.as_str()),
            (Outcome::Failed, code),
            "{what}: {last:#?}"
        );
        let peak = peak(&service);
        assert!(peak < 64 << 10, "{what}: the agent took {peak} KiB");
        assert!(arrivals(&shop).is_empty(), "{what}: {:?}", arrivals(&shop));
        assert!(service.answers(), "{what}");
        assert_eq!(app(&shop), "app one\n", "{what}");
        assert_eq!(service.stop(), Some(0), "{what}");
    }
}

/// A pack on its side band, in packets.
fn band_all(pack: &[u8]) -> Vec<u8> {
    pack.chunks(60_000).flat_map(|it| band(1, it)).collect()
}

#[test]
fn a_poll_that_finds_nothing_new_starts_no_process() {
    let shop = super::prepared();
    let Some(nginx) = Nginx::start(&shop, "") else { return };
    nginx.become_source(&shop, "");
    let started = |outcome: Outcome| {
        let words = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", "started"];
        shop.once_under(&words).ended(outcome);
        let text = fs::read_to_string(shop.folder().join("started")).unwrap();
        (text.matches("execve(").count(), text.matches("--unpack").count())
    };
    assert_eq!(started(Outcome::Committed), (2, 1), "the agent, and who unpacks the first pack");
    assert_eq!(started(Outcome::Unchanged), (1, 0), "the agent alone");
}
