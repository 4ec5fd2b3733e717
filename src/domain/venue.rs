//! Organisations, venues and points: what stands in the register.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::numbered::Numbered;

/// A point: 40 random bits, so that no number follows from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PointId(u64);

impl PointId {
    /// The first number that is no point.
    pub const END: u64 = 1 << 40;

    /// A point id, when the number has no more than 40 bits.
    pub fn new(number: u64) -> Option<Self> {
        (number < Self::END).then_some(Self(number))
    }

    /// The id from five bytes, the highest first.
    pub fn from_bytes(bytes: [u8; 5]) -> Self {
        Self(bytes.into_iter().fold(0, |number, byte| (number << 8) | u64::from(byte)))
    }

    /// The id as five bytes, the highest first.
    pub fn to_bytes(self) -> [u8; 5] {
        let [_, _, _, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }

    /// A number that spreads points evenly, to choose a shard.
    pub fn spread(self) -> u64 {
        self.0
    }

    /// The id as Postgres keeps it.
    pub fn to_i64(self) -> i64 {
        self.0.cast_signed()
    }

    /// The id as Postgres kept it.
    pub fn from_i64(number: i64) -> Option<Self> {
        u64::try_from(number).ok().and_then(Self::new)
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How close together the people at one point are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Granularity {
    /// One seat or bed.
    Seat = 0,
    /// One room, shop or table area: everybody shares the air.
    Room = 1,
    /// One floor or department.
    Floor = 2,
    /// A hall of hundreds or thousands.
    Hall = 3,
    /// Under the sky.
    OpenAir = 4,
    /// A vehicle or carriage.
    Vehicle = 5,
}

impl Numbered for Granularity {
    const ALL: &'static [Self] =
        &[Self::Seat, Self::Room, Self::Floor, Self::Hall, Self::OpenAir, Self::Vehicle];

    fn number(self) -> i16 {
        self as i16
    }
}

/// Where a venue stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum VenueState {
    /// Applied for, not yet looked at.
    Submitted = 0,
    /// May hang its codes.
    Approved = 1,
    /// Its codes answer nobody until the inspector lifts it.
    Suspended = 2,
    /// For good.
    Closed = 3,
    /// Sent back to the applicant, who may correct it and submit it again.
    Rejected = 4,
}

impl Numbered for VenueState {
    const ALL: &'static [Self] =
        &[Self::Submitted, Self::Approved, Self::Suspended, Self::Closed, Self::Rejected];

    fn number(self) -> i16 {
        self as i16
    }
}

/// What kind of body answers for venues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum OrganisationKind {
    /// A company or a trader.
    Company = 0,
    /// An authority.
    Government = 1,
    /// A public institution: a hospital, a school.
    Institution = 2,
    /// An association or a foundation.
    Social = 3,
    /// A household or anything else.
    #[default]
    Other = 4,
}

impl Numbered for OrganisationKind {
    const ALL: &'static [Self] =
        &[Self::Company, Self::Government, Self::Institution, Self::Social, Self::Other];

    fn number(self) -> i16 {
        self as i16
    }
}

impl VenueState {
    /// Whether everything about the venue can still be corrected: no poster of it answers, and nobody
    /// has been there yet.
    pub fn is_open_to_correction(self) -> bool {
        match self {
            Self::Submitted | Self::Rejected => true,
            Self::Approved | Self::Suspended | Self::Closed => false,
        }
    }

    /// Whether a review may move a venue from this state to the next.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Submitted | Self::Suspended, Self::Approved)
            | (Self::Submitted, Self::Rejected)
            | (Self::Approved, Self::Suspended)
            | (Self::Submitted | Self::Approved | Self::Suspended | Self::Rejected, Self::Closed) => true,
            (Self::Closed, _)
            | (_, Self::Submitted)
            | (Self::Submitted | Self::Suspended | Self::Rejected, Self::Suspended)
            | (Self::Approved | Self::Rejected, Self::Approved)
            | (Self::Approved | Self::Suspended | Self::Rejected, Self::Rejected) => false,
        }
    }
}

