//! Reviews of contacts and place-wide escalations: each a row that is kept, and the contacts follow.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{contacts, escalations, points, reviews, venues};
use super::{StoreError, sound};
use crate::domain::numbered::Numbered;
use crate::domain::review::{Grade, ReviewKind, Shared, Standing, unequal};
use crate::domain::rule_pack::{Class, Colour};

/// What somebody says of one contact.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    /// Of which run.
    pub run_id: Uuid,
    /// Whom.
    pub visitor: Uuid,
    /// What.
    pub kind: ReviewKind,
    /// What the contact becomes; without it, it stays what it is.
    pub to: Option<&'a Grade>,
    /// Why.
    pub reason: &'a str,
    /// Who says it.
    pub author: Uuid,
    /// When.
    pub at: DateTime<Utc>,
}

/// Class, rule and colour of a contact, and since when it is left out.
type GradeRow = (i16, Option<String>, i16, Option<DateTime<Utc>>);

/// What a contact is at the moment, and whether it is left out; `None` when the run has not found them.
pub async fn standing_of(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    visitor: Uuid,
) -> Result<Option<(Grade, bool)>, StoreError> {
    let columns = (contacts::class, contacts::rule, contacts::colour, contacts::excluded_at);
    let found = contacts::table.find((run_id, visitor)).select(columns);
    let row = found.first::<GradeRow>(conn).await.optional()?;
    row.map(|(class, rule, colour, left_out)| Ok((grade(class, rule, colour)?, left_out.is_some())))
        .transpose()
}

/// Adds a review of a contact, which then is what the review says.
pub async fn say(conn: &mut AsyncPgConnection, said: &Said<'_>) -> Result<(), StoreError> {
    sql_query(
        "insert into reviews (run_id, visitor, seq, kind, from_class, from_colour, from_rule, to_class, to_colour,
                              to_rule, reason, author, at)
         select c.run_id, c.visitor,
                1 + (select count(*) from reviews v where v.run_id = c.run_id and v.visitor = c.visitor), $3, c.class,
                c.colour, c.rule, coalesce($4, c.class), coalesce($5, c.colour),
                case when $4 is null then c.rule else $6 end, $7, $8, $9
         from contacts c where c.run_id = $1 and c.visitor = $2",
    )
    .bind::<SqlUuid, _>(said.run_id)
    .bind::<SqlUuid, _>(said.visitor)
    .bind::<SmallInt, _>(said.kind.number())
    .bind::<Nullable<SmallInt>, _>(said.to.map(|to| to.class.number()))
    .bind::<Nullable<SmallInt>, _>(said.to.map(|to| to.colour.number()))
    .bind::<Nullable<Text>, _>(said.to.and_then(|to| to.rule.as_deref()))
    .bind::<Text, _>(said.reason)
    .bind::<SqlUuid, _>(said.author)
    .bind::<Timestamptz, _>(said.at)
    .execute(conn)
    .await?;
    follow(conn, said.run_id, Some(said.visitor)).await
}

/// Makes contacts what their newest reviews say: one of them, or all of a run.
async fn follow(conn: &mut AsyncPgConnection, run_id: Uuid, only: Option<Uuid>) -> Result<(), StoreError> {
    sql_query(
        "update contacts c
         set class = v.to_class, rule = v.to_rule, colour = v.to_colour,
             excluded_by = case when v.kind = 0 then v.author end,
             excluded_at = case when v.kind = 0 then v.at end,
             exclusion_reason = case when v.kind = 0 then v.reason end
         from (select distinct on (visitor) * from reviews
               where run_id = $1 and ($2::uuid is null or visitor = $2) order by visitor, seq desc) v
         where c.run_id = $1 and c.visitor = v.visitor
           and (c.class, c.rule, c.colour, c.excluded_at is not null)
               is distinct from (v.to_class, v.to_rule, v.to_colour, v.kind = 0)",
    )
    .bind::<SqlUuid, _>(run_id)
    .bind::<Nullable<SqlUuid>, _>(only)
    .execute(conn)
    .await?;
    Ok(())
}

/// A place-wide escalation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = escalations)]
pub struct EscalationRow {
    /// Its id.
    pub id: Uuid,
    /// Of which run.
    pub run_id: Uuid,
    /// Everybody at this venue,
    pub venue_id: Option<Uuid>,
    /// or at this point.
    pub point_id: Option<i64>,
    /// Number of the class they are moved to.
    pub to_class: i16,
    /// Which of its rules.
    pub to_rule: Option<String>,
    /// Number of the colour that the pack gives it.
    pub to_colour: i16,
    /// Who has consented.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// Who escalated.
    pub author: Uuid,
    /// When.
    pub at: DateTime<Utc>,
}

