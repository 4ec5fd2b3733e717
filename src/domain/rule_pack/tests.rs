//! The shipped packs, and packs that are refused.

use super::*;
use crate::domain::venue::Granularity;

const BASELINE: &str = include_str!("../../../policies/baseline-1.toml");

/// A pack in which everything has its own line.
const PLAIN: &str = r#"id = "plain"
version = 1
title_zh = "示例"
title_en = "Plain"
jurisdiction = "330100"
effective_from = "2022-01-01"
index_kinds = ["confirmed"]

[infectious]
before_onset_days = 2
before_sample_days = 2
source = { before_onset_days = "law", before_sample_days = "not published: 2, as for onset" }

[[class]]
class = "exposed_place"
colour = "yellow"
relations = ["same_point"]
granularities = ["hall"]
presence_min = "unproven"
together_mins = 15
days = 7

[class.end]
tests = { count = 2, apart_hours = 24, within_days = 3 }

[class.source]
together_mins = "law"
days = "law"
end = "law"

[source.law]
title = "A law"
url = "https://law.example.cn/7"
grade = "official"
"#;

/// What is changed in the plain pack, into what, and the line, key and reason of the refusal.
const REFUSALS: &[(&str, &str, usize, &str, &str)] = &[
    ("version = 1", "version = \"one\"", 2, "version", "expected i32"),
    ("version = 1", "version = ", 2, "", "cannot be read"),
    ("colour = \"yellow\"", "colour = \"orange\"", 16, "class[0].colour", "`green`, `yellow`, `red`"),
    ("days = 7", "days = 0", 21, "class[0].days", "between 1 and 60"),
    ("days = 7", "day = 7", 21, "class[0].day", "unknown field"),
    (
        "presence_min = \"unproven\"",
        "presence_min = \"contradicted\"",
        19,
        "class[0].presence_min",
        "must not",
    ),
    ("count = 2,", "count = 9,", 24, "class[0].end.tests", "fit into `within_days`"),
    ("days = \"law\"\n", "", 26, "class[0].source.days", "is missing"),
    ("days = \"law\"\n", "days = \"lore\"\n", 28, "class[0].source.days", "no [source.…]"),
    ("days = \"law\"\n", "days = \"not published:\"\n", 28, "class[0].source.days", "what was chosen"),
    (
        "end = \"law\"\n",
        "end = \"law\"\nwithin_hours = \"law\"\n",
        30,
        "class[0].source.within_hours",
        "not given",
    ),
    ("end = \"law\"\n", "end = \"law\"\nhours = \"law\"\n", 30, "class[0].source.hours", "no key"),
    ("https://law.example.cn/7", "law.example.cn", 33, "source.law.url", "http or https"),
    ("title = \"A law\"", "title = \" \"", 32, "source.law.title", "called"),
    ("title = \"A law\"", "title = \"A law\"\ndate = \"0202-01-01\"", 33, "source.law.date", "2100"),
    (
        "[source.law]",
        "[source.lore]\ntitle = \"Lore\"\ngrade = \"copy\"\n\n[source.law]",
        31,
        "source.lore",
        "no number",
    ),
    ("jurisdiction = \"330100\"", "jurisdiction = \"Hangzhou\"", 5, "jurisdiction", "ISO 3166"),
    ("2022-01-01", "1022-01-01", 6, "effective_from", "2000 and 2100"),
    ("\"2022-01-01\"", "\"2022-01-01\"\neffective_until = \"2022-01-01\"", 7, "effective_until", "after"),
    ("title_en = \"Plain\"", "title_en = \"\"", 4, "title_en", "1 to 200"),
    ("[\"confirmed\"]", "[\"confirmed\", \"confirmed\"]", 7, "index_kinds", "twice"),
    ("before_onset_days = 2", "before_onset_days = 29", 10, "infectious.before_onset_days", "28 days"),
    (
        "together_mins = 15",
        "together_mins = 61\nwithin_hours = 1",
        20,
        "class[0].together_mins",
        "60 minutes",
    ),
    (
        "together_mins = 15",
        "together_mins = 15\nrows_apart_max = 3",
        21,
        "class[0].rows_apart_max",
        "`vehicle`",
    ),
    ("together_mins = 15", "together_mins = 15\nmeetings_min = 0", 21, "class[0].meetings_min", "1 or more"),
    ("days = 7", "days = 7\nindex_kinds = [\"suspected\"]", 22, "class[0].index_kinds", "the pack counts"),
    ("days = 7", "days = 7\ncategories = []", 22, "class[0].categories", "left out"),
    (
        "days = 7",
        "days = 7\ncompanion = { stay_hours = 30, within_days = 14 }",
        22,
        "class[0].companion",
        "nearby_cell",
    ),
    (
        "days = 7",
        "days = 7\nsecondary = { of = [\"close\"], depth = 1 }",
        22,
        "class[0].secondary.of",
        "before this one",
    ),
    ("\"exposed_place\"", "\"secondary\"", 14, "class[0].secondary", "of which classes"),
    ("[class.end]\ntests", "[class.end]\nno_tests", 24, "class[0].end.no_tests", "unknown field"),
    ("tests = { count = 2, apart_hours = 24, within_days = 3 }", "", 23, "class[0].end", "`by_authority`"),
];