/// The first two digits of every code of GB/T 2260: the 34 provinces, municipalities, autonomous and
/// special administrative regions.
const PROVINCES: [u8; 34] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65, 71, 81, 82,
];

/// An administrative division by GB/T 2260: six digits; trailing zeros name the wider division, so
/// `410000` is the province that `410105` lies in, and `100000` is the whole country.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Division([u8; 6]);

/// Why a text is no division code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a division code has six digits (GB/T 2260), such as 410105, and begins with one of the 34 provinces: \
     11-15, 21-23, 31-37, 41-46, 50-54, 61-65, 71, 81, 82; 100000 is the whole country"
)]
pub struct InvalidDivision;

impl Division {
    /// The whole country, where somebody's work has no bounds within it.
    pub const COUNTRY: Self = Self(*b"100000");

    /// Whether `other` is this division or lies inside it.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).take(self.significant()).all(|(a, b)| a == b)
    }

    /// The division itself, its prefecture and its province, the smallest first.
    pub fn with_wider(&self) -> Vec<Self> {
        let [a, b, c, d, ..] = self.0;
        let mut all = vec![*self, Self([a, b, c, d, b'0', b'0']), Self([a, b, b'0', b'0', b'0', b'0'])];
        all.dedup();
        all
    }

    /// What the codes of all divisions inside it begin with.
    pub fn prefix(&self) -> &str {
        self.as_str().get(..self.significant()).unwrap_or_default()
    }

    /// How many digits tell it from others of its size.
    fn significant(&self) -> usize {
        match self.0 {
            whole if whole == Self::COUNTRY.0 => 0,
            [_, _, b'0', b'0', b'0', b'0'] => 2,
            [_, _, _, _, b'0', b'0'] => 4,
            _ => 6,
        }
    }

    /// The six digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Division {
    type Err = InvalidDivision;

    fn from_str(text: &str) -> Result<Self, InvalidDivision> {
        let digits: [u8; 6] = text.as_bytes().try_into().map_err(|_short_or_long| InvalidDivision)?;
        let province = text.get(..2).and_then(|two| two.parse().ok());
        let known = province.is_some_and(|province| PROVINCES.contains(&province));
        let plain = digits.iter().all(u8::is_ascii_digit) && (known || digits == Self::COUNTRY.0);
        if plain { Ok(Self(digits)) } else { Err(InvalidDivision) }
    }
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Division({self})")
    }
}

/// A unified social credit code (GB 32100-2015): 18 symbols, the last of which checks the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditCode(String);

/// Why a text is no unified social credit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCreditCode {
    /// Not 18 symbols.
    #[error("a unified social credit code has 18 symbols")]
    Length,
    /// A symbol outside the standard's alphabet, which has no I, O, S, V and Z.
    #[error("`{0}` cannot stand in a unified social credit code")]
    Symbol(char),
    /// The check symbol does not fit.
    #[error("the last symbol of the unified social credit code does not fit the others")]
    Check,
}

impl CreditCode {
    /// The code in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CreditCode {
    /// What kind of body has that code. GB 32100-2015: the first symbol is the registering department, the
    /// second the kind of body there: 11 authority, 12 public institution, 13 and 5x social bodies, 9x
    /// companies and traders.
    pub fn body(&self) -> OrganisationKind {
        match self.0.as_bytes() {
            [b'1', b'1', ..] => OrganisationKind::Government,
            [b'1', b'2', ..] => OrganisationKind::Institution,
            [b'1', b'3', ..] | [b'5', ..] => OrganisationKind::Social,
            [b'9', ..] => OrganisationKind::Company,
            _ => OrganisationKind::Other,
        }
    }
}

impl FromStr for CreditCode {
    type Err = InvalidCreditCode;