/// Escalates a place: moves everybody who was exposed there, is not left out and has a weaker colour. Returns how many.
pub async fn escalate(conn: &mut AsyncPgConnection, row: &EscalationRow) -> Result<usize, StoreError> {
    diesel::insert_into(escalations::table).values(row).execute(conn).await?;
    let moved = sql_query(
        "insert into reviews (run_id, visitor, seq, kind, from_class, from_colour, from_rule, to_class, to_colour,
                              to_rule, reason, author, at, escalation_id)
         select c.run_id, c.visitor,
                1 + (select count(*) from reviews v where v.run_id = c.run_id and v.visitor = c.visitor), 5, c.class,
                c.colour, c.rule, p.to_class, p.to_colour, p.to_rule, p.reason, p.author, p.at, p.id
         from escalations p
         join contacts c on c.run_id = p.run_id and c.excluded_at is null and c.colour < p.to_colour
         where p.id = $1 and was_at(p.run_id, c.visitor, p.venue_id, p.point_id)",
    )
    .bind::<SqlUuid, _>(row.id)
    .execute(conn)
    .await?;
    follow(conn, row.run_id, None).await?;
    Ok(moved)
}

/// Whether there is such a venue or point.
pub async fn is_place(
    conn: &mut AsyncPgConnection,
    venue: Option<Uuid>,
    point: Option<i64>,
) -> Result<bool, StoreError> {
    let venue = venues::table.filter(venues::id.nullable().eq(venue));
    let point = points::table.filter(points::id.nullable().eq(point));
    let found: (bool, bool) =
        diesel::select((diesel::dsl::exists(venue), diesel::dsl::exists(point))).get_result(conn).await?;
    Ok(found.0 || found.1)
}

/// The escalations of a run, the first first.
pub async fn escalations(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
) -> Result<Vec<EscalationRow>, StoreError> {
    let own = escalations::table.filter(escalations::run_id.eq(run_id)).order(escalations::at);
    Ok(own.select(EscalationRow::as_select()).load(conn).await?)
}

/// Takes over into a run what was said in the one that it follows up: the same places are escalated, and whoever is
/// of the same class by the same rule as there keeps what was said last.
pub async fn carry(conn: &mut AsyncPgConnection, base: Uuid, run_id: Uuid) -> Result<(), StoreError> {
    for row in escalations(conn, base).await? {
        escalate(conn, &EscalationRow { id: Uuid::now_v7(), run_id, ..row }).await?;
    }
    sql_query(
        "insert into reviews (run_id, visitor, seq, kind, from_class, from_colour, from_rule, to_class, to_colour,
                              to_rule, reason, author, at)
         select c.run_id, c.visitor,
                1 + (select count(*) from reviews o where o.run_id = c.run_id and o.visitor = c.visitor),
                case v.kind when 1 then 4 else v.kind end, c.class, c.colour, c.rule,
                case when v.kind in (2, 3) then v.to_class else c.class end,
                case when v.kind in (2, 3) then v.to_colour else c.colour end,
                case when v.kind in (2, 3) then v.to_rule else c.rule end, v.reason, v.author, v.at
         from (select distinct on (visitor) * from reviews where run_id = $1 order by visitor, seq desc) v
         join contacts b on b.run_id = $1 and b.visitor = v.visitor
         join contacts c on c.run_id = $2 and c.visitor = v.visitor
          and (c.computed_class, c.computed_rule, c.computed_colour)
              is not distinct from (b.computed_class, b.computed_rule, b.computed_colour)
         where v.kind <> 5",
    )
    .bind::<SqlUuid, _>(base)
    .bind::<SqlUuid, _>(run_id)
    .execute(conn)
    .await?;
    follow(conn, run_id, None).await
}

/// A review as the table keeps it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = reviews)]
pub struct ReviewRow {
    /// Counts the reviews of one contact.
    pub seq: i16,
    /// Number of a [`ReviewKind`].
    pub kind: i16,
    /// Number of the class before.
    pub from_class: i16,
    /// Which of its rules.
    pub from_rule: Option<String>,
    /// Number of the colour before.
    pub from_colour: i16,
    /// Number of the class after.
    pub to_class: i16,
    /// Which of its rules.
    pub to_rule: Option<String>,
    /// Number of the colour after.
    pub to_colour: i16,
    /// Why.
    pub reason: String,
    /// Who.
    pub author: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// The escalation that it belongs to.
    pub escalation_id: Option<Uuid>,
}

/// The reviews of one contact, the first first.
pub async fn of_contact(
    conn: &mut AsyncPgConnection,
    run_id: Uuid,
    visitor: Uuid,
) -> Result<Vec<ReviewRow>, StoreError> {
    let own = reviews::table
        .filter(reviews::run_id.eq(run_id))
        .filter(reviews::visitor.eq(visitor))
        .order(reviews::seq)
        .limit(500);
    Ok(own.select(ReviewRow::as_select()).load(conn).await?)
}

