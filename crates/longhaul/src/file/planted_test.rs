//! Mistakes of every kind, planted in a good workflow: each alone, each pair, and all of them in one file.
//! Each must be found, at its line, in one run.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Checked, check};

/// Workflow without mistakes. Each line ends with a mark by which it is replaced.
const GOOD: &str = r#"name: planted
type: PLANTED
title: "Plant {{ input.fqdn }}" #title
input: #input
  type: object
  properties: { fqdn: { type: string }, list: { type: array } } #properties
subTasks:
  - name: Fetch it
    description: Fetch {{ input.fqdn }} #description
    timeout: 30s #timeout
    repeatable: true #repeatable
    action: { simulate: { duration: 1s } } #fetch
  - name: Use
    description: Use it #use-description
    needs: [Fetch it] #needs
    when: input.fqdn != 'x' #when
    action: { worker: { queue: q, input: { a: "{{ subTasks['Fetch it'].output.n }}" } } } #use
  - name: Send
    description: Send it #send-description
    retry: { attempts: 3 } #retry
    action: { http: { method: POST, url: "https://h/{{ input.fqdn }}", headers: { A: b } } } #send
  - name: Run
    description: Run it #run-description
    needs: [Send] #run-needs
    action: { command: { run: [/bin/true], env: { A: "1" } } } #run
"#;

