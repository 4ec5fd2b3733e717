//! Case → place → contact as a graph, for people to draw and for programs to read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::cell::moment;
use super::contact::Person;
use super::line_list::{CaseFacts, Link};
use crate::domain::visitor::Visitor;
use crate::domain::words::word;

/// A case's time at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct AtPlace {
    /// Which case.
    pub case: Uuid,
    /// Where; unknown places are no part of a chain.
    pub venue: Uuid,
    /// Name of the venue.
    pub venue_name: String,
    /// Since when.
    pub from_at: DateTime<Utc>,
    /// Until when.
    pub until_at: DateTime<Utc>,
}

/// A node: a case, a place or a contact.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    kind: &'static str,
    label: String,
    more: Map<String, Value>,
}

/// An edge, from the earlier to the later.
#[derive(Clone, Debug, PartialEq)]
struct Edge {
    from: String,
    to: String,
    kind: &'static str,
    from_at: DateTime<Utc>,
    until_at: DateTime<Utc>,
    more: Map<String, Value>,
}

/// The graph of a run. Nodes are named `case:ID`, `place:ID` and `contact:PSEUDONYM`.
#[derive(Clone, Debug)]
pub struct Chain {
    nodes: BTreeMap<String, Node>,
    edges: Vec<Edge>,
    /// How many contacts the run has that are not left out.
    pub contacts: u64,
    /// How many of them stand in the graph.
    pub shown: usize,
    offset: FixedOffset,
}

impl Chain {
    /// The graph of these cases, their time at places, and these contacts of `contacts`. A contact who is a case is a
    /// case. Whoever is shown through somebody who is not shown still has the place.
    pub fn of(
        cases: &[CaseFacts],
        at: &[AtPlace],
        people: &[Person],
        contacts: u64,
        offset: FixedOffset,
    ) -> Self {
        let mut chain =
            Self { nodes: BTreeMap::new(), edges: Vec::new(), contacts, shown: people.len(), offset };
        let by_visitor: BTreeMap<Visitor, &CaseFacts> =
            cases.iter().map(|case| (case.visitor, case)).collect();
        for case in cases {
            chain.nodes.insert(case_node(case.id), node_of_case(case, offset));
        }
        for stay in at.iter().filter(|stay| cases.iter().any(|case| case.id == stay.case)) {
            chain.place(stay.venue, &stay.venue_name);
            chain.edges.push(Edge {
                from: case_node(stay.case),
                to: place_node(stay.venue),
                kind: "was_at",
                from_at: stay.from_at,
                until_at: stay.until_at,
                more: Map::new(),
            });
        }
        let shown: BTreeSet<Visitor> = people.iter().map(|person| person.visitor).collect();
        for person in people {
            chain.person(person, &by_visitor, &shown);
        }
        chain
            .edges
            .sort_by(|a, b| (a.from_at, &a.from, &a.to, a.kind).cmp(&(b.from_at, &b.from, &b.to, b.kind)));
        chain.edges.dedup();
        chain
    }

    fn place(&mut self, venue: Uuid, name: &str) {
        let node = Node { kind: "place", label: name.to_owned(), more: Map::new() };
        self.nodes.entry(place_node(venue)).or_insert(node);
    }

    fn person(&mut self, person: &Person, cases: &BTreeMap<Visitor, &CaseFacts>, shown: &BTreeSet<Visitor>) {
        let name = |visitor: Visitor| match cases.get(&visitor) {
            Some(case) => case_node(case.id),
            None => contact_node(visitor),
        };
        let own = name(person.visitor);
        self.nodes.entry(own.clone()).or_insert_with(|| node_of_contact(person));
        for met in &person.met {
            let Some(venue) = met.venue else { continue };
            self.place(venue, &met.venue_name);
            if let Some(via) = met.via.filter(|via| shown.contains(via) || cases.contains_key(via)) {
                self.edges.push(Edge {
                    from: name(via),
                    to: place_node(venue),
                    kind: "was_at",
                    from_at: met.first_at,
                    until_at: met.last_at,
                    more: Map::new(),
                });
            }
            let more = json!({ "relation": met.relation, "presence": met.presence, "secs": met.secs, "via": met.via.map(Visitor::to_hex) });
            self.edges.push(Edge {
                from: place_node(venue),
                to: own.clone(),
                kind: "exposed",
                from_at: met.first_at,
                until_at: met.last_at,
                more: more.as_object().cloned().unwrap_or_default(),
            });
        }
    }

    /// As JSON: `nodes` and `edges`, with what `about` says of the file.
    pub fn json(&self, about: Map<String, Value>) -> Value {
        let node = |(id, node): (&String, &Node)| {
            let mut told = json!({ "id": id, "kind": node.kind, "label": node.label });
            extend(&mut told, &node.more);
            told
        };
        let edge = |edge: &Edge| {
            let (from_at, until_at) = (moment(edge.from_at, self.offset), moment(edge.until_at, self.offset));
            let mut told = json!({ "from": edge.from, "to": edge.to, "kind": edge.kind, "from_at": from_at, "until_at": until_at });
            extend(&mut told, &edge.more);
            told
        };
        let mut told = Value::Object(about);
        let graph = json!({
            "contacts": self.contacts,
            "contacts_shown": self.shown,
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "edges": self.edges.iter().map(edge).collect::<Vec<_>>(),
        });
        extend(&mut told, graph.as_object().unwrap_or(&Map::new()));
        told
    }