/// How many reviews of a kind somebody wrote in a run.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Written {
    /// Who.
    #[diesel(sql_type = SqlUuid)]
    pub author: Uuid,
    /// Number of a [`ReviewKind`].
    #[diesel(sql_type = SmallInt)]
    pub kind: i16,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}

/// Who wrote how many reviews of a run, by kind.
pub async fn written(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<Vec<Written>, StoreError> {
    let query = sql_query(
        "select author, kind, count(*) as count from reviews where run_id = $1 group by 1, 2 order by 1, 2",
    );
    Ok(query.bind::<SqlUuid, _>(run_id).load(conn).await?)
}

/// How many contacts of a run were reviewed unlike their equals, as the domain judges them.
pub async fn unequal_in(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<i64, StoreError> {
    let rows: Vec<StandingRow> = sql_query(
        "with said as (select distinct visitor from reviews where run_id = $1 and kind <> 5)
         select c.visitor, c.computed_class, c.computed_rule, c.computed_colour, c.class, c.rule, c.colour,
                c.excluded_at is not null as is_left_out, s.visitor is not null as is_said,
                (select v.escalation_id from reviews v where v.run_id = $1 and v.visitor = c.visitor
                 order by v.seq desc limit 1) as escalation,
                array(select p.id from escalations p
                      where p.run_id = $1 and was_at($1, c.visitor, p.venue_id, p.point_id)) as was_at
         from contacts c left join said s on s.visitor = c.visitor
         where c.run_id = $1 and exists (select 1 from said)",
    )
    .bind::<SqlUuid, _>(run_id)
    .load(conn)
    .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let times: Vec<SharedRow> = sql_query(
        "select e.visitor,
                coalesce(e.trail_stay_id::text, concat_ws(' ', e.via_visitor, e.via_point_id, e.via_from_at)) as stay,
                sum(extract(epoch from e.until_at - e.from_at) * 1000000)::bigint as micros
         from exposures e where e.run_id = $1 and e.counted group by 1, 2",
    )
    .bind::<SqlUuid, _>(run_id)
    .load(conn)
    .await?;
    let places: BTreeMap<Uuid, usize> = rows.iter().map(|row| row.visitor).zip(0..).collect();
    let shared: Vec<Shared> = times
        .into_iter()
        .filter_map(|row| {
            let contact = *places.get(&row.visitor)?;
            Some(Shared { contact, stay: row.stay, micros: row.micros })
        })
        .collect();
    let standings = rows.into_iter().map(StandingRow::read).collect::<Result<Vec<_>, _>>()?;
    Ok(i64::try_from(unequal(&standings, &shared)).unwrap_or(i64::MAX))
}

/// How many contacts of a run are something else than was computed or reviewed.
pub async fn altered_in(conn: &mut AsyncPgConnection, run_id: Uuid) -> Result<i64, StoreError> {
    let count: Altered =
        sql_query("select run_altered($1) as count").bind::<SqlUuid, _>(run_id).get_result(conn).await?;
    Ok(count.count)
}

#[derive(QueryableByName)]
struct Altered {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct SharedRow {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = Text)]
    stay: String,
    #[diesel(sql_type = BigInt)]
    micros: i64,
}

#[derive(QueryableByName)]
struct StandingRow {
    #[diesel(sql_type = SqlUuid)]
    visitor: Uuid,
    #[diesel(sql_type = SmallInt)]
    computed_class: i16,
    #[diesel(sql_type = Nullable<Text>)]
    computed_rule: Option<String>,
    #[diesel(sql_type = SmallInt)]
    computed_colour: i16,
    #[diesel(sql_type = SmallInt)]
    class: i16,
    #[diesel(sql_type = Nullable<Text>)]
    rule: Option<String>,
    #[diesel(sql_type = SmallInt)]
    colour: i16,
    #[diesel(sql_type = Bool)]
    is_left_out: bool,
    #[diesel(sql_type = Bool)]
    is_said: bool,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    escalation: Option<Uuid>,
    #[diesel(sql_type = Array<SqlUuid>)]
    was_at: Vec<Uuid>,
}

impl StandingRow {
    fn read(self) -> Result<Standing, StoreError> {
        Ok(Standing {
            computed: grade(self.computed_class, self.computed_rule, self.computed_colour)?,
            now: grade(self.class, self.rule, self.colour)?,
            is_left_out: self.is_left_out,
            is_said: self.is_said,
            escalation: self.escalation,
            was_at: self.was_at,
        })
    }
}

/// Class, rule and colour as the tables of runs keep them.
pub fn grade(class: i16, rule: Option<String>, colour: i16) -> Result<Grade, StoreError> {
    let class = sound(Class::from_number(class), "contacts")?;
    Ok(Grade { class, rule, colour: sound(Colour::from_number(colour), "contacts")? })
}
