//! What a pack proposes for a class, in words: colour, days, what ends it earlier.

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};

use crate::domain::rule_pack::{Class, ClassRule, Colour, CountedFrom, RulePack};

/// The rule that graded a contact: of that class, and of that name where the class has several.
pub fn rule_of<'a>(pack: &'a RulePack, class: Class, rule: Option<&str>) -> Option<&'a ClassRule> {
    let of_class = || pack.classes.iter().filter(|own| own.class == class);
    of_class().find(|own| own.rule.as_deref() == rule).or_else(|| of_class().next())
}

/// The local day on which it is over by time; `None` where the days count from a release that may not have been.
pub fn over_on(rule: &ClassRule, last_at: DateTime<Utc>, offset: FixedOffset) -> Option<NaiveDate> {
    match rule.counted_from {
        CountedFrom::LastExposure => {
            let last = last_at.with_timezone(&offset).date_naive();
            last.checked_add_signed(TimeDelta::days(rule.days.into()))
        }
        CountedFrom::Release => None,
    }
}

/// What ends it before its days are over, in English; empty where nothing does.
pub fn ends_en(rule: &ClassRule) -> String {
    let Some(end) = &rule.end else { return String::new() };
    let mut parts = Vec::new();
    for tests in end.tests.iter().chain(&end.or_tests) {
        let apart = (tests.apart_hours > 0).then(|| format!(", {} hours apart", tests.apart_hours));
        let mut text = format!("{} negative tests{}", tests.count, apart.unwrap_or_default());
        text += &tests.within_days.map(|days| format!(", within {days} days")).unwrap_or_default();
        text += &tests.after_days.map(|days| format!(", not before day {days}")).unwrap_or_default();
        parts.push(text);
    }
    for check in &end.check_ins {
        parts.push(format!("{} daily declarations of health: {}", check.count, colour_en(check.colour)));
    }
    for step in &end.steps {
        parts.push(format!("after {} days: {}", step.after_days, colour_en(step.colour)));
    }
    if end.by_authority {
        parts.push("an authority's word".to_owned());
    }
    parts.join("; ")
}

/// The measure in Chinese, for letters: `红码管控10天（自末次接触起）；…`.
pub fn measure_zh(rule: &ClassRule) -> String {
    let from = match rule.counted_from {
        CountedFrom::LastExposure => "自末次接触起",
        CountedFrom::Release => "自赋码之日起",
    };
    let mut parts = vec![match rule.colour {
        Colour::Green => format!("告知并自我健康监测{}天（{from}）", rule.days),
        Colour::Yellow => format!("黄码管理{}天（{from}）", rule.days),
        Colour::Red => format!("红码管控{}天（{from}）", rule.days),
    }];
    if let Some(end) = &rule.end {
        for tests in end.tests.iter().chain(&end.or_tests) {
            let mut text = format!("{}次核酸阴性", tests.count);
            text += &tests.within_days.map(|days| format!("，{days}天内")).unwrap_or_default();
            let apart = (tests.apart_hours > 0).then(|| format!("，间隔{}小时以上", tests.apart_hours));
            text += &apart.unwrap_or_default();
            text += &tests.after_days.map(|days| format!("，第{days}天起")).unwrap_or_default();
            parts.push(format!("解除条件：{text}"));
        }
        for check in &end.check_ins {
            parts.push(format!("连续{}天健康打卡转{}", check.count, colour_zh(check.colour)));
        }
        for step in &end.steps {
            parts.push(format!("满{}天转{}", step.after_days, colour_zh(step.colour)));
        }
        if end.by_authority {
            parts.push("凭主管部门证明解除".to_owned());
        }
    }
    parts.join("；")
}

/// A class in the words of the protocols.
pub fn class_zh(class: Class) -> &'static str {
    match class {
        Class::Close => "密切接触者",
        Class::Secondary => "密接的密接",
        Class::SameVehicle => "同乘人员",
        Class::ExposedPlace => "同时空暴露人员",
        Class::Companion => "时空伴随者",
        Class::Residual => "涉疫场所暴露人员",
    }
}

fn colour_en(colour: Colour) -> &'static str {
    match colour {
        Colour::Green => "green",
        Colour::Yellow => "yellow",
        Colour::Red => "red",
    }
}

/// A colour as the code is called.
pub fn colour_zh(colour: Colour) -> &'static str {
    match colour {
        Colour::Green => "绿码",
        Colour::Yellow => "黄码",
        Colour::Red => "红码",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule_pack::{CheckIns, EndConditions, Tests};

    fn pack() -> RulePack {
        RulePack::parse(include_str!("../../../policies/baseline-1.toml")).unwrap()
    }

    #[test]
    fn the_days_count_by_the_local_calendar() {
        let pack = pack();
        let close = rule_of(&pack, Class::Close, None).unwrap();
        let china = FixedOffset::east_opt(8 * 3600).unwrap();
        let late = "2026-03-16T16:30:00Z".parse().unwrap();
        assert_eq!(over_on(close, late, china).unwrap().to_string(), "2026-03-27");
        let released = ClassRule { counted_from: CountedFrom::Release, ..close.clone() };
        assert_eq!(over_on(&released, late, china), None);
        assert!(rule_of(&pack, Class::Companion, None).is_none());
        assert_eq!(rule_of(&pack, Class::Close, Some("gone")).unwrap().class, Class::Close);
    }

    #[test]
    fn conditions_are_told_in_both_languages() {
        let pack = pack();
        let close = rule_of(&pack, Class::Close, None).unwrap();
        assert_eq!(
            (ends_en(close), measure_zh(close)),
            (String::new(), "红码管控10天（自末次接触起）".to_owned())
        );
        let tests = Tests { count: 2, apart_hours: 24, within_days: Some(3), after_days: None };
        let check_ins = vec![CheckIns { count: 7, colour: Colour::Green }];
        let end = Some(EndConditions {
            tests: Some(tests),
            check_ins,
            by_authority: true,
            ..EndConditions::default()
        });
        let rule = ClassRule { end, ..close.clone() };
        assert_eq!(
            ends_en(&rule),
            "2 negative tests, 24 hours apart, within 3 days; 7 daily declarations of health: green; an authority's word"
        );
        assert_eq!(
            measure_zh(&rule),
            "红码管控10天（自末次接触起）；解除条件：2次核酸阴性，3天内，间隔24小时以上；连续7天健康打卡转绿码；凭主管部门证明解除"
        );
    }
}