    /// For `GraphViz`: `dot -Tsvg chain.dot`.
    pub fn dot(&self) -> String {
        let mut lines = vec![
            "digraph chain {".to_owned(),
            "  rankdir=LR; node [fontname=\"Noto Sans CJK SC\"]; edge [fontname=\"Noto Sans CJK SC\"];"
                .to_owned(),
        ];
        for (id, node) in &self.nodes {
            let shape = match node.kind {
                "case" => "shape=box, style=filled, fillcolor=\"#f8d7da\"",
                "place" => "shape=house",
                _ => "shape=ellipse",
            };
            lines.push(format!("  {} [label={}, {shape}];", text(id), text(&node.label)));
        }
        for edge in &self.edges {
            let local = |at: DateTime<Utc>| at.with_timezone(&self.offset);
            let slot = format!(
                "{}–{}",
                local(edge.from_at).format("%m-%d %H:%M"),
                local(edge.until_at).format("%H:%M")
            );
            lines.push(format!("  {} -> {} [label={}];", text(&edge.from), text(&edge.to), text(&slot)));
        }
        lines.push("}\n".to_owned());
        lines.join("\n")
    }
}

fn extend(value: &mut Value, more: &Map<String, Value>) {
    if let Value::Object(object) = value {
        object.extend(more.clone());
    }
}

fn case_node(id: Uuid) -> String {
    format!("case:{id}")
}

fn place_node(id: Uuid) -> String {
    format!("place:{id}")
}

fn contact_node(visitor: Visitor) -> String {
    format!("contact:{}", visitor.to_hex())
}

fn node_of_case(case: &CaseFacts, offset: FixedOffset) -> Node {
    let more = json!({
        "link": case.link,
        "case_kind": case.kind,
        "onset_at": case.onset_at.map(|at| moment(at, offset)),
        "division": case.division,
        "index": case.link == Link::Index,
    });
    Node { kind: "case", label: case.case_no.clone(), more: more.as_object().cloned().unwrap_or_default() }
}

fn node_of_contact(person: &Person) -> Node {
    let hex = person.visitor.to_hex();
    let short = hex.get(..8).unwrap_or_default();
    let more = json!({ "class": person.class, "colour": person.colour, "depth": person.depth });
    let label = format!("{short}… {}", word(person.class));
    Node { kind: "contact", label, more: more.as_object().cloned().unwrap_or_default() }
}

/// A quoted text of the DOT language.
fn text(value: &str) -> String {
    let clean: String = value.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("\"{}\"", clean.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::super::contact::Met;
    use super::super::contact::tests::{met, person};
    use super::super::line_list::tests::case;
    use super::*;

    fn offset() -> FixedOffset {
        FixedOffset::east_opt(8 * 3600).unwrap()
    }

    fn at(case: &CaseFacts, venue: u32) -> AtPlace {
        let met = met(venue, 3_600);
        AtPlace {
            case: case.id,
            venue: met.venue.unwrap(),
            venue_name: met.venue_name,
            from_at: met.first_at,
            until_at: met.last_at,
        }
    }

    #[test]
    fn contacts_of_contacts_hang_on_the_contact_and_two_cases_on_the_place_they_share() {
        let (one, two) = (case(1, Link::Index), case(2, Link::SharedPlace));
        let direct = person(1);
        let through = Met { via: Some(direct.visitor), source: None, ..met(2, 900) };
        let secondary = Person { depth: 1, met: vec![through], ..person(2) };
        let stays = [at(&one, 1), at(&two, 1)];
        let chain =
            Chain::of(&[one.clone(), two.clone()], &stays, &[direct.clone(), secondary.clone()], 7, offset());
        let told = chain.json(Map::new());
        assert_eq!((&told["contacts"], &told["contacts_shown"]), (&json!(7), &json!(2)));
        let ids: Vec<&str> =
            told["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 6);
        let place = |number: u128| place_node(Uuid::from_u128(number));
        let has = |from: &str, to: &str| {
            told["edges"].as_array().unwrap().iter().any(|edge| edge["from"] == from && edge["to"] == to)
        };
        assert!(has(&case_node(one.id), &place(1)) && has(&case_node(two.id), &place(1)));
        assert!(has(&place(1), &contact_node(direct.visitor)));
        assert!(
            has(&contact_node(direct.visitor), &place(2)) && has(&place(2), &contact_node(secondary.visitor))
        );
        assert!(!has(&case_node(one.id), &place(2)));
        for edge in told["edges"].as_array().unwrap() {
            assert!(
                ids.contains(&edge["from"].as_str().unwrap()) && ids.contains(&edge["to"].as_str().unwrap())
            );
        }
    }

    #[test]
    fn a_contact_who_is_a_case_is_one_node() {
        let (one, two) = (case(1, Link::Index), case(2, Link::Contact));
        let also = Person { visitor: two.visitor, ..person(1) };
        let chain = Chain::of(&[one, two.clone()], &[], &[also], 1, offset());
        assert!(!chain.nodes.contains_key(&contact_node(two.visitor)));
        assert!(chain.edges.iter().any(|edge| edge.to == case_node(two.id) && edge.kind == "exposed"));
    }

    #[test]
    fn what_stands_in_a_name_does_not_break_the_drawing() {
        let mut one = case(1, Link::Index);
        one.case_no = "a\"]; \\ b\nc".to_owned();
        let dot = Chain::of(&[one], &[], &[], 0, offset()).dot();
        assert!(dot.contains("[label=\"a\\\"]; \\\\ b c\", shape=box"), "{dot}");
        assert!(dot.starts_with("digraph chain {\n") && dot.ends_with("}\n"));
    }
}
