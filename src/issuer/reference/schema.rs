//! The tables of the issuing system, as its migrations leave them.

diesel::table! {
    assignments (visitor, id) {
        visitor -> Uuid,
        id -> Uuid,
        sequence -> BigInt,
        ending -> SmallInt,
        class -> SmallInt,
        colour -> SmallInt,
        expires_at -> Timestamptz,
        letter -> Jsonb,
        letter_id -> Uuid,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    calls (id) {
        id -> Uuid,
        application -> Text,
        visitor -> Uuid,
        purpose -> Text,
        called_at -> Timestamptz,
        made_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    corrections (id) {
        id -> Uuid,
        visitor -> Uuid,
        assignment_id -> Uuid,
        asked_at -> Timestamptz,
        sealed -> Bytea,
    }
}

diesel::table! {
    facts (id) {
        id -> Uuid,
        visitor -> Uuid,
        kind -> SmallInt,
        at -> Timestamptz,
        recorded_at -> Timestamptz,
        state -> SmallInt,
        attempts -> Integer,
        due_at -> Timestamptz,
    }
}

diesel::table! {
    feed (one) {
        one -> Bool,
        position -> BigInt,
        pulled_at -> Timestamptz,
    }
}

diesel::table! {
    journeys (id) {
        id -> Uuid,
        visitor -> Uuid,
        declared_at -> Timestamptz,
        expires_at -> Timestamptz,
        sealed -> Bytea,
    }
}

diesel::table! {
    letters (id) {
        id -> Uuid,
        visitor -> Uuid,
        assignment_id -> Uuid,
        result -> SmallInt,
        applied_at -> Timestamptz,
        sequence -> Nullable<BigInt>,
        kind -> Nullable<Text>,
        colour -> Nullable<SmallInt>,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    seen_codes (nonce) {
        nonce -> Bytea,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    visitors (visitor) {
        visitor -> Uuid,
        sequence -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(assignments, corrections, letters);
