//! Likely duplicates: whether two entries of the register may be one place.

use std::collections::BTreeMap;

use h3o::CellIndex;
use serde::Serialize;

/// From which likeness on two names of one spot are taken for one venue. Between what must be found
/// (`河南省人民医院` and `河南人民医院`: 0.73) and what must not (`郑州市第一中学` and
/// `郑州市第一医院`: 0.67), see the tests. A reviewer decides; a wrong hint costs a glance.
pub const ALIKE_FROM: f64 = 0.7;

/// Words for the form of a body or for a branch, which say nothing about which venue it is.
const SUFFIXES: &[&str] = &[
    "股份有限公司",
    "有限责任公司",
    "有限公司",
    "分公司",
    "公司",
    "旗舰店",
    "专卖店",
    "连锁店",
    "加盟店",
    "直营店",
    "分店",
    "总店",
    "门店",
    "店",
    "companylimited",
    "coltd",
    "limited",
    "branch",
    "store",
    "ltd",
    "inc",
    "llc",
];

/// What two entries are compared by.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Name of the venue.
    pub name: &'a str,
    /// Its address.
    pub address: &'a str,
    /// The credit code of who answers for it.
    pub credit_code: Option<&'a str>,
    /// Its cell at the resolution of points.
    pub cell: CellIndex,
}

/// Why two entries may be one place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Likeness {
    /// The same unified social credit code and the same address.
    SameLicenceAndAddress,
    /// In one cell of some 25 m edge or side by side, under names that are alike.
    NearAndAlike {
        /// How alike, from [`ALIKE_FROM`] to 1.
        likeness: f64,
    },
}

/// Whether two entries may be one place, and why.
pub fn compare(one: &Entry<'_>, other: &Entry<'_>) -> Option<Likeness> {
    let same_code = one.credit_code.is_some() && one.credit_code == other.credit_code;
    if same_code && plain(one.address) == plain(other.address) {
        return Some(Likeness::SameLicenceAndAddress);
    }
    let likeness = of_names(one.name, other.name);
    let near = neighbourhood(one.cell).contains(&other.cell);
    (near && likeness >= ALIKE_FROM).then_some(Likeness::NearAndAlike { likeness })
}

/// The cells in which another entry for the same door may lie: two people who point at one door on a map
/// may hit both sides of a cell's border.
pub fn neighbourhood(cell: CellIndex) -> Vec<CellIndex> {
    cell.grid_disk(1)
}

/// How alike two names are, from 0 to 1: the Dice coefficient of their pairs of letters, with and without
/// what stands in brackets, whichever is higher. Brackets name a branch, and two entries of one spot are
/// seldom two branches of one chain.
pub fn of_names(one: &str, other: &str) -> f64 {
    let whole = dice(&core(one), &core(other));
    let bare = dice(&core(&without_brackets(one)), &core(&without_brackets(other)));
    whole.max(bare)
}

