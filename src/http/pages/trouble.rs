//! Errors on pages are pages: what is wrong in words, and a way back.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use maud::{Markup, html};
use url::form_urlencoded;

use super::layout::page;
use super::view::{View, go};
use super::words::{Tone, class_of, shape};
use super::{access_of, belongs_to_api};
use crate::http::error::ApiError;
use crate::http::routes::Access;

/// Around every request: where a page was asked for, an error becomes a page, and whoever is not
/// signed in is asked to sign in.
pub async fn dress(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let Some(error) = response.response().error().and_then(|error| error.as_error::<ApiError>()) else {
        return Ok(response);
    };
    if !asks_for_page(response.request()) {
        return Ok(response);
    }
    let mut dressed = answer(response.request(), error);
    for name in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name) {
            dressed.headers_mut().insert(name, value.clone());
        }
    }
    Ok(response.into_response(dressed))
}

/// The answer for an error that comes when the request itself is gone: a page, where one was asked for.
pub fn answer_later(request: &HttpRequest) -> impl FnOnce(&ApiError) -> HttpResponse + use<> {
    let view = asks_for_page(request).then(|| View::of(request));
    move |error| {
        let plain = error.error_response();
        let Some(view) = view else { return plain };
        let mut page = explain(&view, error, "/");
        if let Some(value) = plain.headers().get(header::RETRY_AFTER) {
            page.headers_mut().insert(header::RETRY_AFTER, value.clone());
        }
        page
    }
}

/// Whether the answer is to be a page: at the address of one, or for a browser that lost its way.
fn asks_for_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let browser = || accept.is_some_and(|accept| accept.contains("text/html"));
    !belongs_to_api(request.path()) && (access_of(request.method(), request.path()).is_some() || browser())
}

fn answer(request: &HttpRequest, error: &ApiError) -> HttpResponse {
    let access = access_of(request.method(), request.path());
    let staff = matches!(access, Some(Access::Roles(_)));
    if staff && matches!(error, ApiError::Unauthenticated(_)) {
        // What a form would have done is not done by signing in, so only a page is gone back to.
        let back = if request.method() == Method::GET { request.uri().to_string() } else { "/desk".into() };
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &back).finish();
        return go(&format!("/login?{query}"));
    }
    explain(&View::of(request), error, if staff { "/desk" } else { "/" })
}

/// The page that says what is wrong.
pub(super) fn explain(view: &View, error: &ApiError, back: &str) -> HttpResponse {
    let title = title(view, error);
    let detail = detail(view, error);
    let tone = if error.status_code().is_server_error() { Tone::Waiting } else { Tone::Stopped };
    let body = html! {
        section class={ "status " (class_of(tone)) } { (shape(tone)) h1 { (title) } p { (detail) } }
        p { a.button href=(back) { (view.say("返回", "Go back")) } }
        p.small { (error.status_code().as_u16()) }
    };
    page(view, error.status_code(), title, &body)
}

/// The page that says why something is not there for a visitor, and perhaps a way on.
pub(super) fn refuse(
    view: &View,
    status: StatusCode,
    tone: Tone,
    chinese: (&str, &str),
    english: (&str, &str),
    further: Option<&Markup>,
) -> HttpResponse {
    let title = view.say(chinese.0, english.0);
    let body = html! {
        section class={ "status " (class_of(tone)) } {
            (shape(tone)) h1 { (title) } p { (view.say(chinese.1, english.1)) }
        }
        p { a.button href="/" { (view.say("手动输入编码", "Type a code")) } }
        @if let Some(further) = further { (further) }
    };
    page(view, status, title, &body)
}

