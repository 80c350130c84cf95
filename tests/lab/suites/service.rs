//! Suite 1: a bare host becomes one that follows the repository, by the README's own commands.
//!
//! **Invariant:** before the README's commands the host has Debian, an account and a clone, nothing else.

use anyhow::{Result, ensure};
use std::time::Duration;
use tests::patience;

use crate::agent;
use crate::host::Host;
use crate::manual;
use crate::report::Suite;
use crate::world::{Installed, World, copy};

/// The section that is typed.
const SECTION: &str = "On a real host";

/// A first cycle with one file.
const FIRST_CYCLE: Duration = Duration::from_secs(30);

pub(super) fn play(world: &mut World, suite: &mut Suite<'_>) -> Result<()> {
    let mut host = world.make_host(Installed::No)?;
    suite.check("systemd boots as process 1, and every unit starts", || {
        let began = std::time::Instant::now();
        host.start()?;
        host.await_boot()?;
        Ok(((), format!("{:.1} s", began.elapsed().as_secs_f64())))
    })?;
    let played = follow_the_readme(world, suite, &host)
        .and_then(|()| is_a_service(suite, &host))
        .and_then(|()| is_confined(suite, &host))
        .and_then(|()| speaks_to_the_journal(suite, &host));
    world.push_to(host.on_disk("/srv/git/fleet.git"));
    world.hosts.push(host);
    played
}

fn follow_the_readme(world: &World, suite: &mut Suite<'_>, host: &Host) -> Result<()> {
    let tried = host.on_disk("/home/me/try");
    std::fs::create_dir_all(&tried)?;
    for name in ["fleet", "fleet.trust.yaml"] {
        copy(&world.office.join(name), &tried)?;
    }
    host.run("useradd me && chown -R me: /home/me/try")?;
    suite.check("the README's commands for a real host work as they stand", || {
        let blocks = manual::follow(host, "README.md", SECTION)?;
        Ok(((), format!("{blocks} blocks")))
    })?;
    suite.check("the first revision is committed on the host", || {
        let committed =
            patience::until("a generation", FIRST_CYCLE, || Ok(agent::status(host)?.committed))?;
        let text = std::fs::read_to_string(host.on_disk("/srv/hello.txt"))?;
        Ok(((), format!("generation {}, {:?}", committed.generation, text.trim())))
    })
}

fn is_a_service(suite: &mut Suite<'_>, host: &Host) -> Result<()> {
    suite.check("the agent is an active service that tells systemd when it is ready", || {
        let shown = host.run(
            "systemctl show bowline-agent -p Type,ActiveState,SubState,UnitFileState,NRestarts",
        )?;
        for line in ["ActiveState=active", "SubState=running", "UnitFileState=enabled"] {
            ensure!(shown.contains(line), "no {line} in: {shown}");
        }
        ensure!(shown.contains("Type=notify"), "it is of another type: {shown}");
        ensure!(shown.contains("NRestarts=0"), "it was restarted: {shown}");
        Ok(((), shown.trim().replace('\n', " ")))
    })
}

fn is_confined(suite: &mut Suite<'_>, host: &Host) -> Result<()> {
    // A machine without CAP_SYS_RESOURCE lowers nobody's score, systemd's neither.
    let may_lower = host.run("{ echo -900 > /proc/$$/oom_score_adj; } 2>&1 || true")?.is_empty();
    let score = if may_lower { "oom -900" } else { "oom 0" };
    if !may_lower {
        suite.tell("this machine does not let OOMScoreAdjust= be lowered: not looked at");
    }
    suite.check("the unit's options are in force", || {
        let seen = host.run(
            "pid=$(systemctl show bowline-agent -p MainPID --value)\n\
             echo oom $(cat /proc/$pid/oom_score_adj)\n\
             stat -c '%n %a %U' /var/lib/bowline /run/bowline /run/bowline/agent.sock\n\
             systemctl show bowline-agent -p MemoryMax,KillMode,RestartPreventExitStatus",
        )?;
        for line in [
            score,
            "/var/lib/bowline 700 root",
            "/run/bowline 700 root",
            "MemoryMax=1073741824",
            "KillMode=mixed",
        ] {
            ensure!(seen.contains(line), "no {line} in: {seen}");
        }
        Ok(((), String::new()))
    })?;
    let security = host.run("systemd-analyze security --no-pager bowline-agent.service")?;
    suite.tell(security.lines().last().unwrap_or_default());
    Ok(())
}

fn speaks_to_the_journal(suite: &mut Suite<'_>, host: &Host) -> Result<()> {
    suite.check("its journal lines carry fields, and can be asked for by them", || {
        let found = host.run(
            "journalctl --quiet --no-pager -u bowline-agent BOWLINE_OUTCOME=committed \
             -o json --output-fields=MESSAGE,PRIORITY,BOWLINE_REVISION,BOWLINE_OUTCOME",
        )?;
        let line = found.lines().find(|it| it.contains("BOWLINE_REVISION"));
        ensure!(line.is_some(), "no line has outcome and revision: {found}");
        Ok(((), format!("{} lines with BOWLINE_OUTCOME=committed", found.lines().count())))
    })
}
