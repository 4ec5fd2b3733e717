//! Assignments in plain words, in both languages.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::appeal::GRANTED;
use crate::domain::rule_pack::{Class, Colour, EndConditions, Tests};

/// A sentence in both languages.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Words {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

impl Words {
    fn new(zh: &str, en: &str) -> Self {
        Self { en: en.to_owned(), zh: zh.to_owned() }
    }
}

/// Why an assignment was taken back, in a closed set of words: what staff write of a case is not for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The visitor's appeal was granted.
    AppealGranted,
    /// A later computation no longer found it.
    NoLongerMet,
    /// What it rested on was taken back or corrected.
    GroundTakenBack,
}

/// Why an assignment was taken back, from what was written down.
pub(super) fn because(reason: &str) -> Because {
    match reason {
        GRANTED => Because::AppealGranted,
        "no longer met" => Because::NoLongerMet,
        _ => Because::GroundTakenBack,
    }
}

/// What a class means.
pub(super) fn class_words(class: Class) -> Words {
    match class {
        Class::Close => Words::new(
            "您与一名病例在同一地点近距离共处过一段时间(密切接触者)。",
            "You were near somebody who was infectious, at one place for a while (close contact).",
        ),
        Class::Secondary => Words::new(
            "您与一名病例的接触者共处过一段时间(次密切接触者)。",
            "You were with somebody who had met a case (contact of a contact).",
        ),
        Class::SameVehicle => Words::new(
            "您与一名病例乘坐过同一交通工具。",
            "You were in the same vehicle as somebody who was infectious.",
        ),
        Class::ExposedPlace => Words::new(
            "您与一名病例在同一时段到过同一场所。",
            "You were at the same place as somebody who was infectious, at the same time.",
        ),
        Class::Companion => Words::new(
            "您与一名病例较长时间处于同一片区域(时空伴随)。",
            "You were in the same area as somebody who was infectious for long (companion in time and space).",
        ),
        Class::Residual => Words::new(
            "您在一名病例离开后不久到过同一地点。",
            "You were at a place soon after somebody who was infectious had left.",
        ),
    }
}

/// What ends an assignment before its days are over.
pub(super) fn end_words(end: Option<&EndConditions>) -> Words {
    let Some(end) = end.filter(|end| **end != EndConditions::default()) else {
        return Words::new("到期自动解除。", "Nothing ends it earlier; it ends by itself.");
    };
    let (mut zh, mut en) = (Vec::new(), Vec::new());
    if let Some(tests) = &end.tests {
        zh.push(tests_zh(tests));
        en.push(tests_en(tests));
    }
    for check_in in &end.check_ins {
        let (colour_zh, colour_en) = match check_in.colour {
            Colour::Green => ("绿码", "green"),
            Colour::Yellow => ("黄码", "yellow"),
            Colour::Red => ("红码", "red"),
        };
        zh.push(format!("连续{}天健康打卡后转为{colour_zh}", check_in.count));
        en.push(format!("{} daily check-ins without a gap turn it {colour_en}", check_in.count));
    }
    if end.by_authority {
        zh.push("由主管部门解除(如出院证明)".to_owned());
        en.push("an authority's word ends it, such as a certificate of discharge".to_owned());
    }
    Words { zh: format!("{}。", zh.join("；")), en: format!("{}.", en.join("; ")) }
}

fn tests_zh(tests: &Tests) -> String {
    let within = tests.within_days.map(|days| format!("{days}天内")).unwrap_or_default();
    let apart = if tests.apart_hours > 0 {
        format!(",每次间隔不少于{}小时", tests.apart_hours)
    } else {
        String::new()
    };
    let after = tests.after_days.map(|days| format!(",第{days}天之后采样")).unwrap_or_default();
    format!("{within}{}次检测阴性{apart}{after}", tests.count)
}

fn tests_en(tests: &Tests) -> String {
    let within = tests.within_days.map(|days| format!(" within {days} days")).unwrap_or_default();
    let apart = if tests.apart_hours > 0 {
        format!(", at least {} hours apart", tests.apart_hours)
    } else {
        String::new()
    };
    let after = tests.after_days.map(|days| format!(", taken after {days} days")).unwrap_or_default();
    format!("{} negative tests{within}{apart}{after} end it", tests.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_staff_write_of_a_case_is_not_repeated() {
        assert_eq!(because("appeal granted"), Because::AppealGranted);
        assert_eq!(because("张三的样本被误报"), Because::GroundTakenBack);
    }

    #[test]
    fn end_conditions_are_told_in_a_sentence() {
        let tests = Tests { count: 2, apart_hours: 24, within_days: Some(3), after_days: None };
        let end = EndConditions { tests: Some(tests), ..EndConditions::default() };
        let words = end_words(Some(&end));
        assert_eq!(words.en, "2 negative tests within 3 days, at least 24 hours apart end it.");
        assert_eq!(words.zh, "3天内2次检测阴性,每次间隔不少于24小时。");
        assert_eq!(end_words(None).zh, "到期自动解除。");
    }
}
