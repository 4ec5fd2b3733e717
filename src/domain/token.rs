//! Short-lived keyed tokens: cheap to make, cheap to check, nothing to look up.

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::keyring::Key;
use super::known_colour::KnownColour;
use super::numbered::Numbered;
use super::point::{NotInForce, PointFacts};
use super::rotating_code::{InForce, RotatingCode};
use super::rule_pack::Colour;
use super::venue::PointId;
use super::visitor::Visitor;

const MAC_BYTES: usize = 16;

const COLOUR_BYTES: usize = 9;

/// What a visitor's code says: the visitor, four bytes of seconds, the colour. No longer than a MAC.
const SHOWN_BYTES: usize = 16 + 4 + COLOUR_BYTES;

const SHOWN_LABEL: &str = "placecode/visitor-code/1";

/// How long a code is good that a visitor shows: to find it, to queue and to be scanned, but not to pass it on.
pub const SHOWN_LIFE: TimeDelta = TimeDelta::minutes(5);

/// How far the clock of whoever scans it may run behind.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// How long the button may be pressed after a page was opened from the live code of a screen.
pub const OPENED_LIFE: TimeDelta = TimeDelta::minutes(3);

/// Says that a channel has vouched for a visitor not long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitorToken {
    /// Who.
    pub visitor: Visitor,
    /// Which channel vouched.
    pub channel: String,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// The colour that the channel told with its word.
    pub colour: Option<KnownColour>,
}

/// A visitor's code that staff or a device scan: the visitor shows it, nothing is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownVisitor {
    /// Who shows it.
    pub visitor: Visitor,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// The colour that came with the visitor's token.
    pub colour: Option<KnownColour>,
}

/// Says that a scan was accepted; staff at the door can have it verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which scan.
    pub scan: Uuid,
    /// Where.
    pub point: PointId,
    /// When the receipt ends.
    pub expires_at: DateTime<Utc>,
}

impl VisitorToken {
    /// The token as text. One without a colour has the form of the releases before colours.
    pub fn seal(&self, key: &Key) -> String {
        let mut bytes = self.visitor.to_uuid().into_bytes().to_vec();
        bytes.extend(self.expires_at.timestamp().to_be_bytes());
        let label = match &self.colour {
            None => "placecode/visitor-token/1",
            Some(known) => {
                bytes.extend(colour_bytes(Some(known)));
                "placecode/visitor-token/2"
            }
        };
        bytes.extend(self.channel.as_bytes());
        seal(key, label, &bytes)
    }

    /// The token from its text; `None` when it is forged or has ended.
    pub fn open(key: &Key, text: &str, now: DateTime<Utc>) -> Option<Self> {
        let with_colour = open(key, "placecode/visitor-token/2", text);
        let has_colour = with_colour.is_some();
        let bytes = with_colour.or_else(|| open(key, "placecode/visitor-token/1", text))?;
        let (visitor, rest) = bytes.split_first_chunk::<16>()?;
        let (expires, rest) = rest.split_first_chunk::<8>()?;
        let (colour, channel) =
            if has_colour { rest.split_at_checked(COLOUR_BYTES)? } else { (&[][..], rest) };
        let expires_at = DateTime::from_timestamp(i64::from_be_bytes(*expires), 0)?;
        let visitor = Visitor::from_uuid(Uuid::from_bytes(*visitor));
        let channel = String::from_utf8(channel.to_vec()).ok()?;
        (now < expires_at).then_some(Self { visitor, channel, expires_at, colour: colour_of(colour) })
    }
}

impl ShownVisitor {
    /// The code as text. Whoever photographs it learns no pseudonym: what it says is covered by a mask that
    /// follows from the key and the check, so two codes of one visitor have nothing in common.
    pub fn seal(&self, key: &Key) -> String {
        let mut bytes = [0; SHOWN_BYTES];
        let expires = u32::try_from(self.expires_at.timestamp()).unwrap_or_default().to_be_bytes();
        let said = self.visitor.to_uuid().into_bytes().into_iter().chain(expires);
        let said = said.chain(colour_bytes(self.colour.as_ref()));
        bytes.iter_mut().zip(said).for_each(|(to, from)| *to = from);
        let mac = key.mac(SHOWN_LABEL, &[&bytes]);
        let mac = mac.get(..MAC_BYTES).unwrap_or(&mac);
        cover(key, mac, &mut bytes);
        BASE64URL_NOPAD.encode(&[mac, &bytes].concat())
    }

