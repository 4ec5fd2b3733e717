//! Who works at a venue: its manager invites and removes.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::desk::{Desk, Sent};
use super::layout::token;
use super::view::go;
use super::words;
use crate::domain::access::Role;
use crate::http::error::ApiError;
use crate::http::permissions::RegisterVenues;
use crate::http::venue_staff::{
    INVITATION_DAYS, InvitationLink, Member, OpenInvitation, end, listed, make_invitation, remove,
};
use crate::http::venues::permitted;
use crate::http::web::Web;
use crate::http::write::transaction;

/// Whom to invite.
#[derive(Debug, Deserialize)]
struct Invitation {
    role: Role,
}

/// Which invitation.
#[derive(Debug, Deserialize)]
struct Ended {
    invitation: Uuid,
}

/// Which member of the staff.
#[derive(Debug, Deserialize)]
struct Removed {
    member: Uuid,
}

/// Who works there, and open invitations.
#[get("/manage/venues/{id}/staff")]
pub(super) async fn show(
    desk: Desk<RegisterVenues>,
    web: Data<Web>,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    page(&desk, &web, *id, None).await
}

/// Makes a link and shows it once.
#[post("/manage/venues/{id}/invitations")]
pub(super) async fn invite(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<RegisterVenues, Invitation>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let role = sent.form.role;
    let made =
        transaction(&mut conn, async |conn| make_invitation(&web, conn, actor, *id, role).await).await?;
    drop(conn);
    page(&sent.desk, &web, *id, Some(&made)).await
}

/// Ends an invitation.
#[post("/manage/venues/{id}/invitations/end")]
pub(super) async fn end_one(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<RegisterVenues, Ended>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let which = sent.form.invitation;
    transaction(&mut conn, async |conn| end(&web, conn, actor, *id, which).await).await?;
    Ok(go(&format!("/manage/venues/{id}/staff")))
}

/// Ends somebody's work there.
#[post("/manage/venues/{id}/staff/remove")]
pub(super) async fn remove_one(
    web: Data<Web>,
    id: Path<Uuid>,
    sent: Sent<RegisterVenues, Removed>,
) -> Result<HttpResponse, ApiError> {
    let actor = &sent.desk.signed.actor;
    permitted(&web, actor, *id).await?;
    let mut conn = web.app.store.conn().await?;
    let who = sent.form.member;
    transaction(&mut conn, async |conn| remove(&web, conn, actor, *id, who).await).await?;
    Ok(go(&format!("/manage/venues/{id}/staff")))
}

async fn page(
    desk: &Desk<RegisterVenues>,
    web: &Web,
    id: Uuid,
    made: Option<&InvitationLink>,
) -> Result<HttpResponse, ApiError> {
    let venue = permitted(web, &desk.signed.actor, id).await?;
    let list = listed(web, id).await?;
    let title = desk.say("场所工作人员", "Staff of the venue");
    let body = html! {
        h1 { (title) }
        p { a href={ "/manage/venues/" (id) } { (venue.name) } }
        @if let Some(made) = made { (link(desk, made)) }
        ul.cards { @for one in &list.staff { (member(desk, id, one)) } }
        h2 { (desk.say("邀请", "Invitations")) }
        @if list.invitations.is_empty() { p { (desk.say("没有待接受的邀请。", "No open invitation.")) } }
        ul.cards { @for one in &list.invitations { (invitation(desk, id, one)) } }
        (invite_form(desk, id))
    };
    Ok(desk.page(title, &body))
}

fn link(desk: &Desk<RegisterVenues>, made: &InvitationLink) -> Markup {
    html! {
        section.note {
            h2 { (desk.say("邀请链接", "The link")) }
            p.reference { (made.link) }
            p.small {
                (desk.say("只显示这一次，只能使用一次；有效至 ", "It is shown once and works once, until "))
                (desk.view.time(made.expires_at)) (desk.say("。请只发给本人。", ". Give it to that person only."))
            }
        }
    }
}

fn member(desk: &Desk<RegisterVenues>, venue: Uuid, one: &Member) -> Markup {
    html! {
        li {
            strong { (one.display_name) }
            span.small { (one.login) " · " (words::role(desk.view.lang, one.role)) }
            form.inline method="post" action={ "/manage/venues/" (venue) "/staff/remove" } {
                (token(&desk.signed))
                input type="hidden" name="member" value=(one.id);
                button.quiet type="submit" { (desk.say("移除", "Remove")) }
            }
        }
    }
}

fn invitation(desk: &Desk<RegisterVenues>, venue: Uuid, one: &OpenInvitation) -> Markup {
    html! {
        li {
            strong { (words::role(desk.view.lang, one.role)) }
            span.small { (one.invited_by) " · " (desk.say("有效至 ", "until ")) (desk.view.time(one.expires_at)) }
            form.inline method="post" action={ "/manage/venues/" (venue) "/invitations/end" } {
                (token(&desk.signed))
                input type="hidden" name="invitation" value=(one.id);
                button.quiet type="submit" { (desk.say("取消邀请", "End it")) }
            }
        }
    }
}

fn invite_form(desk: &Desk<RegisterVenues>, venue: Uuid) -> Markup {
    let days = INVITATION_DAYS;
    let (zh, en) = (format!("生成邀请链接（{days} 天有效）"), format!("Make a link (valid for {days} days)"));
    html! {
        form method="post" action={ "/manage/venues/" (venue) "/invitations" } {
            (token(&desk.signed))
            label for="role" { (desk.say("邀请对方担任", "Invite somebody as")) }
            select #role name="role" {
                @for role in [Role::DoorStaff, Role::VenueManager] {
                    option value=(role.word()) { (words::role(desk.view.lang, role)) }
                }
            }
            button type="submit" { (desk.say(&zh, &en)) }
        }
    }
}
