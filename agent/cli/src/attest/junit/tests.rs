//! Reports in the shapes that tools write, and those that say nothing or too much.

use super::*;

/// pytest 8 and 9: one suite; expected failures are skipped; an error is a test's own.
const PYTEST: &str = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
<testsuite name="pytest" errors="1" failures="1" skipped="2" tests="6" time="0.05" hostname="vm">
<testcase classname="test_app" name="test_one" time="0.000" />
<testcase classname="test_app" name="test_p[&lt;&amp;&gt;]" time="0.000" />
<testcase classname="test_app" name="test_s" time="0.0"><skipped type="pytest.skip" message="later">x</skipped></testcase>
<testcase classname="test_app" name="test_x" time="0.0"><skipped type="pytest.xfail" message="" /></testcase>
<testcase classname="test_app.TestC" name="test_bad"><failure message="assert False">&gt; ^ E</failure></testcase>
<testcase classname="test_app" name="test_err"><error message="failed on setup">x</error></testcase>
</testsuite></testsuites>"#;

/// cargo-nextest: a suite for each test program; what passed at last is flaky, what never did was run again.
const NEXTEST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="1" errors="0" uuid="6c3a" timestamp="2026-11-23T21:00:00.000+00:00" time="1.2">
    <testsuite name="app::tests" tests="3" disabled="0" errors="0" failures="1">
        <testcase name="a::well" classname="app::tests" time="0.1"></testcase>
        <testcase name="a::flaky" classname="app::tests" time="0.1">
            <flakyFailure message="thread panicked" type="test failure"><system-out>x</system-out></flakyFailure>
        </testcase>
        <testcase name="a::bad" classname="app::tests" time="0.1">
            <failure message="thread panicked" type="test failure">x</failure>
            <rerunFailure message="again" type="test failure"><system-err>x</system-err></rerunFailure>
        </testcase>
    </testsuite>
</testsuites>"#;

/// Surefire: a file for each class, whose root is the suite.
const SUREFIRE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0" name="com.example.AppTest" tests="2" errors="0" skipped="1" failures="0">
  <properties><property name="failure" value="no"/></properties>
  <testcase name="shouldAnswer" classname="com.example.AppTest" time="0.004"><system-out><![CDATA[<failure/>]]></system-out></testcase>
  <testcase name="later" classname="com.example.AppTest" time="0"><skipped message="x"/></testcase>
</testsuite>"#;

/// Suites within suites; names without a class; `GoogleTest`'s way to say that a test did not run.
const NESTED: &str = r#"<testsuites><testsuite name="outer"><testsuite name="inner">
<testcase name="a"/><testcase name="b" status="notrun" result="suppressed"/></testsuite>
<testcase name="c" classname=""/></testsuite></testsuites>"#;

fn read(texts: &[&str]) -> Result<Tests, String> {
    let mut all = Tests::default();
    for text in texts {
        all.add(text).map_err(|bad| bad.to_string())?;
    }
    Ok(all)
}

#[test]
fn what_tools_write_is_read() {
    for (text, passed, failed, skipped, flaky) in [
        (
            PYTEST,
            "test_app::test_one test_app::test_p[<&>]",
            "test_app.TestC::test_bad test_app::test_err",
            "test_app::test_s test_app::test_x",
            0,
        ),
        (NEXTEST, "app::tests::a::flaky app::tests::a::well", "app::tests::a::bad", "", 1),
        (SUREFIRE, "com.example.AppTest::shouldAnswer", "", "com.example.AppTest::later", 0),
        (NESTED, "inner::a outer::c", "", "inner::b", 0),
    ] {
        let found = read(&[text]).unwrap();
        let names = |it| found.names(it).join(" ");
        assert_eq!(names(Outcome::Passed), passed);
        assert_eq!(names(Outcome::Failed), failed);
        assert_eq!(names(Outcome::Skipped), skipped);
        assert_eq!(found.flaky, flaky);
    }
}

#[test]
fn a_test_that_stands_in_two_reports_counts_once_and_its_failure_counts() {
    let report =
        |inner: &str| format!("<testsuite><testcase name='a'>{inner}</testcase></testsuite>");
    let (well, bad, left) = (report(""), report("<failure/>"), report("<skipped/>"));
    for (texts, passed, failed) in [
        ([&well, &well], 1, 0),
        ([&well, &bad], 0, 1),
        ([&bad, &well], 0, 1),
        ([&left, &well], 1, 0),
        ([&left, &left], 0, 0),
    ] {
        let found = read(&texts.map(String::as_str)).unwrap();
        let counts = [Outcome::Passed, Outcome::Failed].map(|it| found.names(it).len());
        assert_eq!(counts, [passed, failed], "{texts:?}");
    }
}

#[test]
fn a_report_that_proves_nothing_is_refused() {
    for (text, part) in [
        ("<testsuites/>", "holds no test"),
        ("<testsuite tests='0'></testsuite>", "holds no test"),
        ("<coverage/>", "the root element is <coverage>"),
        ("<testsuite errors='1'><testcase name='a'/></testsuite>", "counts 1 failed tests"),
        ("<testsuite errors='x'><testcase name='a'/></testsuite>", "not a count"),
        ("<testsuite><testcase/></testsuite>", "has no name"),
        (
            "<testsuite><testcase name='a'><testcase name='b'/></testcase></testsuite>",
            "inside of another",
        ),
        ("<testsuite>\n<testcase name='a'>", "line 2"),
    ] {
        let said = read(&[text]).unwrap_err();
        assert!(said.contains(part), "{text}: {said}");
    }
}
