//! Appeals: against which assignments, for how long, with what evidence, and how their deadlines stand.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::assignment::AssignmentState;
use super::numbered::Numbered;

/// The longest text of an appeal, in characters.
pub const TEXT_MAX: usize = 2000;

/// How many files one appeal takes.
pub const FILES_MAX: usize = 3;

/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// How long an assignment that has ended can still be appealed against.
pub const AFTER_END: TimeDelta = TimeDelta::days(30);

/// How long after a refusal somebody may appeal once more.
pub const AGAIN_WITHIN: TimeDelta = TimeDelta::days(14);

/// Why an assignment is withdrawn whose appeal was granted.
pub const GRANTED: &str = "appeal granted";

/// Why a visitor appeals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum AppealReason {
    /// The visitor was not at that place.
    NotThere = 0,
    /// Somebody else scanned in the visitor's name, or with the visitor's phone or card.
    SomebodyElse = 1,
    /// The visitor was there at another time, or for less long.
    WrongTime = 2,
    /// A test or a treatment is known that the decision does not know.
    StatusKnown = 3,
    /// Something else, which the text says.
    Other = 4,
}

impl Numbered for AppealReason {
    const ALL: &'static [Self] =
        &[Self::NotThere, Self::SomebodyElse, Self::WrongTime, Self::StatusKnown, Self::Other];

    fn number(self) -> i16 {
        self as i16
    }
}

/// How an appeal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Verdict {
    /// The assignment stands.
    Refused = 0,
    /// The assignment is withdrawn.
    Granted = 1,
    /// What it was about had been taken back before anybody decided.
    Settled = 2,
}

impl Numbered for Verdict {
    const ALL: &'static [Self] = &[Self::Refused, Self::Granted, Self::Settled];

    fn number(self) -> i16 {
        self as i16
    }
}

/// What a piece of evidence is, by its first bytes and never by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum FileKind {
    /// A picture.
    Png = 0,
    /// A photo.
    Jpeg = 1,
    /// A document.
    Pdf = 2,
}

impl Numbered for FileKind {
    const ALL: &'static [Self] = &[Self::Png, Self::Jpeg, Self::Pdf];

    fn number(self) -> i16 {
        self as i16
    }
}

impl FileKind {
    /// The kind of a file that begins with these bytes; `None` for all other kinds.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"%PDF-1.") || bytes.starts_with(b"%PDF-2.") {
            Some(Self::Pdf)
        } else {
            None
        }
    }

    /// The media type under which it is handed out.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Pdf => "application/pdf",
        }
    }

    /// How the name of such a file ends.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Pdf => "pdf",
        }
    }
}

/// An appeal that was made before against the same assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// When it was decided and how; `None` while it is open.
    pub decided: Option<(DateTime<Utc>, Verdict)>,
}

/// Why no appeal is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAppeal {
    /// It ended too long ago.
    TooLate,
    /// It is gone.
    TakenBack,
    /// One is waiting.
    Open,
    /// One was granted.
    Granted,
    /// Two were refused.
    Twice,
    /// The first refusal is long past.
    AgainTooLate,
}

impl NoAppeal {
    /// The reason in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::TooLate => "it ended more than 30 days ago",
            Self::TakenBack => "it was taken back already",
            Self::Open => "an appeal against it is open",
            Self::Granted => "an appeal against it was granted",
            Self::Twice => "two officers have refused already",
            Self::AgainTooLate => "a second appeal is to come within 14 days of the refusal",
        }
    }
}

/// Which instance an appeal would be: 1, or 2 after a refusal. `ended_at` is when the assignment ended, if it did.
pub fn instance(
    state: AssignmentState,
    ended_at: Option<DateTime<Utc>>,
    earlier: &[Earlier],
    now: DateTime<Utc>,
) -> Result<i16, NoAppeal> {
    if state == AssignmentState::Withdrawn {
        return Err(NoAppeal::TakenBack);
    }
    if ended_at.is_some_and(|at| now - at > AFTER_END) {
        return Err(NoAppeal::TooLate);
    }
    match earlier {
        [] => Ok(1),
        [first] => match first.decided {
            None => Err(NoAppeal::Open),
            Some((_, Verdict::Granted | Verdict::Settled)) => Err(NoAppeal::Granted),
            Some((at, Verdict::Refused)) if now - at > AGAIN_WITHIN => Err(NoAppeal::AgainTooLate),
            Some((_, Verdict::Refused)) => Ok(2),
        },
        [.., last] if last.decided.is_none() => Err(NoAppeal::Open),
        _ => Err(NoAppeal::Twice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AssignmentState::{Delivered, Expired, Withdrawn};

    fn day(days: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + days * 86_400, 0).unwrap()
    }

    fn decided(days: i64, verdict: Verdict) -> Earlier {
        Earlier { decided: Some((day(days), verdict)) }
    }

    #[test]
    fn one_is_open_at_a_time_and_a_refusal_is_looked_at_once_more() {
        let open = Earlier { decided: None };
        let refused = decided(0, Verdict::Refused);
        assert_eq!(instance(Delivered, None, &[], day(0)), Ok(1));
        assert_eq!(instance(Delivered, None, &[open], day(0)), Err(NoAppeal::Open));
        assert_eq!(instance(Delivered, None, &[refused], day(14)), Ok(2));
        assert_eq!(instance(Delivered, None, &[refused], day(15)), Err(NoAppeal::AgainTooLate));
        assert_eq!(instance(Delivered, None, &[refused, open], day(1)), Err(NoAppeal::Open));
        assert_eq!(instance(Delivered, None, &[refused, refused], day(1)), Err(NoAppeal::Twice));
        let granted = [decided(0, Verdict::Granted)];
        assert_eq!(instance(Delivered, None, &granted, day(1)), Err(NoAppeal::Granted));
    }

    #[test]
    fn what_has_ended_can_be_appealed_against_for_a_while_and_what_is_gone_cannot() {
        assert_eq!(instance(Expired, Some(day(0)), &[], day(30)), Ok(1));
        assert_eq!(instance(Expired, Some(day(0)), &[], day(31)), Err(NoAppeal::TooLate));
        assert_eq!(instance(Withdrawn, Some(day(0)), &[], day(1)), Err(NoAppeal::TakenBack));
    }

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        assert_eq!(FileKind::of(b"\x89PNG\r\n\x1a\n...."), Some(FileKind::Png));
        assert_eq!(FileKind::of(b"\xff\xd8\xff\xe0"), Some(FileKind::Jpeg));
        assert_eq!(FileKind::of(b"%PDF-1.7\n"), Some(FileKind::Pdf));
        for other in [&b"<html>"[..], b"MZ\x90", b"GIF89a", b"<svg", b"", b"\x89PN", b"PK\x03\x04"] {
            assert_eq!(FileKind::of(other), None, "{other:?}");
        }
    }
}
