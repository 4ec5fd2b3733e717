//! What ends an assignment, and how it came to what it is, in plain words.

use super::language::Language;
use super::scheme::once_shown;
use super::standing::Ending;
use super::store::Told;
use crate::domain::letter::{Letter, LetterKind};
use crate::domain::rule_pack::{CheckIns, Colour, EndConditions, Tests, TimeStep};
use crate::domain::scheme::Scheme;
use crate::domain::scheme::Shown;

/// What ends it before its days are over: one sentence for each way.
pub(super) fn ends(language: Language, end: &EndConditions) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(end.tests.iter().chain(&end.or_tests).map(|tests| negative_tests(language, tests)));
    if !end.check_ins.is_empty() {
        all.push(check_ins(language, &end.check_ins));
    }
    all.extend(end.steps.iter().map(|step| time_step(language, step)));
    if end.by_authority {
        let words = language.text(
            "主管部门的证明（如出院证明、解除隔离证明）送达后",
            "by certificate of discharge: when the authority’s word that it is over arrives",
        );
        all.push(words.to_owned());
    }
    all
}

fn negative_tests(language: Language, tests: &Tests) -> String {
    let Tests { count, apart_hours, within_days, after_days } = *tests;
    match language {
        Language::Chinese => {
            let within = within_days.map_or_else(String::new, |days| format!("{days} 天内"));
            let apart = if apart_hours > 0 {
                format!("，每两次至少间隔 {apart_hours} 小时")
            } else {
                String::new()
            };
            let after = after_days.map_or_else(String::new, |days| format!("，且已满 {days} 天"));
            format!("{within} {count} 次检测结果为阴性{apart}{after}").trim().to_owned()
        }
        Language::English => {
            let plural = if count == 1 { "" } else { "s" };
            let apart =
                if apart_hours > 0 { format!(" at least {apart_hours} hours apart") } else { String::new() };
            let within =
                within_days.map_or_else(String::new, |days| format!(" within {} days", number(days)));
            let after = after_days
                .map_or_else(String::new, |days| format!(", when {} days have passed", number(days)));
            format!("{} negative test{plural}{apart}{within}{after}", number(count))
        }
    }
}

fn time_step(language: Language, step: &TimeStep) -> String {
    let (days, to) = (step.after_days, colour_name(language, step.colour));
    match language {
        Language::Chinese => format!("满 {days} 天后 → {to}"),
        Language::English => format!("after {} days → {to}", number(days)),
    }
}

/// A colour within a sentence.
fn colour_name(language: Language, colour: Colour) -> &'static str {
    match (language, colour) {
        (Language::Chinese, colour) => language.colour(plain(colour)),
        (Language::English, Colour::Green) => "green",
        (Language::English, Colour::Yellow) => "yellow",
        (Language::English, Colour::Red) => "red",
    }
}

fn check_ins(language: Language, check_ins: &[CheckIns]) -> String {
    let colour = |colour| colour_name(language, colour);
    let step = |first: bool, CheckIns { count, colour: to }: &CheckIns| match (language, first) {
        (Language::Chinese, true) => format!("连续 {count} 天健康打卡 → {}", colour(*to)),
        (Language::Chinese, false) => format!("连续 {count} 天 → {}", colour(*to)),
        (Language::English, true) => format!("{count} daily check-ins → {}", colour(*to)),
        (Language::English, false) => format!("{count} → {}", colour(*to)),
    };
    let steps = check_ins.iter().enumerate().map(|(at, one)| step(at == 0, one));
    steps.collect::<Vec<_>>().join(language.text("，", ", "))
}

/// A number as one says it.
fn number(number: u32) -> String {
    const WORDS: [&str; 11] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let word = usize::try_from(number).ok().and_then(|at| WORDS.get(at));
    word.map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

/// Colours of end conditions are those of the rule pack, which has three.
fn plain(colour: Colour) -> Shown {
    match colour {
        Colour::Green => Shown::Green,
        Colour::Yellow => Shown::Yellow,
        Colour::Red => Shown::Red,
    }
}

/// One step of a history, without its date. `before` is what was shown until then.
pub(super) fn step(
    language: Language,
    scheme: Scheme,
    letter: &Letter,
    before: Option<&Told>,
    told: &Told,
) -> String {
    let name = |colour| language.colour(once_shown(scheme, letter, colour));
    let t = |zh, en| language.text(zh, en);
    let now = name(told.colour);
    match told.kind {
        LetterKind::Assigned => format!("{}{now}", t("赋码：", "Assigned: ")),
        LetterKind::Extended => t("因再次暴露而延长", "Extended, because of a later exposure").to_owned(),
        LetterKind::Downgraded => {
            let was = before.map(|before| name(before.colour)).filter(|was| *was != now);
            match was {
                Some(was) => format!("{}{was} → {now}", t("降级：", "Changed: ")),
                None => format!("{}{now}", t("降级为", "Changed to ")),
            }
        }
        LetterKind::Ended | LetterKind::Expired => ended(language, told.kind.into()).to_owned(),
        LetterKind::Withdrawn => match told.reason.as_deref().filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("{}{reason}", t("已撤回，原因：", "It was taken back because: ")),
            None => ended(language, Ending::Withdrawn).to_owned(),
        },
    }
}

/// How something came to its end.
pub(super) fn ended(language: Language, ending: Ending) -> &'static str {
    match ending {
        Ending::Open => language.text("有效", "It holds"),
        Ending::Expired => language.text("到期自动结束", "It ended by itself: its days were over"),
        Ending::Ended => {
            language.text("已满足解除条件，自动结束", "It ended: the condition that ends it was met")
        }
        Ending::Withdrawn => language
            .text("判定依据已撤销，该判定已撤回", "It was taken back: what it rested on does not hold"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_conditions_read_as_somebody_would_say_them() {
        let tests = Tests { count: 2, apart_hours: 24, within_days: Some(3), after_days: None };
        let check_ins = vec![
            CheckIns { count: 7, colour: Colour::Yellow },
            CheckIns { count: 14, colour: Colour::Green },
        ];
        let steps = vec![TimeStep { after_days: 14, colour: Colour::Yellow }];
        let end =
            EndConditions { tests: Some(tests), or_tests: vec![], check_ins, steps, by_authority: true };
        let english = ends(Language::English, &end);
        assert_eq!(english[0], "two negative tests at least 24 hours apart within three days");
        assert_eq!(english[1], "7 daily check-ins → yellow, 14 → green");
        assert_eq!(english[2], "after 14 days → yellow");
        assert!(english[3].starts_with("by certificate of discharge"));
        let chinese = ends(Language::Chinese, &end);
        assert_eq!(chinese[0], "3 天内 2 次检测结果为阴性，每两次至少间隔 24 小时");
        assert_eq!(chinese[1], "连续 7 天健康打卡 → 黄码，连续 14 天 → 绿码");
        assert_eq!(chinese[2], "满 14 天后 → 黄码");
        assert!(ends(Language::English, &EndConditions::default()).is_empty());
        let late = Tests { count: 1, apart_hours: 0, within_days: None, after_days: Some(14) };
        let late = EndConditions { tests: Some(late), ..EndConditions::default() };
        assert_eq!(ends(Language::English, &late), ["one negative test, when 14 days have passed"]);
        assert_eq!(ends(Language::Chinese, &late), ["1 次检测结果为阴性，且已满 14 天"]);
    }
}
