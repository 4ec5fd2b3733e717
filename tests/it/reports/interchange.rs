//! Files for other systems, against what those systems read: their columns, their words, what they cannot do without.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{Outbreak, outbreak, table};

/// SORMAS 1.104, import of contacts: fields that its template has, with those of the person.
const SORMAS_CONTACT: &[&str] = &[
    "caseIdExternalSystem",
    "caseOrEventInformation",
    "disease",
    "diseaseDetails",
    "reportDateTime",
    "reportLat",
    "reportLon",
    "reportLatLonAccuracy",
    "region",
    "district",
    "community",
    "multiDayContact",
    "firstContactDate",
    "lastContactDate",
    "contactIdentificationSource",
    "contactIdentificationSourceDetails",
    "tracingApp",
    "tracingAppDetails",
    "contactProximity",
    "contactProximityDetails",
    "contactCategory",
    "contactClassification",
    "contactStatus",
    "followUpStatus",
    "followUpComment",
    "followUpUntil",
    "description",
    "relationToCase",
    "relationDescription",
    "externalID",
    "highPriority",
    "quarantine",
    "quarantineFrom",
    "quarantineTo",
    "additionalDetails",
    "person.firstName",
    "person.lastName",
    "person.sex",
];

/// SORMAS 1.104, import of cases.
const SORMAS_CASE: &[&str] = &[
    "disease",
    "diseaseDetails",
    "person.firstName",
    "person.lastName",
    "person.sex",
    "epidNumber",
    "reportDate",
    "caseClassification",
    "caseOrigin",
    "responsibleRegion",
    "responsibleDistrict",
    "responsibleCommunity",
    "facilityType",
    "healthFacility",
    "healthFacilityDetails",
    "pointOfEntry",
    "symptoms.onsetDate",
    "externalID",
    "additionalDetails",
];

/// What its validation refuses to do without.
const SORMAS_CONTACT_NEEDS: &[&str] =
    &["disease", "reportDateTime", "region", "district", "person.firstName", "person.lastName", "person.sex"];
const SORMAS_CASE_NEEDS: &[&str] = &[
    "disease",
    "reportDate",
    "responsibleRegion",
    "responsibleDistrict",
    "healthFacility",
    "person.firstName",
    "person.lastName",
    "person.sex",
];

/// The words of its closed sets.
const SORMAS_WORDS: &[(&str, &[&str])] = &[
    ("person.sex", &["MALE", "FEMALE", "OTHER", "UNKNOWN"]),
    ("disease", &["CORONAVIRUS", "INFLUENZA", "MEASLES", "UNDEFINED", "OTHER"]),
    ("caseOrigin", &["IN_COUNTRY", "POINT_OF_ENTRY"]),
    (
        "caseClassification",
        &[
            "NOT_CLASSIFIED",
            "SUSPECT",
            "PROBABLE",
            "CONFIRMED",
            "CONFIRMED_NO_SYMPTOMS",
            "CONFIRMED_UNKNOWN_SYMPTOMS",
            "NO_CASE",
        ],
    ),
    ("contactIdentificationSource", &["CASE_PERSON", "CONTACT_PERSON", "TRACING_APP", "OTHER", "UNKNOWN"]),
    ("contactClassification", &["UNCONFIRMED", "CONFIRMED", "NO_CONTACT"]),
    ("contactStatus", &["ACTIVE", "CONVERTED", "DROPPED"]),
    (
        "relationToCase",
        &["SAME_HOUSEHOLD", "FAMILY_MEMBER_OR_FRIEND", "SAME_ENVIRONMENT", "MEDICAL_CARE", "OTHER"],
    ),
    (
        "contactProximity",
        &[
            "TOUCHED_FLUID",
            "PHYSICAL_CONTACT",
            "CLOTHES_OR_OTHER",
            "CLOSE_CONTACT",
            "FACE_TO_FACE_LONG",
            "MEDICAL_UNSAFE",
            "SAME_ROOM",
            "AIRPLANE",
            "FACE_TO_FACE_SHORT",
            "MEDICAL_SAFE",
            "MEDICAL_SAME_ROOM",
            "AEROSOL",
            "MEDICAL_DISTANT",
            "MEDICAL_LIMITED",
        ],
    ),
    ("multiDayContact", &["true", "false"]),
];

/// The longest text of a field, by SORMAS.
const SORMAS_TEXT_MAX: usize = 512;

impl Outbreak {
    /// The rows of a file of SORMAS below its line of entities.
    async fn sormas(
        &self,
        file: &str,
        more: &str,
        entity: &str,
    ) -> Vec<std::collections::BTreeMap<String, String>> {
        let text = self.text(file, more).await;
        assert!(!text.starts_with('\u{feff}'), "{file}");
        let (above, rest) = text.split_once("\r\n").unwrap();
        assert!(above.split(',').all(|word| word == entity), "{above}");
        assert_eq!(above.split(',').count(), rest.lines().next().unwrap().split(',').count());
        table(rest)
    }
}