    /// The code from its text, when it was good at `at`: a device that had no network hands it in later.
    pub fn open(key: &Key, text: &str, at: DateTime<Utc>) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (mac, covered) = bytes.split_first_chunk::<MAC_BYTES>()?;
        let mut bytes = <[u8; SHOWN_BYTES]>::try_from(covered).ok()?;
        cover(key, mac, &mut bytes);
        let expected = key.mac(SHOWN_LABEL, &[&bytes]);
        if !bool::from(expected.get(..MAC_BYTES)?.ct_eq(mac)) {
            return None;
        }
        let (visitor, rest) = bytes.split_first_chunk::<16>()?;
        let (expires, colour) = rest.split_first_chunk::<4>()?;
        let expires_at = DateTime::from_timestamp(u32::from_be_bytes(*expires).into(), 0)?;
        let visitor = Visitor::from_uuid(Uuid::from_bytes(*visitor));
        let good = at < expires_at && at >= expires_at - SHOWN_LIFE - SKEW;
        good.then_some(Self { visitor, expires_at, colour: colour_of(colour) })
    }
}

/// Covers and uncovers: a MAC is as long as the mask must be.
fn cover(key: &Key, check: &[u8], bytes: &mut [u8; SHOWN_BYTES]) {
    let mask = key.mac("placecode/visitor-code/mask/1", &[check]);
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

/// A colour as nine bytes: one more than its number, and when; all zero where none is known.
fn colour_bytes(known: Option<&KnownColour>) -> [u8; COLOUR_BYTES] {
    let mut bytes = [0; COLOUR_BYTES];
    if let Some(known) = known {
        let number = u8::try_from(known.colour.number() + 1).unwrap_or_default();
        let as_of = known.as_of.timestamp().to_be_bytes();
        bytes.iter_mut().zip([number].into_iter().chain(as_of)).for_each(|(to, from)| *to = from);
    }
    bytes
}

fn colour_of(bytes: &[u8]) -> Option<KnownColour> {
    let (number, as_of) = bytes.split_first()?;
    let colour = Colour::from_number(i16::from(*number) - 1)?;
    let as_of = DateTime::from_timestamp(i64::from_be_bytes(as_of.try_into().ok()?), 0)?;
    Some(KnownColour { colour, as_of })
}

impl Receipt {
    /// The receipt as text.
    pub fn seal(&self, key: &Key) -> String {
        let mut bytes = self.scan.into_bytes().to_vec();
        bytes.extend(self.point.to_bytes());
        bytes.extend(self.expires_at.timestamp().to_be_bytes());
        seal(key, "placecode/receipt/1", &bytes)
    }

    /// The receipt from its text; `None` when it is forged or has ended.
    pub fn open(key: &Key, text: &str, now: DateTime<Utc>) -> Option<Self> {
        let bytes = open(key, "placecode/receipt/1", text)?;
        let (scan, rest) = bytes.split_first_chunk::<16>()?;
        let (point, rest) = rest.split_first_chunk::<5>()?;
        let (expires, _) = rest.split_first_chunk::<8>()?;
        let expires_at = DateTime::from_timestamp(i64::from_be_bytes(*expires), 0)?;
        let receipt = Self { scan: Uuid::from_bytes(*scan), point: PointId::from_bytes(*point), expires_at };
        (now < expires_at).then_some(receipt)
    }
}

/// Says that a visitor opened the page of a screen's code while that was live. Its text names nobody:
/// whoever opens it says whose it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedInTime {
    /// Who opened the page.
    pub visitor: Visitor,
    /// From which code.
    pub code: RotatingCode,
    /// Until when the button may be pressed.
    pub expires_at: DateTime<Utc>,
}

