//! The code and `spec/` say the same. See `sotto_tests::conformance`.

use std::collections::{BTreeMap, BTreeSet};

use sotto_outer::ClientFrame;
use sotto_tests::{
    conformance::{Case, cases, chapters, inner, outer, registry, schema, value::Value},
    layering::root,
};

/// Checks every case and prints how much each was asked.
fn agree(cases: &[Case]) {
    let mut disagreements = vec![];
    for case in cases {
        let examples = case.examples.len();
        match case.check() {
            Ok(tally) => {
                eprintln!("{}: {examples} examples, {tally:?}", case.rule);
                assert!(tally.refused >= 5 * examples, "{}: too few refusals, {tally:?}", case.rule);
            }
            Err(wrong) => disagreements.push(wrong),
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn relay_and_outer_cddl_agree_about_every_change() {
    agree(&outer::cases());
}

#[test]
fn clients_and_inner_cddl_agree_about_every_change() {
    agree(&inner::cases());
}

/// Without this a door that lets everything in, beside a rule that does, would agree.
#[test]
fn a_door_that_is_too_wide_is_found() {
    let mut case = outer::cases().remove(0);
    case.door = |bytes| ClientFrame::decode(bytes).map(|_| ()).map_err(|error| error.to_string());
    let wrong = case.check().expect_err("the decoder alone does not keep the relay's bounds");
    assert!(wrong.contains("send, no bytes at [1, 1, 3]"), "{wrong}");
}

#[test]
fn a_rule_that_is_too_wide_is_found() {
    let mut case = outer::cases().remove(2);
    case.rule = "bundle";
    assert!(case.check().is_err(), "an address is no bundle");
}

#[test]
fn every_rule_is_reached_from_a_case() {
    let rules = schema::rules();
    let mut reached: BTreeSet<String> = cases().iter().map(|case| case.rule.to_owned()).collect();
    loop {
        let uses = |rule: &String| reached.iter().any(|user| schema::body(user).contains(rule));
        let more: Vec<_> = rules.iter().filter(|rule| !reached.contains(*rule) && uses(rule)).cloned().collect();
        if more.is_empty() {
            break;
        }
        reached.extend(more);
    }
    let idle: Vec<_> = rules.iter().filter(|rule| !reached.contains(*rule)).collect();
    assert!(idle.is_empty(), "rules that no example reaches: {idle:?}");
}

#[test]
fn registry_and_constants_are_the_same() {
    assert_eq!(registry::version(), i64::from(sotto_outer::VERSION));
    for (section, of_code, source) in registry::constants() {
        let names: BTreeSet<_> = registry::declared(source).into_iter().collect();
        assert_eq!(names, of_code.keys().cloned().collect(), "{section}: what the source declares is compared");
        assert_eq!(registry::section(section), of_code, "{section}");
    }
}

#[test]
fn labels_carry_the_version_and_none_is_another_ones_beginning() {
    let labels = ["labels.outer", "labels.inner"].map(registry::section);
    let labels: Vec<_> = labels.iter().flat_map(|section| section.values()).collect();
    for (index, label) in labels.iter().enumerate() {
        assert!(label.starts_with(&format!("sotto/{} ", registry::version())), "{label}");
        let clash = labels.iter().enumerate().find(|(other, text)| *other != index && text.starts_with(*label));
        assert_eq!(clash, None, "{label}");
    }
}

#[test]
fn registry_and_alternatives_are_the_same() {
    for (section, of_code) in registry::alternatives() {
        assert_eq!(registry::section(section), of_code, "{section}");
    }
}

#[test]
fn reserved_commands_are_refused() {
    let taken = registry::section("numbers.command");
    for number in registry::reserved_commands() {
        assert!(!taken.values().any(|other| *other == number.to_string()), "{number} is taken and reserved");
        let command = Value::Array(vec![Value::Uint(number), Value::Map(vec![])]);
        let frame = Value::Array(vec![Value::Uint(1), command]).encode();
        assert!(ClientFrame::decode(&frame).is_err(), "command {number} is to come");
    }
}

#[test]
fn every_test_that_a_chapter_names_exists() {
    let functions = chapters::functions();
    for (name, text) in chapters::chapters() {
        let missing: Vec<_> =
            chapters::quoted_tests(&text).into_iter().filter(|test| !functions.contains(test)).collect();
        assert!(missing.is_empty(), "{name} names {missing:?}");
    }
}

#[test]
fn every_file_that_a_chapter_names_exists() {
    for (name, text) in chapters::chapters() {
        let is_path = |text: &String| text.contains('/') && text.contains('.') && !text.contains([' ', ':', '#']);
        for path in chapters::quoted(&text).into_iter().filter(is_path) {
            assert!(root().join(&path).exists(), "{name} names {path}");
        }
    }
}

#[test]
fn every_rule_that_is_cited_is_written() {
    let chapters = chapters::chapters();
    let written: BTreeSet<_> = chapters.values().flat_map(|text| chapters::defined(text)).collect();
    assert!(written.contains("SES-7") && written.contains("REL-1"), "the rules are found");
    for (name, text) in &chapters {
        let lost: Vec<_> = chapters::cited(text).difference(&written).cloned().collect();
        assert!(lost.is_empty(), "{name} cites {lost:?}");
    }
    for (rule, source) in chapters::cited_by_sources() {
        assert!(written.contains(&rule), "{} cites {rule}", source.display());
    }
}

#[test]
fn the_sizes_of_the_worked_run_are_true() {
    let told = chapters::sizes(&chapters::chapters()["01-overview.md"]);
    let real: BTreeMap<String, usize> =
        outer::worked_run().into_iter().map(|(name, len)| (name.to_owned(), len)).collect();
    assert_eq!(told, real);
}
