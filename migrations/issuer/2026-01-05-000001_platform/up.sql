-- All kinds of letters, what people tell, and what other systems ask about them.

-- 0 open, 1 expired, 2 withdrawn, 3 ended by its end condition. By weight: open, expired, ended, withdrawn; it only rises.
alter table assignments drop constraint assignments_ending_check;
alter table assignments add constraint assignments_ending_check check (ending between 0 and 3);
alter table assignments
    -- The letter that this row shows: of all about the assignment the weightiest end, of these the newest.
    add column letter_id uuid,
    -- When its end was learned of; what has ended is history for some days.
    add column ended_at  timestamptz;
-- The newest letter counted until now, and the row kept it.
update assignments set letter_id = (letter ->> 'id')::uuid,
    ended_at = case when ending > 0 then expires_at end;
-- Letters of earlier releases say less.
update assignments set letter = jsonb_build_object('rule', null, 'review_at', null, 'appeal_url', '', 'shown', letter -> 'colour',
    'end', jsonb_build_object('tests', null, 'check_ins', jsonb_build_array(), 'by_authority', false)) || letter;
alter table assignments alter column letter_id set not null;
alter table assignments add constraint assignments_end_is_dated check ((ending = 0) = (ended_at is null));

-- What each letter said, for the history that the visitor reads; nothing for letters of earlier releases.
alter table letters
    add column sequence bigint,
    add column kind     text check (kind in ('assigned', 'extended', 'downgraded', 'ended', 'withdrawn', 'expired')),
    add column colour   smallint check (colour between 0 and 2),
    -- Why, where it takes something back.
    add column reason   text;

-- Facts for the service, kept before anybody is told that they arrived. They end or weaken; they colour nobody.
create table facts (
    id          uuid primary key,
    visitor     uuid not null,
    -- 0 negative test, 1 positive test, 2 healthy check-in, 3 check-in with symptoms, 4 discharge
    kind        smallint not null check (kind between 0 and 4),
    at          timestamptz not null,
    recorded_at timestamptz not null,
    -- 0 waits, 1 the service has it, 2 the service will never take it
    state       smallint not null default 0 check (state between 0 and 2),
    attempts    integer not null default 0,
    due_at      timestamptz not null
);
create index facts_waiting on facts (due_at, id) where state = 0;
create index facts_by_visitor on facts (visitor, recorded_at);

-- How far the service's feed has been read; at most one row.
create table feed (
    one       boolean primary key default true check (one),
    position  bigint not null check (position >= 0),
    pulled_at timestamptz not null
);

-- What people declare of their journeys, sealed under a key of the key file: for themselves, never for a colour.
create table journeys (
    id          uuid primary key,
    visitor     uuid not null,
    declared_at timestamptz not null,
    expires_at  timestamptz not null,
    sealed      bytea not null
);
create index journeys_by_visitor on journeys (visitor, declared_at);
create index journeys_by_end on journeys (expires_at);

-- Requests to correct what a code says, each against one assignment; their words are sealed as journeys are.
create table corrections (
    id            uuid primary key,
    visitor       uuid not null,
    assignment_id uuid not null,
    asked_at      timestamptz not null,
    sealed        bytea not null,
    foreign key (visitor, assignment_id) references assignments (visitor, id) on delete cascade
);
create index corrections_by_assignment on corrections (visitor, assignment_id);

-- Which application asked to show whose code, when and what for: limited by these rows, and shown to the person.
create table calls (
    id          uuid primary key,
    application text not null,
    visitor     uuid not null,
    purpose     text not null,
    called_at   timestamptz not null,
    -- A call is good for one code.
    made_at     timestamptz
);
create index calls_by_visitor on calls (visitor, called_at);
create index calls_by_application on calls (application, called_at);

-- Codes that a scanner has seen, until they expire: none is good twice.
create table seen_codes (
    nonce      bytea primary key check (length(nonce) = 8),
    expires_at timestamptz not null
);
create index seen_codes_by_end on seen_codes (expires_at);