impl OpenedInTime {
    /// The token as text.
    pub fn seal(&self, key: &Key) -> String {
        let until = self.expires_at.timestamp().to_be_bytes();
        let mut bytes = self.mac(key, &until).to_vec();
        bytes.extend(until);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// The token from its text, when it was made for this visitor and this code and has not ended.
    pub fn open(
        key: &Key,
        text: &str,
        visitor: Visitor,
        code: RotatingCode,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (mac, until) = bytes.split_first_chunk::<MAC_BYTES>()?;
        let until = <[u8; 8]>::try_from(until).ok()?;
        let expires_at = DateTime::from_timestamp(i64::from_be_bytes(until), 0)?;
        let opened = Self { visitor, code, expires_at };
        (bool::from(opened.mac(key, &until).ct_eq(mac)) && now < expires_at).then_some(opened)
    }

    /// Whether the code answers at its point for whoever presses the button now, and what it proves.
    pub fn check(&self, facts: &PointFacts, received_at: DateTime<Utc>) -> Result<InForce, NotInForce> {
        facts.check_open(received_at)?;
        if facts.id == self.code.point { Ok(InForce::live()) } else { Err(NotInForce::Changed) }
    }

    fn mac(&self, key: &Key, until: &[u8; 8]) -> [u8; MAC_BYTES] {
        let (visitor, point) = (self.visitor.to_uuid().into_bytes(), self.code.point.to_bytes());
        let parts: [&[u8]; 4] = [&visitor, &point, &self.code.step.to_bytes(), until];
        let mac = key.mac("placecode/opened-in-time/1", &parts);
        mac.first_chunk().copied().unwrap_or_default()
    }
}

/// A token that ties a form to the session (or visitor token) whose page it stands on.
pub fn form_token(key: &Key, session: &str) -> String {
    let mac = key.mac("placecode/form/1", &[session.as_bytes()]);
    BASE64URL_NOPAD.encode(mac.get(..MAC_BYTES).unwrap_or(&mac))
}

/// Whether a form token belongs to the session.
pub fn form_token_matches(key: &Key, session: &str, token: &str) -> bool {
    form_token(key, session).as_bytes().ct_eq(token.as_bytes()).into()
}

fn seal(key: &Key, label: &str, payload: &[u8]) -> String {
    let mac = key.mac(label, &[payload]);
    let mut bytes = mac.get(..MAC_BYTES).unwrap_or(&mac).to_vec();
    bytes.extend(payload);
    BASE64URL_NOPAD.encode(&bytes)
}

fn open(key: &Key, label: &str, text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (mac, payload) = bytes.split_first_chunk::<MAC_BYTES>()?;
    let expected = key.mac(label, &[payload]);
    bool::from(expected.get(..MAC_BYTES)?.ct_eq(mac)).then(|| payload.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::rotating_code::Step;
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    #[test]
    fn a_visitor_token_holds_until_it_ends_and_only_under_its_key() {
        let key = Key::new([1; 32]);
        let visitor = Visitor::from_uuid(Uuid::from_u128(9));
        for colour in [None, Some(KnownColour { colour: Colour::Red, as_of: at(7) })] {
            let token = VisitorToken { visitor, channel: "health-code".into(), expires_at: at(100), colour };
            let text = token.seal(&key);
            assert_eq!(VisitorToken::open(&key, &text, at(99)), Some(token));
            assert_eq!(VisitorToken::open(&key, &text, at(100)), None);
            assert_eq!(VisitorToken::open(&Key::new([2; 32]), &text, at(99)), None);
            assert_eq!(VisitorToken::open(&key, &text[1..], at(99)), None);
            assert_eq!(ShownVisitor::open(&key, &text, at(99)), None);
        }
    }

    #[test]
    fn a_token_of_the_release_before_colours_is_still_read() {
        let key = Key::new([1; 32]);
        let mut bytes = Uuid::from_u128(9).into_bytes().to_vec();
        bytes.extend(100i64.to_be_bytes());
        bytes.extend(b"health-code");
        let token =
            VisitorToken::open(&key, &seal(&key, "placecode/visitor-token/1", &bytes), at(99)).unwrap();
        assert_eq!((token.channel.as_str(), token.colour, token.expires_at), ("health-code", None, at(100)));
    }

    #[test]
    fn a_shown_code_is_good_for_its_five_minutes_whenever_it_is_handed_in() {
        let key = Key::new([1; 32]);
        let visitor = Visitor::from_uuid(Uuid::from_u128(9));
        for colour in [None, Some(KnownColour { colour: Colour::Green, as_of: at(900) })] {
            let shown = ShownVisitor { visitor, expires_at: at(1300), colour };
            let text = shown.seal(&key);
            assert!(text.len() <= 60, "{} symbols make a symbol that is hard to scan", text.len());
            assert_eq!(ShownVisitor::open(&key, &text, at(1000)), Some(shown));
            assert_eq!(ShownVisitor::open(&key, &text, at(1299)), Some(shown));
            for outside in [at(1300), at(939)] {
                assert_eq!(ShownVisitor::open(&key, &text, outside), None);
            }
            assert_eq!(ShownVisitor::open(&Key::new([2; 32]), &text, at(1000)), None);
            assert_eq!(ShownVisitor::open(&key, &text[4..], at(1000)), None);
            assert_eq!(VisitorToken::open(&key, &text, at(1000)), None, "a shown code signs nobody in");
            let later = ShownVisitor { expires_at: at(1301), ..shown }.seal(&key);
            let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
            let (one, two) = (bytes(&text), bytes(&later));
            assert!(!one.windows(16).any(|part| part == visitor.to_uuid().as_bytes()));
            let same = one.iter().zip(&two).filter(|(one, two)| one == two).count();
            assert!(same < 8, "two codes of one visitor have {same} bytes in common");
        }
    }

    #[test]
    fn a_receipt_is_no_visitor_token() {
        let key = Key::new([1; 32]);
        let receipt =
            Receipt { scan: Uuid::from_u128(3), point: PointId::new(77).unwrap(), expires_at: at(60) };
        let text = receipt.seal(&key);
        assert_eq!(Receipt::open(&key, &text, at(59)), Some(receipt));
        assert_eq!(Receipt::open(&key, &text, at(60)), None);
        assert_eq!(VisitorToken::open(&key, &text, at(1)), None);
    }

    #[test]
    fn the_proof_of_a_page_is_good_for_its_visitor_and_code_only_and_names_nobody() {
        let key = Key::new([1; 32]);
        let visitor = Visitor::from_uuid(Uuid::from_u128(9));
        let code = RotatingCode { point: PointId::new(77).unwrap(), step: Step::of(at(300)) };
        let opened = OpenedInTime { visitor, code, expires_at: at(480) };
        let text = opened.seal(&key);
        assert_eq!(OpenedInTime::open(&key, &text, visitor, code, at(479)), Some(opened));
        assert_eq!(OpenedInTime::open(&key, &text, visitor, code, at(480)), None);
        assert_eq!(OpenedInTime::open(&Key::new([2; 32]), &text, visitor, code, at(479)), None);
        let other = Visitor::from_uuid(Uuid::from_u128(8));
        assert_eq!(OpenedInTime::open(&key, &text, other, code, at(479)), None);
        let next = RotatingCode { step: Step::of(at(330)), ..code };
        assert_eq!(OpenedInTime::open(&key, &text, visitor, next, at(479)), None);
        let elsewhere = RotatingCode { point: PointId::new(78).unwrap(), ..code };
        assert_eq!(OpenedInTime::open(&key, &text, visitor, elsewhere, at(479)), None);
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        assert!(!bytes.windows(16).any(|part| part == visitor.to_uuid().as_bytes()));
        assert_eq!(OpenedInTime::open(&key, &text[1..], visitor, code, at(1)), None);
        assert_eq!(OpenedInTime::open(&key, "", visitor, code, at(1)), None);
    }

    #[test]
    fn a_form_belongs_to_its_session() {
        let key = Key::new([1; 32]);
        assert!(form_token_matches(&key, "a", &form_token(&key, "a")));
        assert!(!form_token_matches(&key, "b", &form_token(&key, "a")));
    }
}
