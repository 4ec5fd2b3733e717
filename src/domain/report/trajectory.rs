//! What the public may know of a case: places and slots, no person, no id that could be linked with one.

use chrono::{DateTime, DurationRound, FixedOffset, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::cell::moment;
use crate::domain::span::Span;

/// The grid that slots are rounded to, outward.
pub const STEP_MINS: i64 = 5;

/// The longest number that a case is published under.
pub const NUMBER_MAX: usize = 20;

/// A stay of the case with its place, as the register knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// The venue; none where no more is known than an address.
    pub venue: Option<Uuid>,
    /// Its name, or the address.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Degrees north.
    pub lat_deg: Option<f64>,
    /// Degrees east.
    pub lng_deg: Option<f64>,
    /// When.
    pub span: Span,
}

/// Why a case is not published under a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 20 characters, such as 病例12, and no id of this service")]
pub struct InvalidNumber;

/// The number under which a case is published. Nothing that looks like an id or a pseudonym is one.
pub fn public_number(text: &str) -> Result<String, InvalidNumber> {
    let text = text.trim();
    let length = text.chars().count();
    let hexadecimal = text.split(|c: char| !c.is_ascii_hexdigit()).any(|run| run.len() >= 8);
    if (1..=NUMBER_MAX).contains(&length) && !hexadecimal && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(InvalidNumber)
    }
}

/// The slots within the infectious period, rounded outward to five minutes and joined where they touch at one place, in
/// the order of time.
pub fn slots(stops: &[Stop], infectious: Span) -> Vec<Stop> {
    let mut found: Vec<Stop> = Vec::new();
    let mut sorted: Vec<&Stop> = stops.iter().collect();
    sorted.sort_by(|a, b| (a.span, a.venue, &a.name).cmp(&(b.span, b.venue, &b.name)));
    for stop in sorted {
        let Some(span) = stop.span.overlap(&infectious).and_then(|span| outward(&span)) else { continue };
        let same = |known: &&mut Stop| {
            known.venue == stop.venue && known.name == stop.name && known.span.until() >= span.from()
        };
        if let Some(known) = found.iter_mut().rev().find(same) {
            if let Ok(joined) = Span::new(known.span.from(), known.span.until().max(span.until())) {
                known.span = joined;
            }
        } else {
            found.push(Stop { span, ..stop.clone() });
        }
    }
    found
}

fn outward(span: &Span) -> Option<Span> {
    let step = TimeDelta::minutes(STEP_MINS);
    let from = span.from().duration_trunc(step).ok()?;
    let until = span.until().duration_trunc(step).ok()?;
    let until = if until < span.until() { until + step } else { until };
    Span::new(from, until).ok()
}

/// In which language.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// The text that a person publishes.
pub fn text(number: &str, slots: &[Stop], language: Language, offset: FixedOffset) -> String {
    let mut lines = vec![match language {
        Language::Zh => format!("{number}活动轨迹"),
        Language::En => format!("Places of case {number}"),
    }];
    for slot in slots {
        let (from, until) = (local(slot.span.from(), offset), local(slot.span.until(), offset));
        let same_day = from.date_naive() == until.date_naive();
        lines.push(match language {
            Language::Zh => {
                let until = if same_day { until.format("%H:%M") } else { until.format("%-m月%-d日%H:%M") };
                let place = if slot.address.is_empty() || slot.address == slot.name {
                    slot.name.clone()
                } else {
                    format!("{}（{}）", slot.name, slot.address)
                };
                format!("{}—{until} {place}", from.format("%-m月%-d日%H:%M"))
            }
            Language::En => {
                let until = if same_day { until.format("%H:%M") } else { until.format("%-d %B %H:%M") };
                format!("{} to {until}: {}", from.format("%-d %B %Y, %H:%M"), slot.name)
            }
        });
    }
    if slots.is_empty() {
        lines.push(match language {
            Language::Zh => "无公共场所轨迹。".to_owned(),
            Language::En => "No public places.".to_owned(),
        });
    }
    lines.push(match language {
        Language::Zh => "时间以5分钟取整。请有交集人员主动报备。".to_owned(),
        Language::En => "Times are rounded to five minutes.".to_owned(),
    });
    lines.join("\n") + "\n"
}

fn local(at: DateTime<Utc>, offset: FixedOffset) -> DateTime<FixedOffset> {
    at.with_timezone(&offset)
}

/// The same as JSON.
pub fn json(number: &str, slots: &[Stop], offset: FixedOffset) -> Value {
    let slot = |slot: &Stop| properties(slot, offset);
    json!({ "number": number, "rounded_to_mins": STEP_MINS, "slots": slots.iter().map(slot).collect::<Vec<_>>() })
}