    /// GB 32100-2015, annex: the values of the first 17 symbols, each times a power of 3, and the
    /// value of the last add up to a multiple of 31.
    fn from_str(text: &str) -> Result<Self, InvalidCreditCode> {
        const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
        let text = text.trim().to_uppercase();
        if text.chars().count() != 18 {
            return Err(InvalidCreditCode::Length);
        }
        let mut sum = 0;
        let mut weight = 1;
        for (place, symbol) in text.chars().enumerate() {
            let value = ALPHABET.find(symbol).ok_or(InvalidCreditCode::Symbol(symbol))?;
            sum += if place == 17 { value } else { value * weight };
            weight = weight * 3 % 31;
        }
        if sum % 31 == 0 { Ok(Self(text)) } else { Err(InvalidCreditCode::Check) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_id_has_forty_bits() {
        assert_eq!(PointId::new(PointId::END), None);
        let id = PointId::new(0x12_3456_789A).unwrap();
        assert_eq!(id.to_bytes(), [0x12, 0x34, 0x56, 0x78, 0x9A]);
        assert_eq!(PointId::from_bytes(id.to_bytes()), id);
        assert_eq!(PointId::from_i64(-1), None);
    }

    #[test]
    fn a_province_covers_its_districts_and_no_others() {
        let [henan, zhengzhou, district, hangzhou] =
            ["410000", "410100", "410105", "330100"].map(|code| code.parse::<Division>().unwrap());
        assert!(henan.covers(&district) && zhengzhou.covers(&district) && district.covers(&district));
        assert!(!district.covers(&zhengzhou) && !henan.covers(&hangzhou));
        for bad in ["41010", "4101055", "41010x", "010101", "", "160000", "990101", "100100", "+10101"] {
            assert_eq!(bad.parse::<Division>(), Err(InvalidDivision), "{bad}");
        }
        assert!(Division::COUNTRY.covers(&district) && !henan.covers(&Division::COUNTRY));
        assert_eq!(PROVINCES.len(), 34);
        assert_eq!((district.prefix(), zhengzhou.prefix(), henan.prefix()), ("410105", "4101", "41"));
        assert_eq!(Division::COUNTRY.prefix(), "");
        assert_eq!(district.with_wider(), [district, zhengzhou, henan]);
        assert_eq!(henan.with_wider(), [henan]);
    }

    #[test]
    fn the_check_symbol_of_a_credit_code_catches_a_slip() {
        // Published on the business licences of three well-known companies.
        for good in ["91330100799655058B", "914403001922038216", "91110000802100433B"] {
            assert!(good.parse::<CreditCode>().is_ok(), "{good}");
        }
        assert_eq!("91330100799655085B".parse::<CreditCode>(), Err(InvalidCreditCode::Check));
        assert_eq!("9133010079965505IB".parse::<CreditCode>(), Err(InvalidCreditCode::Symbol('I')));
        assert_eq!("9133".parse::<CreditCode>(), Err(InvalidCreditCode::Length));
    }

    #[test]
    fn a_credit_code_tells_what_kind_of_body_has_it() {
        let body = |code: &str| code.parse::<CreditCode>().unwrap().body();
        assert_eq!(body("91330100799655058B"), OrganisationKind::Company);
        assert_eq!(body("12410105000000003E"), OrganisationKind::Institution);
        assert_eq!(body("52410105000000007N"), OrganisationKind::Social);
    }

    #[test]
    fn a_closed_venue_stays_closed() {
        for &next in VenueState::ALL {
            assert!(!VenueState::Closed.may_become(next));
        }
        assert!(VenueState::Submitted.may_become(VenueState::Approved));
        assert!(VenueState::Submitted.may_become(VenueState::Rejected));
        assert!(!VenueState::Rejected.may_become(VenueState::Approved), "it is submitted again first");
        assert!(VenueState::Approved.may_become(VenueState::Suspended));
    }
}