/// Mistakes: the mark of a line, its replacement, and the words that the findings must have.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    (
        "properties",
        "  properties: { fqdn: { type: strin }, list: { minItems: -1, items: { $ref: '#/$defs/no' } } }",
        &["\"strin\" is not", "-1 is less than", "/$defs/no"],
    ),
    ("needs", "    needs: [Fetch it, Send, Sned]", &["Use -> Send -> Use", "no sub-task `Sned`"]),
    ("run-needs", "    needs: [Run, Send]", &["wait for each other: Run -> Run"]),
    ("fetch", "    action: { simulat: {} }", &["`simulat` is not known here"]),
    (
        "send",
        r#"    action: { http: { method: FETCH, url: "ftp://x", headers: { A: "{{ a", B: "{{ b }}", C: "{{ c }}" }, body: [ "{{ d }}", { e: "{{ f", g: "{{ h }}" } ], expect: [99, 2xx, 200], output: k } }"#,
        &[
            "`FETCH` is not one of",
            "no absolute address",
            "`a`: `}}` is missing",
            "no `b`",
            "no `c`",
            "no `d`",
            "`f`: `}}` is missing",
            "no `h`",
            "`99` is no status code",
            "`2xx` is no status code",
            "no `k`",
        ],
    ),
    (
        "run",
        r#"    action: { command: { run: [a.sh, "{{ b }}", "{{ c" ], env: { D: "{{ d }}", E: "{{ e }}" } }, wait: { for: soon } }"#,
        &[
            "an absolute path",
            "no `b`",
            "`}}` is missing",
            "no `d`",
            "no `e`",
            "one is wanted here",
            "not a duration",
        ],
    ),
    (
        "title",
        r#"title: "{{ input.fqdn|uper }} {{ input.list|jion(',') }}""#,
        &["no filter `uper`", "no filter `jion`"],
    ),
    ("description", r#"    description: "{% if x %}a{% endif %}""#, &["`{% … %}` means nothing here"]),
    ("timeout", "    timeout: soon", &["this is not a duration"]),
    ("repeatable", "    repeatable: \"yes\"", &["`true` or `false` is wanted here"]),
    (
        "fetch",
        "    action: { simulate: { duration: 1s, failAttempt: [1] } }",
        &["`failAttempt` is not known here"],
    ),
    ("use-description", "    description: 1.10", &["a text is wanted here", "put it in quotes: \"1.10\""]),
    (
        "when",
        "    when: input.nope == subTasks['Run'].output or 1 is evn",
        &["no property `nope`", "`Run` has not ended", "no test `evn`"],
    ),
    (
        "use",
        r#"    action: { worker: { queue: "no queue", input: { a: "{{ subTasks['Fetch'].output }}" } } }"#,
        &["no name of a queue", "no sub-task `Fetch`"],
    ),
    (
        "send-description",
        r#"    description: "{# no #} {{ input['fqnd'] }}""#,
        &["`{# … #}` means nothing here", "no property `fqnd`"],
    ),
    ("retry", "    retry: { attempts: 0 }", &["0 is not"]),
    (
        "send",
        r#"    action: { http: { method: FETCH, url: "ftp://x", headers: { A: 0x1F } } }"#,
        &["`FETCH` is not one of", "no absolute address", "put it in quotes: \"0x1F\""],
    ),
    ("run-description", r#"    description: "{{ input.fqdn""#, &["`}}` is missing"]),
    (
        "run",
        "    action: { command: { run: [true.sh], env: { A: 1e3 } } }",
        &["an absolute path", "put it in quotes: \"1e3\""],
    ),
];

/// Returns the good workflow with these mistakes, and the line of each.
fn planted(which: &[usize]) -> String {
    let line = |line: &str| {
        let mark = line.rsplit_once(" #").map_or("", |(_, mark)| mark);
        let found = which.iter().map(|n| MISTAKES[*n]).find(|(at, ..)| *at == mark);
        found.map_or(line.to_owned(), |(_, instead, _)| instead.to_owned())
    };
    GOOD.lines().map(|one| line(one) + "\n").collect()
}

fn line_of(mark: &str) -> usize {
    1 + GOOD.lines().position(|line| line.ends_with(&format!(" #{mark}"))).expect("a line with this mark")
}

#[track_caller]
fn assert_found(which: &[usize]) {
    let text = planted(which);
    let Checked { findings, definition } = check(&text);
    assert!(definition.is_none(), "{text}");
    for (mark, _, wanted) in which.iter().map(|n| MISTAKES[*n]) {
        for said in wanted {
            let found = findings.iter().any(|finding| {
                let hint = finding.hint.as_deref().unwrap_or_default();
                finding.place.line == line_of(mark) && (finding.message.contains(said) || hint.contains(said))
            });
            assert!(found, "{said} at line {} of\n{text}\n{findings:#?}", line_of(mark));
        }
    }
    // Nothing is said of lines in which nothing is wrong.
    for finding in &findings {
        let blamed = which.iter().any(|n| line_of(MISTAKES[*n].0) == finding.place.line);
        assert!(blamed, "{finding:?}\n{text}");
    }
}

#[test]
fn the_file_without_mistakes_has_none() {
    assert_eq!(check(&planted(&[])).findings, []);
}

/// Returns those mistakes, without a second one for the same line.
fn apart(which: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut marks = BTreeSet::new();
    which.into_iter().filter(|n| marks.insert(MISTAKES[*n].0)).collect()
}

#[test]
fn every_mistake_is_found_alone_in_pairs_and_among_all_others() {
    for one in 0..MISTAKES.len() {
        assert_found(&[one]);
        (one + 1..MISTAKES.len()).for_each(|other| assert_found(&apart([one, other])));
    }
    assert_found(&apart(0..MISTAKES.len()));
    assert_found(&apart((0..MISTAKES.len()).rev()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn as_many_mistakes_as_are_planted_are_found(which in prop::collection::vec(0..MISTAKES.len(), 3..12)) {
        assert_found(&apart(which));
    }
}

#[test]
fn without_a_schema_there_is_no_input() {
    let text = GOOD
        .replace("input: #input\n  type: object\n", "")
        .replace("  properties: { fqdn: { type: string }, list: { type: array } } #properties\n", "");
    let findings = check(&text).findings;
    assert!(findings.len() >= 3, "{findings:#?}");
    for finding in findings {
        assert!(finding.message.contains("without `input:` the workflow takes none"), "{finding:?}");
    }
}

/// Numbers in place of durations are seconds, and what is advised is accepted.
#[test]
fn advice_gives_durations_their_unit() {
    type Written = fn(&str) -> String;
    let places: [(&str, Written); 4] = [
        ("timeout: 30s", |text| format!("timeout: {text}")),
        ("duration: 1s", |text| format!("duration: {text}")),
        ("retry: { attempts: 3 }", |text| format!("retry: {{ attempts: 3, backoff: {text} }}")),
        ("action: { command: { run: [/bin/true], env: { A: \"1\" } } }", |text| {
            format!("action: {{ wait: {{ for: {text} }} }}")
        }),
    ];
    for (good, write) in places {
        for (written, advised) in [
            ("30", "\"30s\""),
            ("0", "\"0s\""),
            ("1.5", "\"1500ms\""),
            ("2.0", "\"2s\""),
            ("1e3", "\"1000s\""),
        ] {
            let findings = check(&GOOD.replace(good, &write(written))).findings;
            let hints: Vec<_> = findings.iter().filter_map(|finding| finding.hint.as_deref()).collect();
            assert_eq!(hints, [format!("write it with its unit: {advised}")], "{good} {written}");
            let mended = check(&GOOD.replace(good, &write(advised))).findings;
            assert_eq!(mended, [], "{good} {advised}");
        }
    }
}

/// A day that its month does not have is no matter of the form.
#[test]
fn a_day_that_there_is_not_is_called_so() {
    let action = "action: { command: { run: [/bin/true], env: { A: \"1\" } } }";
    for (written, said) in
        [("2026-02-30T00:00:00Z", "there is no such day"), ("2026-02-28T00:00:00", "not an RFC 3339 instant")]
    {
        let findings =
            check(&GOOD.replace(action, &format!("action: {{ wait: {{ until: '{written}' }} }}"))).findings;
        assert!(findings.len() == 1 && findings[0].message.contains(said), "{findings:?}");
    }
}

/// Advice on numbers and texts keeps the value, as a text or in a list.
#[test]
fn advice_keeps_the_value() {
    for written in [
        "1.10",
        "1e3",
        "0x1F",
        "0o17",
        "0b11",
        "+7",
        "-0.0",
        "1E+2",
        "true",
        "False",
        "12345678901234567890",
        "007e1",
    ] {
        let text = GOOD.replace("description: Use it", &format!("description: {written}"));
        let findings = check(&text).findings;
        // Lines that this dialect of YAML reads as a text are not among the mistakes.
        let Some(finding) = findings.first() else { continue };
        assert_eq!(finding.hint, Some(format!("put it in quotes: \"{written}\"")), "{written}");
        let advised =
            text.replace(&format!("description: {written}"), &format!("description: \"{written}\""));
        assert_eq!(check(&advised).findings, [], "{written}");
    }
    for (written, advised) in [
        ("Fetch it", "[Fetch it]"),
        ("\"Fetch it\"", "[\"Fetch it\"]"),
        ("'Fetch, it'", "['Fetch, it']"),
        ("a,b", "[\"a,b\"]"),
        ("1e3", "[\"1e3\"]"),
        ("7", "[\"7\"]"),
        ("true", "[\"true\"]"),
    ] {
        let text = GOOD.replace("needs: [Fetch it]", &format!("needs: {written}"));
        let hints: Vec<_> = check(&text).findings.into_iter().filter_map(|finding| finding.hint).collect();
        assert!(hints.contains(&format!("write it as a list: {advised}")), "{written}: {hints:?}");
    }
}
