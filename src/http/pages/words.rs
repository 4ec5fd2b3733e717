//! The words for what the domain knows, in both languages, and shapes beside them.

use maud::{Markup, html};

use super::view::Lang;
use crate::domain::access::Role;
use crate::domain::appeal::{AppealReason, Verdict};
use crate::domain::assignment::EventKind;
use crate::domain::case::CaseKind;
use crate::domain::exposure::Relation;
use crate::domain::looking::LookKind;
use crate::domain::review::ReviewKind;
use crate::domain::rule_pack::{Class, Colour};
use crate::domain::scan::Presence;
use crate::domain::stay::EndedBy;
use crate::domain::venue::{Granularity, OrganisationKind, VenueState};
use crate::http::own_words::Because;
use crate::http::trails::Source;
use crate::store::runs::RunState;

/// What a state feels like: a colour and a shape, always beside a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// A disc with a tick.
    Good,
    /// A ring.
    Waiting,
    /// A triangle with an exclamation mark.
    Careful,
    /// An octagon with a bar.
    Stopped,
    /// A square with a bar.
    Over,
}

/// A shape for a tone, so that nobody needs to tell colours apart.
pub(super) fn shape(tone: Tone) -> Markup {
    html! {
        svg.shape viewBox="0 0 48 48" aria-hidden="true" {
            @match tone {
                Tone::Good => { circle.fill cx="24" cy="24" r="22" {} path.line d="M13 25l8 8 15-17" {} }
                Tone::Waiting => { circle.ring cx="24" cy="24" r="19" {} path.hand d="M24 13v12l8 5" {} }
                Tone::Careful => { path.fill d="M24 3L46 43H2z" {} path.line d="M24 17v13M24 36v1" {} }
                Tone::Stopped => { path.fill d="M15 2h18l13 13v18L33 46H15L2 33V15z" {} path.line d="M13 24h22" {} }
                Tone::Over => { rect.fill x="4" y="4" width="40" height="40" rx="6" {} path.line d="M13 24h22" {} }
            }
        }
    }
}

/// The class of the style sheet for a tone.
pub(super) fn class_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Waiting => "waiting",
        Tone::Careful => "careful",
        Tone::Stopped => "stopped",
        Tone::Over => "over",
    }
}

/// Colour, shape and word.
pub(super) fn badge(tone: Tone, word: &str) -> Markup {
    html! { span class={ "badge " (class_of(tone)) } { (shape(tone)) span { (word) } } }
}

pub(super) fn venue_state(lang: Lang, state: VenueState) -> Markup {
    match state {
        VenueState::Submitted => badge(Tone::Waiting, lang.say("待审核", "Submitted")),
        VenueState::Approved => badge(Tone::Good, lang.say("已通过", "Approved")),
        VenueState::Suspended => badge(Tone::Stopped, lang.say("已暂停", "Suspended")),
        VenueState::Closed => badge(Tone::Over, lang.say("已关闭", "Closed")),
        VenueState::Rejected => badge(Tone::Stopped, lang.say("已退回", "Rejected")),
    }
}

pub(super) fn run_state(lang: Lang, state: RunState) -> Markup {
    match state {
        RunState::Queued => badge(Tone::Waiting, lang.say("排队计算中", "Queued")),
        RunState::Computed => badge(Tone::Waiting, lang.say("已算出，未生效", "Computed, nothing is out")),
        RunState::Failed => badge(Tone::Stopped, lang.say("计算失败", "Failed")),
        RunState::Proposing => badge(Tone::Waiting, lang.say("正在生成提案", "Being proposed")),
        RunState::Proposed => badge(Tone::Careful, lang.say("待两人放行", "Waits for two officers")),
        RunState::Released => badge(Tone::Good, lang.say("已放行", "Released")),
        RunState::Withdrawn => badge(Tone::Over, lang.say("已撤回", "Withdrawn")),
        RunState::Cancelled => badge(Tone::Over, lang.say("已取消", "Cancelled")),
    }
}

pub(super) fn colour(lang: Lang, colour: Colour) -> Markup {
    match colour {
        Colour::Green => badge(Tone::Good, lang.say("绿码", "Green")),
        Colour::Yellow => badge(Tone::Careful, lang.say("黄码", "Yellow")),
        Colour::Red => badge(Tone::Stopped, lang.say("红码", "Red")),
    }
}

pub(super) fn class(lang: Lang, class: Class) -> &'static str {
    match class {
        Class::Close => lang.say("密切接触者", "Close contact"),
        Class::Secondary => lang.say("次密切接触者", "Contact of a contact"),
        Class::SameVehicle => lang.say("同乘交通工具", "Same vehicle"),
        Class::ExposedPlace => lang.say("同时段到过同一场所", "Same place at the same time"),
        Class::Companion => lang.say("时空伴随", "Same area for long"),
        Class::Residual => lang.say("病例离开后不久到过", "There soon after the case"),
    }
}

