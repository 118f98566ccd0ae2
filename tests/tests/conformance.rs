//! The code and `spec/` say the same. See `sotto_tests::conformance`.

use sotto_tests::conformance::{Tally, cases};

#[test]
fn every_rule_and_its_door_agree_about_every_change() {
    let mut total = Tally::default();
    let mut disagreements = vec![];
    for case in cases() {
        let tally = match case.check() {
            Ok(tally) => tally,
            Err(wrong) => {
                disagreements.push(wrong);
                continue;
            }
        };
        let examples = case.examples.len();
        assert!(tally.refused + tally.misspelt >= 5 * examples, "{}: {tally:?}", case.rule);
        println!("{}: {examples} examples, {tally:?}", case.rule);
        total.accepted += tally.accepted;
        total.refused += tally.refused;
        total.misspelt += tally.misspelt;
    }
    println!("in all: {total:?}");
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}
