//! The tables of the issuing system, as its migration leaves them.

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
    }
}

diesel::table! {
    letters (id) {
        id -> Uuid,
        visitor -> Uuid,
        assignment_id -> Uuid,
        result -> SmallInt,
        applied_at -> Timestamptz,
    }
}

diesel::table! {
    visitors (visitor) {
        visitor -> Uuid,
        sequence -> BigInt,
    }
}