pub(super) fn role(lang: Lang, role: Role) -> &'static str {
    match role {
        Role::Administrator => lang.say("系统管理员", "Administrator"),
        Role::VenueManager => lang.say("场所管理员", "Venue manager"),
        Role::Inspector => lang.say("场所核查员", "Inspector"),
        Role::Investigator => lang.say("流调人员", "Investigator"),
        Role::ReleasingOfficer => lang.say("放行人员", "Releasing officer"),
        Role::ChiefOfficer => lang.say("首席放行人员", "Chief officer"),
        Role::Auditor => lang.say("审计员", "Auditor"),
        Role::ScanSource => lang.say("扫码数据来源", "Source of scans"),
        Role::DoorStaff => lang.say("检测员（门口工作人员）", "Door staff"),
        Role::PlaceAuthority => lang.say("场所升级管控批准人员", "Place authority"),
    }
}

pub(super) fn review(lang: Lang, kind: ReviewKind) -> &'static str {
    match kind {
        ReviewKind::LeftOut => lang.say("排除", "left out"),
        ReviewKind::TakenBack => lang.say("撤销排除", "taken back in"),
        ReviewKind::Promoted => lang.say("上调", "promoted"),
        ReviewKind::Demoted => lang.say("下调", "demoted"),
        ReviewKind::Kept => lang.say("维持", "kept as it is"),
        ReviewKind::Escalated => lang.say("随场所整体升级", "escalated with a place"),
    }
}

/// What somebody looked at.
pub(super) fn look_kind(lang: Lang, kind: LookKind) -> &'static str {
    match kind {
        LookKind::Trail => lang.say("病例的活动轨迹", "The trail of a case"),
        LookKind::Contacts => lang.say("接触者名单", "A list of contacts"),
        LookKind::Evidence => lang.say("判定证据", "The evidence"),
        LookKind::Why => lang.say("判定理由", "The reasons"),
        LookKind::Report => lang.say("报告或导出文件", "A report or a file"),
        LookKind::Comparison => lang.say("两次计算的比较", "A comparison of two runs"),
        LookKind::Coverage => lang.say("扫码覆盖情况", "How well places were scanned"),
        LookKind::Backward => lang.say("溯源分析", "What cases have in common"),
        LookKind::Batch => lang.say("多病例批量计算", "Many cases at once"),
        LookKind::Assignment => lang.say("赋码记录", "An assignment"),
        LookKind::Appeal => lang.say("申诉", "An appeal"),
        LookKind::TakenBack => lang.say("您更正过的记录", "What you had corrected"),
    }
}

/// Why somebody appeals.
pub(super) fn appeal_reason(lang: Lang, reason: AppealReason) -> &'static str {
    match reason {
        AppealReason::NotThere => lang.say("我没有到过那里", "I was not there"),
        AppealReason::SomebodyElse => lang
            .say("他人扫码或使用了我的手机、卡片", "Somebody else scanned for me or with my phone or card"),
        AppealReason::WrongTime => {
            lang.say("时间不对，或停留更短", "The time is wrong, or I stayed less long")
        }
        AppealReason::StatusKnown => {
            lang.say("有未计入的检测或治疗结果", "A test or a treatment was not taken into account")
        }
        AppealReason::Other => lang.say("其他", "Something else"),
    }
}

/// How an appeal ended.
pub(super) fn verdict(lang: Lang, verdict: Verdict) -> Markup {
    match verdict {
        Verdict::Granted => {
            badge(Tone::Good, lang.say("申诉成立，赋码撤回", "Granted: the colour is withdrawn"))
        }
        Verdict::Refused => badge(Tone::Stopped, lang.say("申诉不成立", "Refused")),
        Verdict::Settled => {
            badge(Tone::Over, lang.say("赋码已另行撤回", "Withdrawn already for another reason"))
        }
    }
}

/// What happened to an assignment.
pub(super) fn event(lang: Lang, kind: EventKind) -> &'static str {
    match kind {
        EventKind::Proposed => lang.say("提出", "Proposed"),
        EventKind::Released => lang.say("由两人放行", "Let go by two officers"),
        EventKind::Delivered => lang.say("健康码系统已确认", "Taken by the health-code system"),
        EventKind::Extended => lang.say("因新的接触延长", "Extended after a later exposure"),
        EventKind::Downgraded => lang.say("降级", "Became weaker"),
        EventKind::Ended => lang.say("满足条件，解除", "Ended: its condition was met"),
        EventKind::Withdrawn => lang.say("撤回", "Withdrawn"),
        EventKind::Expired => lang.say("到期解除", "Ended: its days were over"),
    }
}

/// Why an assignment was taken back.
pub(super) fn because(lang: Lang, because: Because) -> &'static str {
    match because {
        Because::AppealGranted => lang.say("您的申诉成立", "your appeal was granted"),
        Because::NoLongerMet => lang.say("重新计算后不再符合规则", "a later computation no longer found it"),
        Because::GroundTakenBack => {
            lang.say("依据已撤回或更正", "what it rested on was taken back or corrected")
        }
    }
}

