-- Cards of visitors who carry no phone. The hash is keyed, so that this table alone names no card.
create table visitor_cards (
    card_hash   bytea primary key check (length(card_hash) = 32),
    visitor     uuid not null,
    -- Which channel had vouched for the visitor when the card was issued.
    channel     text not null,
    issued_at   timestamptz not null,
    expires_at  timestamptz not null check (expires_at > issued_at),
    revoked_at  timestamptz
);
create index visitor_cards_by_visitor on visitor_cards (visitor);
create index visitor_cards_by_end on visitor_cards (least(expires_at, revoked_at));