/// Checks rows against the columns, words and needs of SORMAS.
fn fits_sormas(
    rows: &[std::collections::BTreeMap<String, String>],
    columns: &[&str],
    needs: &[&str],
    form: &str,
) {
    assert!(!rows.is_empty());
    for row in rows {
        for (name, cell) in row {
            assert!(columns.contains(&name.as_str()), "SORMAS has no column {name}");
            assert!(cell.chars().count() <= SORMAS_TEXT_MAX, "{name}");
            let words = SORMAS_WORDS.iter().find(|(of, _)| of == name);
            assert!(
                words.is_none_or(|(_, words)| cell.is_empty() || words.contains(&cell.as_str())),
                "{name}: {cell}"
            );
            let is_date = name.to_lowercase().contains("date");
            if is_date && !cell.is_empty() {
                // Dates of fewer than eight letters are refused.
                assert!(cell.len() >= 8 && NaiveDate::parse_from_str(cell, form).is_ok(), "{name}: {cell}");
            }
        }
        for need in needs {
            assert!(!row[*need].is_empty(), "SORMAS needs {need}: {row:?}");
        }
    }
}

async fn with_divisions() -> Outbreak {
    let out = outbreak().await;
    let names = "insert into divisions (code, name, south_deg, west_deg, north_deg, east_deg) values
        ('410000', '河南省', 31, 110, 37, 117), ('410100', '郑州市', 34, 112, 35, 115)";
    assert_eq!(out.app.sql(names).await, Ok(2));
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn sormas_knows_every_column_and_word_and_misses_nothing() {
    let out = with_divisions().await;
    let contacts = out.sormas("sormas-contacts.csv", "", "Contact").await;
    fits_sormas(&contacts, SORMAS_CONTACT, SORMAS_CONTACT_NEEDS, "%m/%d/%Y");
    let people: BTreeSet<&String> = contacts.iter().map(|row| &row["externalID"]).collect();
    assert_eq!(people, BTreeSet::from([&out.hex(2), &out.hex(3), &out.hex(5)]), "who is left out stays here");
    let three = contacts.iter().find(|row| row["externalID"] == out.hex(3)).unwrap();
    let told =
        ["region", "district", "contactProximity", "multiDayContact", "firstContactDate", "lastContactDate"]
            .map(|name| three[name].as_str());
    assert_eq!(told, ["河南省", "郑州市", "SAME_ROOM", "false", "", "03/15/2026"]);
    assert_eq!(three["caseIdExternalSystem"], out.case);
    let cases = out.sormas("sormas-cases.csv", "&day_first=true&disease=INFLUENZA", "CaseData").await;
    fits_sormas(&cases, SORMAS_CASE, SORMAS_CASE_NEEDS, "%d/%m/%Y");
    let told: Vec<[&str; 4]> = cases
        .iter()
        .map(|row| {
            ["externalID", "caseClassification", "symptoms.onsetDate", "disease"]
                .map(|name| row[name].as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            [&*out.case, "CONFIRMED", "16/03/2026", "INFLUENZA"],
            [&*out.other, "CONFIRMED_NO_SYMPTOMS", "", "INFLUENZA"]
        ]
    );
    // The region stands before its district, since SORMAS looks for the district within it.
    let header = out.text("sormas-contacts.csv", "").await;
    assert!(header.find(",region,").unwrap() < header.find(",district,").unwrap());
}

/// Go.Data 2.50, import of cases and contacts: names of fields, as its import recognises them.
const GODATA_PERSON: &[&str] = &[
    "id",
    "visualId",
    "firstName",
    "middleName",
    "lastName",
    "gender",
    "dob",
    "occupation",
    "dateOfReporting",
    "isDateOfReportingApproximate",
    "dateOfOnset",
    "isDateOfOnsetApproximate",
    "classification",
    "riskLevel",
    "riskReason",
    "dateBecomeCase",
    "outcomeId",
    "dateOfOutcome",
];
const GODATA_RELATIONSHIP: &[&str] = &[
    "persons[].id",
    "dateOfFirstContact",
    "contactDate",
    "contactDateEstimated",
    "certaintyLevelId",
    "exposureTypeId",
    "exposureFrequencyId",
    "exposureDurationId",
    "socialRelationshipTypeId",
    "socialRelationshipDetail",
    "clusterId",
    "comment",
];

/// The ids of its reference data.
const GODATA_WORDS: &[(&str, &str, &[&str])] = &[
    (
        "classification",
        "CASE_CLASSIFICATION",
        &["CONFIRMED", "PROBABLE", "SUSPECT", "NOT_A_CASE_DISCARDED", "UNCLASSIFIED"],
    ),
    ("riskLevel", "RISK_LEVEL", &["1_LOW", "2_MEDIUM", "3_HIGH", "UNCLASSIFIED"]),
    ("certaintyLevelId", "CERTAINTY_LEVEL", &["1_LOW", "2_MEDIUM", "3_HIGH"]),
    (
        "exposureTypeId",
        "EXPOSURE_TYPE",
        &[
            "ATE_DRANK_CONTAMINATED_MATERIAL",
            "DIRECT_PHYSICAL_CONTACT",
            "INTRAVENOUS_EXPOSURE",
            "OTHER_PLEASE_SPECIFY_IN_COMMENT_FIELD",
            "SEXUAL_EXPOSURE",
            "SLEPT_ATE_OR_SPEND_TIME_IN_SAME_HOUSEHOLD",
            "TOUCHED_BODY_FLUIDS",
        ],
    ),
    (
        "exposureFrequencyId",
        "EXPOSURE_FREQUENCY",
        &["1_5_TIMES", "6_10_TIMES", "11_20_TIMES", "OVER_21_TIMES", "UNKNOWN"],
    ),
    (
        "exposureDurationId",
        "EXPOSURE_DURATION",
        &["VERY_SHORT_SECONDS", "SHORT_MINUTES", "MEDIUM_HOURS", "LONG_DAYS"],
    ),
];

/// Checks rows against Go.Data; `needs` may not be empty, and an id comes once.
fn fits_godata(rows: &[std::collections::BTreeMap<String, String>], needs: &[&str]) {
    assert!(!rows.is_empty());
    let ids: BTreeSet<&String> = rows.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids.len(), rows.len());
    for row in rows {
        for (name, cell) in row {
            let known =
                GODATA_PERSON.contains(&name.as_str()) || GODATA_RELATIONSHIP.contains(&name.as_str());
            assert!(known, "Go.Data has no field {name}");
            if let Some((_, category, words)) = GODATA_WORDS.iter().find(|(of, ..)| of == name) {
                let word = cell.strip_prefix(&format!("LNG_REFERENCE_DATA_CATEGORY_{category}_"));
                assert!(word.is_some_and(|word| words.contains(&word)), "{name}: {cell}");
            }
            if name.contains("Date") && name != "contactDateEstimated" || name.starts_with("dateOf") {
                assert!(
                    cell.is_empty() || NaiveDate::parse_from_str(cell, "%Y-%m-%d").is_ok(),
                    "{name}: {cell}"
                );
            }
        }
        for need in needs {
            assert!(!row[*need].is_empty(), "Go.Data needs {need}: {row:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn go_data_knows_every_field_and_word_and_finds_whom_a_contact_met() {
    let out = outbreak().await;
    let contact_needs = [
        "id",
        "firstName",
        "dateOfReporting",
        "persons[].id",
        "contactDate",
        "contactDateEstimated",
        "certaintyLevelId",
    ];
    let cases = out.rows("godata-cases.csv").await;
    fits_godata(&cases, &["id", "firstName", "dateOfReporting", "classification"]);
    let contacts = out.rows("godata-contacts.csv").await;
    fits_godata(&contacts, &contact_needs);
    let further = out.rows("godata-contacts-of-contacts.csv").await;
    fits_godata(&further, &contact_needs);
    let ids = |rows: &[std::collections::BTreeMap<String, String>]| -> BTreeSet<String> {
        rows.iter().map(|row| row["id"].clone()).collect()
    };
    assert_eq!(ids(&cases), BTreeSet::from([out.hex(1), out.hex(2)]));
    // Person 2 is a case and so no contact; person 4 is left out.
    assert_eq!(ids(&contacts), BTreeSet::from([out.hex(3)]));
    assert!(contacts.iter().all(|row| ids(&cases).contains(&row["persons[].id"])));
    assert!(further.iter().all(|row| ids(&contacts).contains(&row["persons[].id"])));
    assert_eq!(ids(&further), BTreeSet::from([out.hex(5)]));
    assert!(contacts[0]["comment"].contains("same_point (room)"), "{}", contacts[0]["comment"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn epicontacts_takes_the_first_columns_and_every_id_once() {
    let out = outbreak().await;
    let (list, pairs) =
        (out.text("epicontacts-linelist.csv", "").await, out.text("epicontacts-contacts.csv", "").await);
    // `make_epicontacts` takes the first column as id, the first two as from and to, and refuses an id that comes twice.
    assert!(list.starts_with("id,") && pairs.starts_with("from,to,"));
    let (list, pairs) = (table(&list), table(&pairs));
    let ids: BTreeSet<String> = list.iter().map(|row| row["id"].clone()).collect();
    assert_eq!((ids.len(), list.len(), pairs.len()), (4, 4, 3));
    assert!(pairs.iter().all(|row| ids.contains(&row["from"]) && ids.contains(&row["to"])));
    // No column of ids is taken for numbers.
    assert!(ids.iter().all(|id| id.starts_with('v') && id.len() == 33));
    let of = |number: u32| format!("v{}", out.hex(number));
    let edges: BTreeSet<(String, String)> =
        pairs.iter().map(|row| (row["from"].clone(), row["to"].clone())).collect();
    assert_eq!(edges, BTreeSet::from([(of(1), of(2)), (of(1), of(3)), (of(3), of(5))]));
    for row in &pairs {
        for name in ["date_first", "date_last"] {
            assert!(NaiveDate::parse_from_str(&row[name], "%Y-%m-%d").is_ok());
        }
    }
}