fn shipped(id: &str) -> RulePack {
    let (_, text) = SHIPPED.iter().find(|(file, _)| *file == format!("{id}-1.toml")).unwrap();
    RulePack::parse(text).unwrap()
}

fn rules(pack: &RulePack, class: Class) -> Vec<&ClassRule> {
    pack.classes.iter().filter(|rule| rule.class == class).collect()
}

#[test]
fn the_shipped_baseline_is_sound() {
    let pack = RulePack::parse(BASELINE).unwrap();
    assert_eq!(pack.name(), "baseline@1");
    assert_eq!(pack.relations(), [Relation::SamePoint]);
}

#[test]
fn every_file_of_the_folder_is_shipped_and_named_after_its_pack() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut on_disk = Vec::new();
    for (folder, before) in [(root.clone(), ""), (root.join("peers"), "peers/")] {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".toml") {
                on_disk.push(format!("{before}{name}"));
            }
        }
    }
    on_disk.sort();
    let mut listed: Vec<_> = SHIPPED.iter().map(|(file, _)| (*file).to_owned()).collect();
    listed.sort();
    assert_eq!(on_disk, listed);
    for (file, text) in SHIPPED {
        let pack = RulePack::parse(text).unwrap_or_else(|refused| panic!("policies/{file}: {refused}"));
        assert_eq!(file.trim_start_matches("peers/"), format!("{}-{}.toml", pack.id, pack.version));
    }
}

#[test]
fn every_number_of_a_jurisdiction_names_its_source_or_what_was_chosen() {
    let packs = SHIPPED.iter().filter(|(file, _)| !file.starts_with("peers/") && *file != "baseline-1.toml");
    let mut seen = 0;
    for (file, text) in packs {
        let pack = RulePack::parse(text).unwrap();
        let heads = ["effective_from", "index_kinds"];
        assert!(heads.iter().all(|key| pack.based_on.contains_key(*key)), "{file}");
        assert!(pack.effective_until.is_none() || pack.based_on.contains_key("effective_until"), "{file}");
        let parts = pack.classes.iter().map(|class| &class.source).chain([&pack.infectious.source]);
        let mut texts: Vec<_> = pack.based_on.values().collect();
        for part in parts {
            let Provenance::Each(sources) = part else { panic!("{file} gives one source for many numbers") };
            texts.extend(sources.values());
        }
        assert!(texts.iter().all(|text| *text != NOT_PUBLISHED), "{file} says not what was chosen");
        assert!(pack.classes.iter().all(|class| match &class.source {
            Provenance::Each(sources) => sources.contains_key("colour"),
            Provenance::Whole(_) => false,
        }));
        seen += 1;
    }
    assert!(seen >= 40, "{seen}");
}