fn title<'a>(view: &'a View, error: &ApiError) -> &'a str {
    match error {
        ApiError::Malformed(_) | ApiError::TooLarge(_) | ApiError::TooSlow => {
            view.say("无法读取该请求", "This request cannot be read")
        }
        ApiError::Unauthenticated(_) => view.say("请先确认身份", "Please say who you are"),
        ApiError::Forbidden(_) | ApiError::Refused(_) => view.say("不允许该操作", "This is not allowed"),
        ApiError::NotFound(_) => view.say("没有找到", "Not found"),
        ApiError::Method(_) => view.say("该地址不支持此操作", "This address does not take that"),
        ApiError::Conflict(_) => view.say("现在不能这样做", "This cannot be done now"),
        ApiError::Invalid { .. } => view.say("填写有误", "Something is not right"),
        ApiError::TooMany(_) => view.say("操作过于频繁", "Too many requests"),
        ApiError::Busy | ApiError::NotKept(_) => view.say("服务繁忙", "The service is busy"),
        ApiError::Internal(_) => view.say("系统出错", "Something went wrong"),
    }
}

/// What is wrong, in a sentence.
pub(super) fn detail(view: &View, error: &ApiError) -> String {
    let english = error.to_string();
    if view.say("zh", "en") == "en" {
        return english;
    }
    match error {
        ApiError::Forbidden(text)
        | ApiError::Refused(text)
        | ApiError::Conflict(text)
        | ApiError::Unauthenticated(text) => in_chinese(text).map_or(english, str::to_owned),
        ApiError::NotFound(_) => "该内容不存在，可能已被删除或地址有误。".to_owned(),
        ApiError::TooMany(secs) => format!("请等待 {secs} 秒后再试。"),
        ApiError::Busy => "请稍后再试。".to_owned(),
        ApiError::NotKept(_) => "本次扫码未能记录，请几秒后再试，或请工作人员登记在纸上。".to_owned(),
        ApiError::TooSlow => "网络较慢，内容未能及时送达，请重试。".to_owned(),
        ApiError::Internal(_) => "我们这边出了问题，请稍后再试。".to_owned(),
        ApiError::Invalid { field, reason } => {
            format!("{}：{}", field_name(field), in_chinese(reason).unwrap_or(reason))
        }
        ApiError::Malformed(_) | ApiError::TooLarge(_) | ApiError::Method(_) => english,
    }
}

/// Names of fields as the forms label them.
fn field_name(field: &str) -> &str {
    match field {
        "organisation" => "单位名称",
        "credit_code" => "统一社会信用代码",
        "name" => "场所名称",
        "points.name" => "点位名称",
        "short_name" => "简称",
        "street" => "街道或乡镇",
        "superior" => "主管部门",
        "outline" => "轮廓",
        "stops" | "stops.number" | "stops.name" | "stops.position" => "站点",
        "points" => "点位",
        "points.position" => "点位位置",
        "points.mobile" => "点位是否移动",
        "role" => "角色",
        "login" => "用户名",
        "password" => "密码",
        "display_name" => "姓名",
        "category" => "场所类别",
        "division" => "区划代码",
        "address" => "地址",
        "position" => "经纬度",
        "capacity" => "容量",
        "contact_name" => "联系人",
        "contact_phone" => "联系电话",
        "reason" => "理由",
        "purpose" => "目的",
        "visitor" => "来访者代号",
        "dates" | "day" => "日期",
        "onset_at" => "发病时间",
        "sampled_at" => "采样时间",
        "isolated_at" => "隔离时间",
        "authority" => "报告机构",
        "legal_basis" => "法律依据",
        "rule_pack" => "规则包",
        "code" => "场所码",
        "expires_at" => "到期时间",
        "return_to" => "返回地址",
        "form" => "表单",
        "shown" => "出示的码或随身卡",
        "assertion" => "身份凭证",
        "direction" => "进出方向",
        "line" | "lines" => "登记表",
        "time" | "occurred_at" => "时间",
        "place" => "地点",
        "venue" => "场所编号",
        "point" => "点位编号",
        "cell" => "网格",
        "radius_m" => "误差半径",
        "row" => "排",
        "seat" => "座位",
        "from" => "开始时间",
        "until" => "结束时间",
        "source" => "依据",
        "case_no" => "病例编号",
        other => other,
    }
}