/// The same as GeoJSON.
pub fn geojson(number: &str, slots: &[Stop], offset: FixedOffset) -> Value {
    let feature = |slot: &Stop| {
        let point = slot.lng_deg.zip(slot.lat_deg);
        let geometry = point.map(|(lng, lat)| json!({ "type": "Point", "coordinates": [lng, lat] }));
        json!({ "type": "Feature", "geometry": geometry, "properties": properties(slot, offset) })
    };
    let features: Vec<Value> = slots.iter().map(feature).collect();
    json!({ "type": "FeatureCollection", "number": number, "rounded_to_mins": STEP_MINS, "features": features })
}

fn properties(slot: &Stop, offset: FixedOffset) -> Value {
    json!({
        "place": slot.name,
        "address": slot.address,
        "date": local(slot.span.from(), offset).date_naive().to_string(),
        "from": moment(slot.span.from(), offset),
        "until": moment(slot.span.until(), offset),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-03-{text}:00Z").parse().unwrap()
    }

    fn stop(venue: u128, from: &str, until: &str) -> Stop {
        Stop {
            venue: Some(Uuid::from_u128(venue)),
            name: format!("茶馆{venue}"),
            address: "花园路1号".to_owned(),
            lat_deg: Some(34.5),
            lng_deg: Some(113.5),
            span: Span::new(at(from), at(until)).unwrap(),
        }
    }

    fn china() -> FixedOffset {
        FixedOffset::east_opt(8 * 3600).unwrap()
    }

    fn period() -> Span {
        Span::new(at("14T00:00"), at("17T00:00")).unwrap()
    }

    #[test]
    fn slots_are_rounded_outward_joined_at_one_place_and_cut_to_the_period() {
        let stops = [
            stop(2, "15T03:00", "15T04:02"),
            stop(1, "15T01:02", "15T02:01"),
            stop(1, "15T02:04", "15T02:30"),
            stop(1, "13T20:00", "14T01:11"),
            stop(1, "13T20:00", "13T21:00"),
        ];
        let text = text("病例12", &slots(&stops, period()), Language::Zh, china());
        assert_eq!(
            text,
            "病例12活动轨迹\n3月14日08:00—09:15 茶馆1（花园路1号）\n3月15日09:00—10:30 茶馆1（花园路1号）\n\
             3月15日11:00—12:05 茶馆2（花园路1号）\n时间以5分钟取整。请有交集人员主动报备。\n"
        );
    }

    #[test]
    fn a_slot_over_midnight_names_both_days_and_nothing_is_told_as_nothing() {
        let night = slots(&[stop(1, "15T15:00", "15T17:30")], period());
        assert!(text("病例1", &night, Language::Zh, china()).contains("3月15日23:00—3月16日01:30 "));
        assert!(
            text("1", &night, Language::En, china())
                .contains("15 March 2026, 23:00 to 16 March 01:30: 茶馆1")
        );
        assert!(text("1", &[], Language::En, china()).contains("No public places."));
        let map = geojson("1", &night, china());
        assert_eq!(map["features"][0]["geometry"]["coordinates"], json!([113.5, 34.5]));
        assert_eq!(json("1", &night, china())["slots"][0]["date"], "2026-03-15");
    }

    #[test]
    fn an_id_is_no_public_number() {
        assert_eq!(public_number(" 病例12 "), Ok("病例12".to_owned()));
        assert_eq!(public_number("ZZ-2026-0312"), Ok("ZZ-2026-0312".to_owned()));
        for bad in ["", "  ", "0195a3b2", "case 0195a3b2c4", &"病".repeat(21), "a\nb"] {
            assert_eq!(public_number(bad), Err(InvalidNumber), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_slot_hides_a_minute_of_the_stay_or_tells_it_to_the_minute(from in 0i64..4_000, mins in 1i64..500) {
            let begin = at("14T00:00") + TimeDelta::minutes(from);
            let span = Span::new(begin, begin + TimeDelta::minutes(mins)).unwrap();
            let told = slots(&[Stop { span, ..stop(1, "15T00:00", "15T01:00") }], Span::new(begin - TimeDelta::days(1), begin + TimeDelta::days(9)).unwrap());
            prop_assert_eq!(told.len(), 1);
            let slot = told[0].span;
            prop_assert!(slot.from() <= span.from() && span.until() <= slot.until());
            for end in [slot.from(), slot.until()] {
                prop_assert_eq!(end.timestamp() % (STEP_MINS * 60), 0);
            }
            prop_assert!(slot.duration() - span.duration() < TimeDelta::minutes(2 * STEP_MINS));
        }
    }
}
