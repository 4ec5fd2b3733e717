//! What an inspector sees in front of a poster, beside what the register says.

use serde::{Deserialize, Serialize};

use super::area::Area;
use super::numbered::Numbered;
use super::position::Position;

/// How far from the registered place an inspector may stand: a phone among tall buildings is off by some
/// 50 m, and a venue's position is often its middle and not its door.
pub const NEAR_M: f64 = 150.0;

/// What an inspector found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Finding {
    /// The poster hangs where it should and can be scanned.
    InOrder = 0,
    /// It hangs elsewhere.
    Elsewhere = 1,
    /// It is gone.
    Missing = 2,
    /// It cannot be scanned: torn, covered, faded.
    Unreadable = 3,
    /// Something else; the note says what.
    Other = 4,
}

impl Numbered for Finding {
    const ALL: &'static [Self] =
        &[Self::InOrder, Self::Elsewhere, Self::Missing, Self::Unreadable, Self::Other];

    fn number(self) -> i16 {
        self as i16
    }
}

/// How an inspector's own position agrees with the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// Within [`NEAR_M`] of the registered place, or inside the outline.
    Here,
    /// Farther away.
    Elsewhere,
    /// The point moves, or the inspector's position is not known.
    Unknown,
}

/// Where a poster should hang.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The position of the point, or of its venue.
    pub position: Position,
    /// The outline of the venue.
    pub outline: Option<Area>,
    /// Whether the point moves.
    pub is_mobile: bool,
}

impl Registered {
    /// How far `standing` is from it in whole metres, zero inside the outline; `None` for what moves.
    pub fn distance_m(&self, standing: &Position) -> Option<i32> {
        if self.is_mobile {
            return None;
        }
        if self.outline.as_ref().is_some_and(|outline| outline.contains(standing)) {
            return Some(0);
        }
        #[expect(clippy::cast_possible_truncation, reason = "half the girth of the Earth is 20,016 km")]
        let metres = self.position.distance_m(standing).round() as i32;
        Some(metres)
    }

    /// How a position agrees with it.
    pub fn agreement(&self, standing: Option<&Position>) -> Agreement {
        match standing.and_then(|standing| self.distance_m(standing)) {
            None => Agreement::Unknown,
            Some(metres) if f64::from(metres) <= NEAR_M => Agreement::Here,
            Some(_) => Agreement::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(lat: f64, lng: f64) -> Position {
        Position::new(lat, lng).unwrap()
    }

    #[test]
    fn an_inspector_stands_here_or_elsewhere() {
        let door = Registered { position: at(34.75, 113.63), outline: None, is_mobile: false };
        assert_eq!(door.agreement(Some(&at(34.751, 113.63))), Agreement::Here);
        assert_eq!(door.agreement(Some(&at(34.76, 113.63))), Agreement::Elsewhere);
        assert_eq!(door.distance_m(&at(34.76, 113.63)), Some(1112));
        assert_eq!(door.agreement(None), Agreement::Unknown);
        let bus = Registered { is_mobile: true, ..door };
        assert_eq!(bus.agreement(Some(&at(34.76, 113.63))), Agreement::Unknown);
    }

    #[test]
    fn anywhere_in_a_park_is_here() {
        let ring =
            json!([[[113.62, 34.74], [113.64, 34.74], [113.64, 34.76], [113.62, 34.76], [113.62, 34.74]]]);
        let outline = Area::from_json(&json!({ "type": "Polygon", "coordinates": ring })).unwrap();
        let park = Registered { position: at(34.75, 113.63), outline: Some(outline), is_mobile: false };
        assert_eq!(park.distance_m(&at(34.7405, 113.6205)), Some(0));
        assert_eq!(park.agreement(Some(&at(34.77, 113.63))), Agreement::Elsewhere);
    }
}
