//! Programs that end, that do not, and that leave others behind.
//!
//! **Invariant:** no test waits for a time; each waits for an event, and long enough.

use nix::sys::signal::kill;

use super::*;

fn sh(script: &str, timeout: Duration) -> Ran {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned);
    run(&Order {
        argv: &argv,
        timeout,
        account: None,
        bond: Bond::Tied,
        root: Some(Path::new("/srv/r")),
    })
    .unwrap()
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn exit_codes_signals_and_output_are_told() {
    for (script, code, signal, output) in [
        ("echo out; echo err >&2", Some(0), None, "out\nerr\n"),
        ("exit 3", Some(3), None, ""),
        ("kill -9 $$", None, Some(9), ""),
        ("cat", Some(0), None, ""),
        (
            "echo $BOWLINE_ROOT $HOME $LC_ALL $PWD; umask",
            Some(0),
            None,
            "/srv/r / C.UTF-8 /\n0022\n",
        ),
    ] {
        let ran = sh(script, LONG);
        let found = (ran.code, ran.signal, ran.output.as_str(), ran.timed_out);
        assert_eq!(found, (code, signal, output, false), "{script}");
    }
}

#[test]
fn the_environment_of_the_agent_is_not_handed_on() {
    let ran = sh("env", LONG);
    let mut names: Vec<_> = ran.output.lines().filter_map(|line| line.split('=').next()).collect();
    // The shell itself adds these.
    names.retain(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["BOWLINE_ROOT", "HOME", "LC_ALL", "PATH"]);
}

#[test]
fn a_program_out_of_time_is_ended_with_its_children() {
    let began = clock::since_boot();
    let ran = sh("sleep 600 & echo $!; wait", Duration::from_millis(200));
    assert!(ran.timed_out && !ran.succeeded());
    assert!(clock::since_boot().saturating_sub(began) < GRACE + Duration::from_secs(10));
    let child: i32 = ran.output.trim().parse().unwrap();
    // The kernel ends it in its own time; a process that is over has no command line.
    let deadline = clock::since_boot() + LONG;
    while std::fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|it| it.starts_with(b"sleep")) {
        assert!(clock::since_boot() < deadline, "the child still runs");
        std::thread::yield_now();
    }
}

#[test]
fn a_program_that_ignores_the_request_to_end_is_killed() {
    let ran = sh("trap '' TERM; while :; do sleep 1; done", Duration::from_millis(100));
    assert_eq!((ran.timed_out, ran.signal), (true, Some(9)));
}

#[test]
fn the_tail_of_long_output_is_kept() {
    let ran = sh("i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done", LONG);
    assert!(ran.output.len() <= OUTPUT_BYTES_MAX + 4, "{}", ran.output.len());
    assert!(ran.output.starts_with('…') && ran.output.ends_with("line 39999\n"));
}

#[test]
fn a_child_left_behind_does_not_hold_up_the_end() {
    let ran = sh("sleep 600 & echo done $!", LONG);
    assert!(ran.succeeded() && ran.took < Duration::from_secs(10));
    let child = ran.output.trim().strip_prefix("done ").unwrap().parse().unwrap();
    kill(Pid::from_raw(child), Signal::SIGKILL).unwrap();
}

#[test]
fn a_program_that_is_not_there_cannot_be_started() {
    let argv = ["/nowhere/at/all".to_owned()];
    let order = Order { argv: &argv, timeout: LONG, account: None, bond: Bond::Tied, root: None };
    let failure = run(&order).unwrap_err();
    assert_eq!(failure.to_string(), "start /nowhere/at/all");
}