/// Whether two legal names are one, as licences are copied by hand: width, case, blanks and kinds of
/// brackets do not count, every word does.
pub fn is_same_legal_name(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Letters and digits only, half as wide as they can be, in lower case.
fn plain(text: &str) -> String {
    text.chars()
        .map(half_width)
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The forms that a Chinese keyboard gives letters, digits and signs (U+FF01 to U+FF5E), as in ASCII.
fn half_width(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
        other => other,
    }
}

/// The name without words for forms and branches at its end; a name of nothing else is kept.
fn core(name: &str) -> String {
    let mut rest = plain(name);
    while let Some(shorter) = SUFFIXES.iter().find_map(|suffix| rest.strip_suffix(suffix)) {
        if shorter.is_empty() {
            break;
        }
        rest = shorter.to_owned();
    }
    rest
}

/// The name without what stands in brackets; the whole where nothing else is left.
fn without_brackets(name: &str) -> String {
    let mut depth = 0_usize;
    let mut outside = String::new();
    for letter in name.chars().map(half_width) {
        match letter {
            '(' | '[' | '{' | '【' | '〔' | '「' => depth += 1,
            ')' | ']' | '}' | '】' | '〕' | '」' => depth = depth.saturating_sub(1),
            other if depth == 0 => outside.push(other),
            _inside => {}
        }
    }
    if plain(&outside).is_empty() { name.to_owned() } else { outside }
}

/// Twice the shared pairs of neighbouring letters, by all pairs of both.
fn dice(one: &str, other: &str) -> f64 {
    if one == other {
        return if one.is_empty() { 0.0 } else { 1.0 };
    }
    let (a, b) = (pairs(one), pairs(other));
    let all: u32 = a.values().chain(b.values()).sum();
    let shared: u32 = a.iter().map(|(pair, count)| (*count).min(b.get(pair).copied().unwrap_or(0))).sum();
    if all == 0 { 0.0 } else { f64::from(2 * shared) / f64::from(all) }
}

fn pairs(text: &str) -> BTreeMap<(char, char), u32> {
    let mut counts = BTreeMap::new();
    for pair in text.chars().zip(text.chars().skip(1)) {
        *counts.entry(pair).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::position::{POINT_RESOLUTION, Position};

    #[test]
    fn names_of_one_venue_are_alike() {
        for (one, other) in [
            ("星河餐厅", "星河餐厅（花园路店）"),
            ("郑州星河餐饮有限公司", "郑州星河餐饮有限责任公司"),
            ("ＫＦＣ肯德基", "kfc 肯德基"),
            ("河南省人民医院", "河南人民医院"),
            ("肯德基花园路店", "肯德基（花园路餐厅）"),
            ("大润发超市金水店", "大润发超市(金水分店)"),
            ("丹尼斯百货 花园路", "丹尼斯百货花园路店"),
            ("Star River Restaurant", "STAR RIVER RESTAURANT CO., LTD."),
            ("Starbucks Coffee", "Starbucks"),
            ("Lucky Supermarket (East Gate)", "Lucky supermarket"),
        ] {
            let likeness = of_names(one, other);
            assert!(likeness >= ALIKE_FROM, "{one} / {other}: {likeness}");
            assert!((likeness - of_names(other, one)).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn names_of_two_venues_are_not() {
        for (one, other) in [
            ("郑州市第一中学", "郑州市第一医院"),
            ("老王烧饼店", "老李烧饼店"),
            ("星河餐厅", "银河网吧"),
            ("张三有限公司", "李四有限公司"),
            ("中国银行花园路支行", "中国工商银行花园路支行营业部"),
            ("City Library", "City Gallery"),
            ("North Gate Tea House", "South Gate Noodle House"),
            ("店", "餐厅"),
            ("", ""),
        ] {
            let likeness = of_names(one, other);
            assert!(likeness < ALIKE_FROM, "{one} / {other}: {likeness}");
        }
    }

    #[test]
    fn a_legal_name_is_copied_with_every_word() {
        assert!(is_same_legal_name("郑州星河餐饮（集团）有限公司", "郑州星河餐饮(集团) 有限公司"));
        assert!(!is_same_legal_name("郑州星河餐饮有限公司", "郑州星河餐饮有限责任公司"));
    }

    #[test]
    fn entries_are_alike_by_licence_and_address_or_by_place_and_name() {
        let cell = |lat, lng| Position::new(lat, lng).unwrap().cell(POINT_RESOLUTION);
        let here = Entry {
            name: "星河餐厅",
            address: "花园路1号",
            credit_code: Some("91330100799655058B"),
            cell: cell(34.7466, 113.6253),
        };
        let far = cell(34.76, 113.70);
        let renamed = Entry { name: "春天火锅", address: "花园路 １ 号", cell: far, ..here.clone() };
        assert_eq!(compare(&here, &renamed), Some(Likeness::SameLicenceAndAddress));
        let branch = Entry { address: "东风路9号", cell: far, ..here.clone() };
        assert_eq!(compare(&here, &branch), None, "a chain has venues at other addresses");
        let next_door = neighbourhood(here.cell).into_iter().find(|cell| *cell != here.cell).unwrap();
        let again = Entry { credit_code: None, address: "", cell: next_door, ..here.clone() };
        assert_eq!(compare(&here, &again), Some(Likeness::NearAndAlike { likeness: 1.0 }));
        let other = Entry { name: "老王烧饼", credit_code: None, ..here.clone() };
        assert_eq!(compare(&here, &other), None, "a mall has many venues in one cell");
        let nobody = Entry { credit_code: None, name: "老王烧饼", ..here.clone() };
        assert_eq!(compare(&nobody, &Entry { name: "别家", ..nobody.clone() }), None);
    }
}
