-- The chain guards itself against the owner of its tables too, its heads are published and signed, and what each
-- process was started with is known.

-- The hash of an entry, as `domain::audit` computes it: each part is preceded by its length in bytes.
create function audit_hash(prev bytea, seq bigint, at_micros bigint, actor text, action text, subject text, detail text)
returns bytea language sql immutable as $$
    select sha256(prev || int8send(seq) || int8send(at_micros)
                  || int8send(octet_length(actor)::bigint) || convert_to(actor, 'UTF8')
                  || int8send(octet_length(action)::bigint) || convert_to(action, 'UTF8')
                  || int8send(octet_length(subject)::bigint) || convert_to(subject, 'UTF8')
                  || int8send(octet_length(detail)::bigint) || convert_to(detail, 'UTF8'))
$$;

-- The hash before the last: one statement moves the head and writes the entry.
alter table audit_head add column prev bytea;
update audit_head h set prev =
    coalesce((select e.prev from audit_entries e where e.seq = h.seq), decode(repeat('00', 32), 'hex'));
alter table audit_head alter column prev set not null;

-- An entry is what the head says, and has the hash of its content.
create function audit_entry_follows() returns trigger language plpgsql as $$
begin
    if new.hash is distinct from
       audit_hash(new.prev, new.seq, new.at_micros, new.actor, new.action, new.subject, new.detail)
       or not exists (select 1 from audit_head h where (h.seq, h.prev, h.hash) = (new.seq, new.prev, new.hash)) then
        raise exception 'an entry follows the one before, at the end of the log'
            using errcode = 'restrict_violation', constraint = 'audit_entry_follows';
    end if;
    return null;
end $$;
create trigger audit_entries_follow after insert on audit_entries
    for each row execute function audit_entry_follows();

-- The head moves by one entry, which is there at the end of the statement.
create function audit_head_follows() returns trigger language plpgsql as $$
begin
    if new.seq <> old.seq + 1 or new.prev <> old.hash
       or not exists (select 1 from audit_entries e where e.seq = new.seq and e.hash = new.hash) then
        raise exception 'the head of the log moves with the entry that is added, and by one'
            using errcode = 'restrict_violation', constraint = 'audit_head_follows';
    end if;
    return null;
end $$;
create trigger audit_head_follow after update on audit_head
    for each row execute function audit_head_follows();
create trigger audit_head_stays before delete on audit_head
    for each row execute function refuse_change();
create trigger audit_head_no_truncate before truncate on audit_head
    for each statement execute function refuse_change();

create trigger looks_immutable before update or delete on looks
    for each row execute function refuse_change();
create trigger looks_no_truncate before truncate on looks
    for each statement execute function refuse_change();

-- What the log came to, day by day, signed. Each head names the one before.
create table audit_heads (
    number    bigint primary key check (number > 0),
    -- The local day that it closes; of one that was asked for, the day on which it was.
    day       date not null,
    daily     boolean not null,
    seq       bigint not null check (seq >= 0),
    hash      bytea not null check (length(hash) = 32),
    -- The digest of the head before; zeros for the first.
    before    bytea not null check (length(before) = 32),
    at_micros bigint not null,
    key_id    text not null check (length(key_id) = 16),
    signature bytea not null check (length(signature) = 64)
);
create unique index audit_heads_daily on audit_heads (day) where daily;

create function audit_heads_follow() returns trigger language plpgsql as $$
declare
    last audit_heads%rowtype;
begin
    select * into last from audit_heads order by number desc limit 1;
    if new.number <> coalesce(last.number, 0) + 1 or new.seq < coalesce(last.seq, 0)
       or (new.seq > 0 and not exists (select 1 from audit_entries e where e.seq = new.seq and e.hash = new.hash)) then
        raise exception 'a head follows the one before, and names an entry of the log'
            using errcode = 'restrict_violation', constraint = 'audit_heads_follow';
    end if;
    return new;
end $$;
create trigger audit_heads_follow before insert on audit_heads
    for each row execute function audit_heads_follow();
create trigger audit_heads_immutable before update or delete on audit_heads
    for each row execute function refuse_change();
create trigger audit_heads_no_truncate before truncate on audit_heads
    for each statement execute function refuse_change();

-- What each kind of process was last started with: digests of settings and of keys, no values.
create table settings_seen (
    process text not null,
    name    text not null,
    digest  bytea not null check (length(digest) = 32),
    at      timestamptz not null,
    primary key (process, name)
);
