//! `manifests/README.md`: the commands that it shows work as they are written.

use tests::binaries;

use crate::sealed::Sealed;

/// The commands of the console blocks, in order; a backslash joins lines.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    joined.lines().filter_map(|it| it.strip_prefix("$ ")).map(str::to_owned).collect()
}

#[test]
fn each_example_is_tried_in_two_commands() {
    let sealed = Sealed::new();
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");
    sealed.run(".", "cp", &["-r", manifests, "."]);
    std::fs::create_dir(sealed.path("home/.ssh")).unwrap();
    sealed.key("home/.ssh/fleet");
    let commands = commands(&sealed.read("manifests/README.md"));
    assert_eq!(commands.len(), 4, "{commands:?}");
    let ours = binaries::bowline().parent().unwrap().display().to_string();
    // Programs of probes run on the machine, whatever --root is: this one looks at its own file.
    let has_motd = std::fs::metadata("/etc/motd").is_ok_and(|it| it.len() > 0);
    let mut printed = Vec::new();
    for command in &commands {
        if command.contains("first.root") && !has_motd {
            println!("left out: this machine has no /etc/motd");
            printed.push(String::new());
            continue;
        }
        let script = format!("PATH={ours}:$PATH; {command}");
        printed.push(sealed.run(".", "sh", &["-ec", &script]));
    }
    if has_motd {
        assert!(printed[1].starts_with("committed main@sha1:"), "{}", printed[1]);
        assert!(sealed.read("first.root/etc/motd").contains("kept by Bowline"));
    }
    for step in ["Directory/site", "Template/site-server", "Symlink/current-site"] {
        assert!(printed[3].contains(step), "{}", printed[3]);
    }
}