/// What visitors meet who appeal or correct.
fn of_visitors(english: &str) -> Option<&'static str> {
    Some(match english {
        "must be a PNG, a JPEG or a PDF, by its content and not by its name" => {
            "须为 PNG、JPEG 或 PDF 文件。"
        }
        "must have 1 MiB at the most" => "不得超过 1 MiB。",
        "an appeal takes three files" => "一次申诉最多三个附件。",
        "an appeal against it is open" => "已有申诉正在处理。",
        "this appeal was decided already" => "该申诉已有决定。",
        "you had a hand in what this appeal is about; somebody else decides it" => {
            "您参与过该决定，须由他人审理。"
        }
        "a colour rests on this stay; appeal against it under /me/assignments" => {
            "已据此记录赋码，请在“我为什么被赋码”中申诉。"
        }
        "this stay was corrected already" => "该记录已更正过。",
        "your leaving is known by a scan already" => "您的离开时间已由扫码确定。",
        "staff or a device scanned you there; ask the venue, or appeal if a colour ever rests on it" => {
            "该记录由工作人员或设备登记，请联系场所；如日后据此赋码，可以申诉。"
        }
        "must lie between your last scan there and the end" => "须在您最后一次扫码之后、记录结束之前。",
        _ => return None,
    })
}

/// What staff meet most. What stands only in English is shown in English rather than not at all.
fn in_chinese(english: &str) -> Option<&'static str> {
    Some(match english {
        "this form has expired; open the page again" => "表单已过期，请重新打开页面。",
        "your role may not do this" => "您的角色没有此权限。",
        "this belongs to another jurisdiction" => "该内容属于其他辖区。",
        "this venue is not yours" => "该场所不由您管理。",
        "this division is not yours" => "该区划不在您的辖区内。",
        "only a person may do this" => "此操作只能由工作人员本人进行。",
        "name or password is wrong" => "用户名或密码错误。",
        "the assertion is forged, stale, or meant for others" => "身份凭证无效或已过期，请重新扫码。",
        "the channel is not known" => "该身份平台未在本服务登记。",
        "a visitor token is needed" => "请先通过身份平台确认身份。",
        "the visitor token is not genuine or has ended" => "身份确认已过期，请重新确认。",
        "this form was sent from another site" => "该表单来自其他网站，已拒绝。",
        "only a computed run can be proposed, and only once" => "只有已算出的结果可以提交，且只能提交一次。",
        "only a proposed run can be released" => "只有已提交的提案可以放行。",
        "whoever proposed a run cannot release it" => "提交人不能放行自己的提案。",
        "you have given your word already; it takes another officer's" => {
            "您已表示同意，还需要另一位放行人员同意。"
        }
        "contacts can be left out only before the run is proposed" => "只能在提交之前排除接触者。",
        "the case was withdrawn already" => "该病例已经撤回。",
        "whoever entered or corrected a venue cannot approve it" => "不能审核通过自己登记或改正的场所。",
        "20 of your venues wait for a review; wait until one was reviewed" => {
            "您已有 20 个场所待审核，请等待审核后再登记。"
        }
        "a closed venue stays as it is; register it anew" => "已关闭的场所不能修改，请重新登记。",
        "none of your venues belongs to this organisation" => "该单位名下没有您的场所。",
        "this is the last manager of the venue; invite another first" => {
            "这是该场所唯一的管理员，请先邀请另一位管理员。"
        }
        "50 invitations of this venue are open; end some of them first" => {
            "该场所已有 50 个待接受的邀请，请先取消一些。"
        }
        "an account of an office cannot work for a venue; use another one" => {
            "公务账号不能加入场所，请使用其他账号。"
        }
        "you manage this venue already" => "您已是该场所的管理员。",
        "cannot change once the venue was approved; a venue that moves is closed and registered anew" => {
            "审核通过后不能修改；搬迁请关闭后重新登记。"
        }
        "was reviewed; only an inspector can change it now" => "已经审核，只有核查员可以修改。",
        "is needed for a company; it is on its licence" => "企业必须填写，见营业执照。",
        "is needed: lat_deg and lng_deg, or an outline" => "请填写经纬度或轮廓。",
        "needs both degrees north and degrees east" => "请同时填写纬度和经度。",
        "lies outside the outline" | "lies outside the outline of the venue" => "在轮廓之外。",
        "must be 2 to 40 of a-z 0-9 . _ -" => "应为 2–40 位小写字母、数字或 . _ - 符号。",
        "a password has at least 12 characters" => "密码至少 12 个字符。",
        "the venue is not in a state that this decision fits" => "场所当前状态不适用此决定。",
        "the codes of this point were revoked; add a new point" => "该点位的场所码已作废，请新增点位。",
        "the point has used all its generations; add a new point" => "该点位的版本已用尽，请新增点位。",
        "a point has at most 20 screens; end one first" => "每个点位最多 20 块屏幕，请先停用一块。",
        "must lie in the future; `revoke` ends codes at once" => "应为将来的时间；立即停用请选择作废。",
        "must lie within 400 days" => "最多为 400 天之后。",
        "this is there already" => "已存在相同内容。",
        "must be 32 hexadecimal digits in lower case" => "应为 32 位小写十六进制数字。",
        "must be a date and time: 2026-03-10T14:30" => "应为日期和时间，例如 2026-03-10T14:30。",
        "must be a path of this service" => "必须是本服务内的地址。",
        "must be a number" => "应为数字。",
        _ => return of_visitors(english).or_else(|| on_a_trail(english)).or_else(|| at_a_door(english)),
    })
}