pub(super) fn case_kind(lang: Lang, kind: CaseKind) -> &'static str {
    match kind {
        CaseKind::Confirmed => lang.say("确诊病例", "Confirmed"),
        CaseKind::Suspected => lang.say("疑似病例", "Suspected"),
        CaseKind::Asymptomatic => lang.say("无症状感染者", "Asymptomatic"),
    }
}

/// Where a stay of a trail is known from.
pub(super) fn source(lang: Lang, source: Source) -> &'static str {
    match source {
        Source::Scan => lang.say("扫码", "Scan"),
        Source::Interview => lang.say("询问", "Interview"),
        Source::Camera => lang.say("监控录像", "Camera"),
        Source::Payment => lang.say("支付记录", "Payment"),
        Source::Ticket => lang.say("票据", "Ticket"),
    }
}

/// The value that stands for a source in a form.
pub(super) fn source_word(source: Source) -> &'static str {
    match source {
        Source::Scan => "scan",
        Source::Interview => "interview",
        Source::Camera => "camera",
        Source::Payment => "payment",
        Source::Ticket => "ticket",
    }
}

pub(super) fn presence(lang: Lang, presence: Presence) -> &'static str {
    match presence {
        Presence::Contradicted => {
            lang.say("与手机位置不符（不作为判定依据）", "contradicted (never leads to a colour)")
        }
        Presence::Unproven => lang.say("自行扫码", "own scan"),
        Presence::Plausible => lang.say("自行扫码，位置相符", "own scan, phone nearby"),
        Presence::Verified => lang.say("现场核验", "verified on the spot"),
    }
}

pub(super) fn ended_by(lang: Lang, ended: EndedBy) -> &'static str {
    match ended {
        EndedBy::Assumed => lang.say("按通常停留时间推定", "assumed by the usual stay"),
        EndedBy::ClosingTime => lang.say("场所关门", "closing time"),
        EndedBy::NextScan => lang.say("在别处扫码", "scanned elsewhere"),
        EndedBy::Left => lang.say("扫码离开", "scanned out"),
    }
}

pub(super) fn relation(lang: Lang, relation: Relation) -> &'static str {
    match relation {
        Relation::SamePoint => lang.say("同一点位", "same point"),
        Relation::SameVenue => lang.say("同一场所", "same venue"),
        Relation::NearbyCell => lang.say("邻近网格", "nearby cell"),
        Relation::AfterCase => lang.say("同一点位,病例离开后", "same point, after the case left"),
    }
}

pub(super) fn granularity(lang: Lang, granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::Seat => lang.say("座位", "Seat"),
        Granularity::Room => lang.say("房间", "Room"),
        Granularity::Floor => lang.say("楼层", "Floor"),
        Granularity::Hall => lang.say("大厅", "Hall"),
        Granularity::OpenAir => lang.say("露天", "Open air"),
        Granularity::Vehicle => lang.say("车厢", "Vehicle"),
    }
}

/// The value that stands for a granularity in a form.
pub(super) fn granularity_word(granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::Seat => "seat",
        Granularity::Room => "room",
        Granularity::Floor => "floor",
        Granularity::Hall => "hall",
        Granularity::OpenAir => "open_air",
        Granularity::Vehicle => "vehicle",
    }
}

pub(super) fn organisation_kind(lang: Lang, kind: OrganisationKind) -> &'static str {
    match kind {
        OrganisationKind::Company => lang.say("企业、个体工商户", "Company or trader"),
        OrganisationKind::Government => lang.say("机关", "Authority"),
        OrganisationKind::Institution => lang.say("事业单位", "Public institution"),
        OrganisationKind::Social => lang.say("社会组织", "Association or foundation"),
        OrganisationKind::Other => lang.say("其他", "Other"),
    }
}

/// The value that stands for a kind of organisation in a form.
pub(super) fn kind_word(kind: OrganisationKind) -> &'static str {
    match kind {
        OrganisationKind::Company => "company",
        OrganisationKind::Government => "government",
        OrganisationKind::Institution => "institution",
        OrganisationKind::Social => "social",
        OrganisationKind::Other => "other",
    }
}

/// A position to five decimals, which is a metre.
pub(super) fn position(lat_deg: f64, lng_deg: f64) -> String {
    format!("{lat_deg:.5}, {lng_deg:.5}")
}

/// A length of time in minutes, or hours and minutes.
pub(super) fn duration(lang: Lang, secs: i64) -> String {
    let (hours, mins) = (secs / 3600, secs % 3600 / 60);
    match (lang, hours) {
        (Lang::Chinese, 0) => format!("{mins} 分钟"),
        (Lang::Chinese, _) => format!("{hours} 小时 {mins} 分钟"),
        (Lang::English, 0) => format!("{mins} min"),
        (Lang::English, _) => format!("{hours} h {mins} min"),
    }
}
