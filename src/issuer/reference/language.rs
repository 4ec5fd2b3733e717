//! The two languages of the pages, and the words for what letters say.

use crate::domain::rule_pack::Class;
use crate::domain::scheme::Shown;
use crate::domain::visitor::IdentityKind;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Language {
    /// The language that a tag such as `zh-CN` or `en` begins with.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        match tag.trim().get(..2)?.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Chinese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// The first language of `Accept-Language` that there is. Browsers list them by preference.
    pub(super) fn of_header(accept: &str) -> Option<Self> {
        accept.split(',').take(20).find_map(Self::of_tag)
    }

    /// The tag of the language.
    pub(super) fn tag(self) -> &'static str {
        self.text("zh-CN", "en")
    }

    /// The other language, and its own name.
    pub(super) fn other(self) -> (&'static str, &'static str) {
        match self {
            Self::Chinese => ("en", "English"),
            Self::English => ("zh-CN", "中文"),
        }
    }

    /// The text in this language.
    pub(super) fn text<'a>(self, chinese: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::Chinese => chinese,
            Self::English => english,
        }
    }

    /// The name of a colour.
    pub(super) fn colour(self, colour: Shown) -> &'static str {
        match colour {
            Shown::Green => self.text("绿码", "Green"),
            Shown::Yellow => self.text("黄码", "Yellow"),
            Shown::Orange => self.text("橙码", "Orange"),
            Shown::Red => self.text("红码", "Red"),
        }
    }

    /// What a colour means, in a sentence.
    pub(super) fn meaning(self, colour: Shown) -> &'static str {
        match colour {
            Shown::Green => self.text("目前没有针对您的防控措施。", "There is no measure about you."),
            Shown::Yellow => {
                self.text("您可能有暴露风险，原因如下。", "You may have been exposed. The reasons are below.")
            }
            Shown::Orange => self.text(
                "您被判定为密切接触者，原因如下。",
                "You count as a close contact. The reasons are below.",
            ),
            Shown::Red => self.text(
                "您目前处于健康管理中，原因如下。",
                "You are under health management. The reasons are below.",
            ),
        }
    }

    /// How somebody was exposed, in a sentence.
    pub(super) fn class(self, class: Class) -> &'static str {
        match class {
            Class::Close => self.text(
                "流调人员将您判定为密切接触者",
                "An investigator has determined that you are a close contact",
            ),
            Class::Secondary => {
                self.text("您是密切接触者的密切接触者", "You are a contact of a close contact")
            }
            Class::SameVehicle => {
                self.text("您与病例乘坐过同一交通工具", "You were in the same vehicle as a case")
            }
            Class::ExposedPlace => self.text(
                "您与病例在同一时段到过同一场所",
                "You were at the same place at the same time as a case",
            ),
            Class::Companion => self.text(
                "您与病例长时间处于同一区域（时空伴随）",
                "You were in the same area as a case for a long time",
            ),
            Class::Residual => self
                .text("您在病例离开后不久到过同一场所", "You were at a place soon after a case had left it"),
        }
    }

    /// The name of a kind of document.
    pub(super) fn document(self, kind: IdentityKind) -> &'static str {
        match kind {
            IdentityKind::ResidentCard => self.text("居民身份证", "Resident identity card"),
            IdentityKind::HongKongMacauPermit => {
                self.text("港澳居民来往内地通行证", "Permit for Hong Kong and Macau residents")
            }
            IdentityKind::TaiwanPermit => self.text("台湾居民来往大陆通行证", "Permit for Taiwan residents"),
            IdentityKind::Passport => self.text("护照", "Passport"),
            IdentityKind::ResidencePermit => {
                self.text("外国人永久居留身份证", "Foreigner’s permanent residence card")
            }
            IdentityKind::Other => self.text("其他", "Other"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language_counts() {
        assert_eq!(Language::of_header("fr-CH, en;q=0.9, zh;q=0.8"), Some(Language::English));
        assert_eq!(Language::of_header("ZH-Hans-CN"), Some(Language::Chinese));
        assert_eq!(Language::of_header("de, *"), None);
        assert_eq!(Language::of_tag("é"), None);
    }
}