/// What investigators meet.
fn on_a_trail(english: &str) -> Option<&'static str> {
    Some(match english {
        "the case was withdrawn" => "该病例已撤回。",
        "the case says this already" => "与现有内容相同，无需更正。",
        "the stay was removed; put it back first" => "该停留已移出，请先恢复。",
        "the stay was removed already" => "该停留已经移出。",
        "the stay is there" => "该停留没有移出。",
        "must be given by one of code, point, venue and address" => "请填写场所码、场所编号、地址三者之一。",
        "must lie within 48 hours after `from`, and not in the future" => {
            "应在开始后 48 小时之内，且不晚于现在。"
        }
        "a span must end after it begins" => "应晚于开始时间。",
        "is not in the register" => "未登记。",
        "is needed" => "请填写。",
        _ => return None,
    })
}

/// What staff at a door meet.
fn at_a_door(english: &str) -> Option<&'static str> {
    Some(match english {
        "must be: card or code, time, in or out" => "应为：随身卡或出示码，时间，进或出。",
        "must be in or out" => "应为进或出。",
        "must be a date: 2026-03-10" => "应为日期，例如 2026-03-10。",
        "must be a time: 14:30, or 2026-03-10 14:30" => "应为时间，例如 14:30 或 2026-03-10 14:30。",
        "at most 200 lines at once" => "每次最多 200 行。",
        "a card has 16 symbols" => "随身卡有 16 位，出示码更长；请核对是否输完整。",
        "a symbol cannot stand on a card" => "含有随身卡上没有的字符。",
        "the card does not check: a symbol is wrong, or two are swapped" => {
            "随身卡编码有误：输错了一位，或有两位颠倒。"
        }
        "the card is not known, or has ended" => "该随身卡未登记、已停用或已过期。",
        "the visitor's code is not genuine, or was not good at `occurred_at`" => {
            "不是有效的出示码，或已过期；请访客刷新“我的出示码”后再出示。"
        }
        "three cards are in use already; end them first" => "已有三张随身卡在使用，请先停用。",
        "the scan lies more than ten minutes in the future" => "时间在十分钟以后，请核对。",
        "the scan is more than 72 hours old" => "已超过 72 小时，不能补录。",
        "this venue does not take scans at present" => "该场所暂不接受扫码。",
        "this place code was revoked" | "this place code has ended" => "此处的场所码已作废。",
        _ => return None,
    })
}