#[test]
fn near_contact_takes_a_near_place_and_a_presence_that_something_supports() {
    for (file, text) in SHIPPED.iter().filter(|(file, _)| !file.starts_with("peers/")) {
        for class in RulePack::parse(text).unwrap().classes {
            let near = |places: &[Granularity]| {
                places.iter().all(|place| matches!(place, Granularity::Seat | Granularity::Room))
            };
            let aboard = class.granularities == [Granularity::Vehicle]
                && (class.rows_apart_max.is_some() || class.categories.is_some());
            if class.class == Class::Close {
                assert!(near(&class.granularities) || aboard, "{file}");
                assert_eq!(class.relations, [Relation::SamePoint], "{file}");
            }
            if class.class == Class::Close || class.colour == Colour::Red {
                assert!(class.presence_min >= crate::domain::scan::Presence::Plausible, "{file}");
            }
            if class.class == Class::Residual {
                assert_eq!(class.colour, Colour::Green, "{file}");
            }
        }
    }
}

#[test]
fn the_cases_that_count_are_those_of_each_jurisdiction() {
    use CaseKind::{Asymptomatic, Confirmed, Suspected};
    let cases = [
        ("shaanxi-2020", vec![Confirmed]),
        ("hangzhou-2020", vec![Confirmed, Suspected]),
        ("heilongjiang-2020", vec![Confirmed, Suspected, Asymptomatic]),
        ("linwei-2021", vec![Confirmed, Suspected, Asymptomatic]),
        ("shanghai-2022-04", vec![Confirmed, Suspected, Asymptomatic]),
        ("who-ffx-2020", vec![Confirmed]),
    ];
    for (id, kinds) in cases {
        assert_eq!(shipped(id).index_kinds, kinds, "{id}");
    }
    for (id, days) in [("national-edition-9", 2), ("unnamed-city", 4), ("who-ffx-2020", 4), ("who-2021", 2)] {
        assert_eq!(shipped(id).infectious.before_onset_days, days, "{id}");
    }
}

#[test]
fn classes_colours_and_days_are_those_of_each_jurisdiction() {
    use Class::{Close, Companion, ExposedPlace, SameVehicle, Secondary};
    use Colour::{Green, Red, Yellow};
    let facts = [
        ("hangzhou-2020", Close, Red, 14),
        ("zhejiang-2020", ExposedPlace, Green, 7),
        ("zhejiang-2020-place", ExposedPlace, Red, 14),
        ("shaanxi-2020", Close, Red, 14),
        ("linwei-2021", Secondary, Yellow, 7),
        ("heilongjiang-2020", SameVehicle, Yellow, 14),
        ("shanghai-2022-04", Secondary, Yellow, 7),
        ("guangdong-2022", Secondary, Red, 14),
        ("shenzhen-2022", Close, Red, 14),
        ("guangxi-2021", Companion, Red, 14),
        ("guangxi-2021", Secondary, Red, 7),
        ("guangxi-2022", Companion, Yellow, 7),
        ("guangxi-2022", SameVehicle, Yellow, 7),
        ("guangxi-2022-11", ExposedPlace, Yellow, 7),
        ("henan-2020", Close, Red, 14),
        ("luoyang", Companion, Yellow, 7),
        ("luohe", SameVehicle, Yellow, 7),
        ("hubei-2020", Close, Yellow, 14),
        ("jiangsu", Close, Red, 10),
        ("ningbo-2022", ExposedPlace, Yellow, 7),
        ("chengdu-2021", Companion, Yellow, 14),
        ("shandong-2022", Close, Red, 10),
        ("shandong-2022", Secondary, Red, 7),
        ("national-edition-8", Close, Yellow, 21),
        ("national-edition-9", Close, Yellow, 10),
        ("national-edition-9", Secondary, Yellow, 7),
        ("twenty-measures-2022", Close, Yellow, 8),
        ("national-code", Close, Yellow, 14),
        ("nz-casual-2021", ExposedPlace, Green, 10),
    ];
    for (id, class, colour, days) in facts {
        let pack = shipped(id);
        let found = rules(&pack, class);
        assert!(!found.is_empty(), "{id} has no {class:?}");
        assert!(found.iter().all(|rule| (rule.colour, rule.days) == (colour, days)), "{id} {class:?}");
    }
    for id in ["twenty-measures-2022", "guangxi-2022-11", "hubei-2020", "xian-2021"] {
        assert!(rules(&shipped(id), Secondary).is_empty(), "{id}");
    }
    assert_eq!(rules(&shipped("national-code"), Close)[0].rule.as_deref(), Some("orange"));
    let guangxi = shipped("guangxi-2022");
    assert_eq!(rules(&guangxi, Companion)[0].rule.as_deref(), Some("B3"));
    assert_eq!(rules(&guangxi, SameVehicle)[0].rule.as_deref(), Some("B5"));
}

