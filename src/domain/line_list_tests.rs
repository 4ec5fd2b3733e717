use super::*;

const HEX: &str = "0123456789abcdef0123456789abcdef";

fn terms() -> Terms<'static> {
    Terms {
        who: None,
        map: &[],
        authority: None,
        division: None,
        within: "410000".parse().unwrap(),
        offset: FixedOffset::east_opt(8 * 3600).unwrap(),
        now: "2026-03-16T04:00:00Z".parse().unwrap(),
    }
}

fn faults(list: &str) -> Vec<String> {
    read(list.as_bytes(), &terms()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn own_headings_and_those_of_other_systems_say_the_same() {
    let own = format!(
        "case_no,visitor,kind,onset_at,sampled_at,isolated_at,authority,division\n\
         7,{HEX},confirmed,2026-03-10,2026-03-12 08:30,2026-03-13T00:00:00Z,郑州疾控,410100\n"
    );
    let sormas = format!(
        "\u{feff}epidNumber;externalID;visitor;caseClassification;symptoms.onsetDate;sampleDateTime;quarantineFrom;reportingAuthority;division\n\
         7;x;{HEX};CONFIRMED;2026-03-10;2026-03-12 08:30;2026-03-13T00:00:00Z;郑州疾控;410100\n"
    );
    let go_data = format!(
        "Case ID\tvisitor\tClassification\tDate of onset\tdateSampleTaken\tDate of isolation\tauthority\tdivision\n\
         7\t{HEX}\tLNG_REFERENCE_DATA_CATEGORY_CASE_CLASSIFICATION_CONFIRMED\t2026-03-10\t2026-03-12 08:30\t2026-03-13T00:00:00.000Z\t郑州疾控\t410100\n"
    );
    let rows = read(own.as_bytes(), &terms()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].line, 2);
    assert_eq!(rows[0].dates.onset_at, Some("2026-03-09T16:00:00Z".parse().unwrap()));
    for other in [sormas, go_data] {
        assert_eq!(read(other.as_bytes(), &terms()).unwrap(), rows, "{other}");
    }
}

#[test]
fn each_wrong_row_is_named_with_its_column_and_what_would_be_right() {
    let head = "case_no,visitor,kind,onset_at,sampled_at,authority,division";
    let row = |no: &str, who: &str, kind: &str, onset: &str, sampled: &str, division: &str| {
        format!("{no},{who},{kind},{onset},{sampled},CDC,{division}")
    };
    let good = |no| row(no, HEX, "confirmed", "2026-03-10", "2026-03-12", "410100");
    let rows = [
        good("1"),
        row("2", "li", "confirmed", "2026-03-10", "2026-03-12", "410100"),
        row("3", HEX, "probable", "2026-03-10", "2026-03-12", "410100"),
        row("4", HEX, "confirmed", "10/03/2026", "2026-03-12", "410100"),
        row("5", HEX, "confirmed", "", "2026-03-12", "410100"),
        row("6", HEX, "confirmed", "2026-03-10", "2026-03-17", "410100"),
        row("7", HEX, "confirmed", "2026-03-10", "", "410100"),
        row("8", HEX, "confirmed", "2026-03-10", "2026-03-12", "420100"),
        row("9", HEX, "confirmed", "2026-03-10", "2026-03-12", "4101"),
        good("1"),
        good(""),
        "11,too,few".to_owned(),
    ];
    let told = faults(&format!("{head}\n{}\n", rows.join("\n")));
    let expected = [
        "line 3, visitor: no pseudonym; right: 32 hexadecimal",
        "line 4, kind: `probable`; right: confirmed, suspected",
        "line 5, onset_at: `10/03/2026`; right: 2026-03-01",
        "line 6, onset_at: a confirmed or suspected case needs",
        "line 7, sampled_at: `sampled_at` lies in the future",
        "line 8, sampled_at: empty",
        "line 9, division: 420100 belongs to another jurisdiction; right: a division inside 410000",
        "line 10, division: `4101`",
        "line 11, case_no: stands in line 2 already",
        "line 12, case_no: ``; right: must have 1 to 100",
        "line 13, row: 3 cells; right: 7 cells",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} is not {expected}");
    }
    assert!(told.iter().all(|told| !told.contains(HEX)), "no fault repeats who somebody is");
}

#[test]
fn a_list_without_a_column_that_it_needs_is_refused_by_its_head() {
    assert!(faults("case_no,visitor,kind,authority,division\n")[0].starts_with("line 1, sampled_at: "));
    assert!(faults("case_no,kind,sampled_at,authority,division\n")[0].starts_with("line 1, visitor: "));
    let identity = "case_no,identity,kind,sampled_at,authority,division\n";
    assert!(
        faults(identity)[0].starts_with("line 1, visitor: "),
        "only the machine with the key knows identities"
    );
    assert!(faults("case_no,visitor,kind,sampled_at,authority,division\n")[0].contains("empty"));
    assert!(faults("")[0].starts_with("line 1, case_no: "));
    let broken =
        b"case_no,visitor,kind,sampled_at,authority,division\n1,\xff,confirmed,2026-03-12,CDC,410100\n";
    assert!(read(broken, &terms()).unwrap_err()[0].wrong.contains("UTF-8"));
}

#[test]
fn what_a_list_does_not_say_is_given_beside_it() {
    let who = |kind: &str, number: &str| {
        (kind == "passport")
            .then(|| Visitor::of(&[7; 32], crate::domain::visitor::IdentityKind::Passport, number))
    };
    let map = [("sampled_at".to_owned(), "Lab_date1".to_owned())];
    let terms = Terms {
        who: Some(&who),
        map: &map,
        authority: Some("CDC"),
        division: Some("410100".parse().unwrap()),
        ..terms()
    };
    let list =
        "case_no,identity_kind,identity,report_classif,Lab_date1\n1,passport,E1,Asymptomatic,2026-03-12\n";
    let rows = read(list.as_bytes(), &terms).unwrap();
    assert_eq!((rows[0].kind, rows[0].authority.as_str()), (CaseKind::Asymptomatic, "CDC"));
    let other = list.replace("passport,", "library card,");
    assert_eq!(read(other.as_bytes(), &terms).unwrap_err()[0].column, "identity_kind");
}

#[test]
fn no_more_faults_are_told_than_somebody_can_read() {
    let head = "case_no,visitor,kind,sampled_at,authority,division\n";
    let list = format!("{head}{}", "1,x,confirmed,2026-03-12,CDC,410100\n".repeat(FAULTS_MAX * 3));
    assert_eq!(faults(&list).len(), FAULTS_MAX + 1);
}
