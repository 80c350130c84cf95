//! Completions and man pages, read by those they are for: a shell and a typesetter.

use std::process::Command;

use crate::sealed::Sealed;

#[test]
fn bash_reads_the_completions_and_completes_a_verb() {
    let sealed = Sealed::new();
    let said = sealed.bowline(&["completions", "bash"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    sealed.write("bowline.bash", &said.stdout);
    sealed.run(".", "bash", &["-n", "bowline.bash"]);
    let script = ". ./bowline.bash; COMP_WORDS=(bowline re); COMP_CWORD=1; _bowline bowline re bowline; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let verbs = sealed.run(".", "bash", &["-c", script]);
    assert_eq!(verbs, "resume\nrevert\nretry\n");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let said = sealed.bowline(&["completions", shell]);
        assert!(said.code == 0 && said.stdout.contains("dry-run"), "{shell}: {said:?}");
    }
    assert_eq!(sealed.bowline(&["completions", "tcsh"]).code, 2);
}

/// Whether the typesetter is here. In CI it must be; elsewhere its absence is told.
fn has_groff() -> bool {
    let here = Command::new("groff").arg("--version").output().is_ok_and(|it| it.status.success());
    assert!(here || std::env::var_os("BOWLINE_CI").is_none(), "groff is missing");
    if !here {
        println!("needs groff: apt-get install groff-base");
    }
    here
}

#[test]
fn every_manual_is_set_without_a_complaint() {
    let sealed = Sealed::new();
    let written = sealed.run(".", env!("CARGO_BIN_EXE_manuals"), &["out"]);
    let pages: Vec<&str> = written.lines().filter(|it| it.ends_with(".1")).collect();
    for page in ["bowline.1", "bowline-revert.1", "bowline-agent.1", "bowline-control.1"] {
        assert!(pages.iter().any(|it| it.ends_with(&format!("/{page}"))), "{page}: {written}");
    }
    for file in written.lines().filter(|it| it.ends_with(".bash")) {
        sealed.run(".", "bash", &["-n", file]);
    }
    if !has_groff() {
        return;
    }
    for page in &pages {
        let script = format!("groff -Kutf8 -man -Tutf8 -P-cbou -ww {page} 2>&1 >text");
        assert_eq!(sealed.run(".", "sh", &["-c", &script]), "", "{page}");
        let name = page.rsplit('/').next().unwrap().trim_end_matches(".1");
        let text = sealed.read("text");
        assert!(text.contains("SYNOPSIS") && text.contains(name), "{page}: {text}");
    }
}