#[test]
fn minutes_rows_and_the_companion_grid_are_those_of_the_rules() {
    for (id, mins, more_than, hours) in [
        ("us-cdc-2020", 15, false, None),
        ("us-cdc-2020-10", 15, false, Some(24)),
        ("who-2021", 15, false, None),
        ("ecdc-2020", 15, false, None),
        ("nz-2020", 15, false, None),
        ("ireland-australia", 120, true, None),
        ("unnamed-city", 30, false, None),
        ("companion", 10, true, None),
    ] {
        let first = &shipped(id).classes[0];
        assert_eq!(
            (first.together_mins, first.more_than, first.within_hours),
            (mins, more_than, hours),
            "{id}"
        );
    }
    for id in
        ["companion", "chengdu-2021", "changsha-2021", "zhengzhou-2021", "guangxi-2021", "luoyang", "luohe"]
    {
        let pack = shipped(id);
        for rule in rules(&pack, Class::Companion) {
            assert_eq!(rule.companion, Some(Companion { stay_hours: 30, within_days: 14 }), "{id}");
            assert!(rule.more_than && rule.relations.contains(&Relation::NearbyCell), "{id}");
        }
    }
    for id in ["national-edition-8", "national-edition-9", "twenty-measures-2022"] {
        let pack = shipped(id);
        let close = rules(&pack, Class::Close);
        let named = |name: &str| close.iter().find(|rule| rule.rule.as_deref() == Some(name)).unwrap();
        assert_eq!(named("rows").rows_apart_max, Some(3), "{id}");
        assert_eq!(named("sealed-vehicle").categories.as_ref().unwrap(), &["coach", "train_carriage"]);
    }
}

#[test]
fn what_ends_a_colour_and_who_releases_it_are_those_of_the_rules() {
    let end = |id: &str, class| rules(&shipped(id), class)[0].end.clone().unwrap();
    let steps: Vec<_> =
        end("hangzhou-2020", Class::Close).check_ins.iter().map(|step| (step.count, step.colour)).collect();
    assert_eq!(steps, [(7, Colour::Yellow), (14, Colour::Green)]);
    assert_eq!(end("heilongjiang-2020", Class::SameVehicle).check_ins[0].count, 14);
    for (id, class) in [("guangdong-2022", Class::ExposedPlace), ("chengdu-2021", Class::Companion)] {
        let tests = end(id, class).tests.unwrap();
        assert_eq!((tests.count, tests.apart_hours, tests.within_days), (2, 24, Some(3)), "{id}");
    }
    let release = shipped("zhejiang-2020-place").classes[0].release.clone().unwrap();
    assert!(release.chief && release.authority.contains("provincial leading group"));
}

#[test]
fn a_refusal_names_line_and_key_and_what_would_be_right() {
    RulePack::parse(PLAIN).unwrap();
    for (old, new, line, key, right) in REFUSALS {
        assert!(PLAIN.contains(old), "{old}");
        let refused = RulePack::parse(&PLAIN.replacen(old, new, 1)).unwrap_err();
        assert_eq!((refused.line, refused.key.as_str()), (*line, *key), "{new}: {refused}");
        assert!(refused.reason.contains(right), "{new}: {refused}");
        assert!(refused.to_string().contains(&format!("line {line}: ")), "{refused}");
    }
}

#[test]
fn a_stronger_class_never_stands_behind_a_weaker() {
    let second = "[[class]]\nclass = \"close\"\ncolour = \"red\"\nrelations = [\"same_point\"]\n\
                  granularities = [\"room\"]\npresence_min = \"plausible\"\ntogether_mins = 60\ndays = 10\nsource = \"x\"\n\n";
    let refused =
        RulePack::parse(&PLAIN.replacen("[source.law]", &format!("{second}[source.law]"), 1)).unwrap_err();
    assert_eq!((refused.line, refused.key.as_str()), (33, "class[1].colour"), "{refused}");
    RulePack::parse(&PLAIN.replacen("[[class]]", &format!("{second}[[class]]"), 1)).unwrap();
}
