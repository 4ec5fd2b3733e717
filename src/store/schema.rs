//! The tables, as the migrations leave them; a test compares both.
#![expect(missing_docs, reason = "the columns are described in the migrations")]

diesel::table! {
    agreements (id, version) {
        id -> Text,
        version -> Integer,
        own_division -> Text,
        division -> Text,
        url -> Text,
        secret -> Text,
        public_key -> Nullable<Text>,
        route -> SmallInt,
        fields -> Array<Text>,
        alias_key -> Text,
        valid_from -> Timestamptz,
        valid_until -> Timestamptz,
        legal_basis -> Text,
        entered_by -> Text,
        entered_at -> Timestamptz,
    }
}

diesel::table! {
    aliases (visitor, alias_key) {
        visitor -> Uuid,
        alias_key -> Text,
        alias -> Uuid,
        told_at -> Timestamptz,
    }
}

diesel::table! {
    appeal_evidence (id) {
        id -> Uuid,
        appeal_id -> Uuid,
        kind -> SmallInt,
        body -> Bytea,
        sha256 -> Bytea,
        added_at -> Timestamptz,
    }
}

diesel::table! {
    appeals (id) {
        id -> Uuid,
        assignment_id -> Uuid,
        visitor -> Uuid,
        division -> Text,
        instance -> SmallInt,
        reason -> SmallInt,
        text -> Text,
        submitted_at -> Timestamptz,
        due_at -> Timestamptz,
        decided_at -> Nullable<Timestamptz>,
        verdict -> Nullable<SmallInt>,
        decided_by -> Nullable<Uuid>,
        decision_reason -> Nullable<Text>,
        carried_out_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    assignment_events (assignment_id, seq) {
        assignment_id -> Uuid,
        seq -> Integer,
        state -> SmallInt,
        at -> Timestamptz,
        actor -> Text,
        reason -> Text,
        kind -> SmallInt,
        colour -> SmallInt,
        last_exposure_at -> Timestamptz,
        expires_at -> Timestamptz,
        run_id -> Nullable<Uuid>,
        fact_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    assignments (id) {
        id -> Uuid,
        run_id -> Uuid,
        case_id -> Uuid,
        visitor -> Uuid,
        class -> SmallInt,
        colour -> SmallInt,
        pack_id -> Text,
        pack_version -> Integer,
        division -> Text,
        state -> SmallInt,
        last_exposure_at -> Timestamptz,
        expires_at -> Timestamptz,
        proposed_at -> Timestamptz,
        rule -> Nullable<Text>,
        colour_now -> SmallInt,
        review_at -> Nullable<Timestamptz>,
        days_from_release -> Nullable<Integer>,
        judge_at -> Nullable<Timestamptz>,
        awaits -> Nullable<SmallInt>,
    }
}

diesel::table! {
    audit_entries (seq) {
        seq -> BigInt,
        at_micros -> BigInt,
        actor -> Text,
        action -> Text,
        subject -> Text,
        detail -> Text,
        prev -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    audit_head (id) {
        id -> Bool,
        seq -> BigInt,
        hash -> Bytea,
        prev -> Bytea,
    }
}

diesel::table! {
    audit_heads (number) {
        number -> BigInt,
        day -> Date,
        daily -> Bool,
        seq -> BigInt,
        hash -> Bytea,
        before -> Bytea,
        at_micros -> BigInt,
        key_id -> Text,
        signature -> Bytea,
    }
}

diesel::table! {
    case_changes (case_id, seq) {
        case_id -> Uuid,
        seq -> Integer,
        changed_at -> Timestamptz,
        changed_by -> Uuid,
        reason -> Text,
        was -> Jsonb,
        became -> Jsonb,
    }
}

diesel::table! {
    cases (id) {
        id -> Uuid,
        visitor -> Uuid,
        kind -> SmallInt,
        onset_at -> Nullable<Timestamptz>,
        sampled_at -> Timestamptz,
        isolated_at -> Nullable<Timestamptz>,
        authority -> Text,
        division -> Text,
        reported_by -> Uuid,
        reported_at -> Timestamptz,
        withdrawn_by -> Nullable<Uuid>,
        withdrawn_at -> Nullable<Timestamptz>,
        withdrawal_reason -> Nullable<Text>,
        case_no -> Nullable<Text>,
    }
}

diesel::table! {
    channels (id) {
        id -> Text,
        name -> Text,
        public_key -> Bytea,
        page_url -> Text,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    circuits (issuer_id) {
        issuer_id -> Text,
        failures -> Integer,
        opened_at -> Nullable<Timestamptz>,
        probe_at -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        sent_at -> Array<Timestamptz>,
        sent_count -> Array<Integer>,
    }
}

diesel::table! {
    contacts (run_id, visitor) {
        run_id -> Uuid,
        visitor -> Uuid,
        class -> SmallInt,
        colour -> SmallInt,
        together_secs -> BigInt,
        meetings -> Integer,
        first_at -> Timestamptz,
        last_at -> Timestamptz,
        excluded_by -> Nullable<Uuid>,
        excluded_at -> Nullable<Timestamptz>,
        exclusion_reason -> Nullable<Text>,
        depth -> SmallInt,
        rule -> Nullable<Text>,
        computed_class -> SmallInt,
        computed_colour -> SmallInt,
        computed_rule -> Nullable<Text>,
    }
}

diesel::table! {
    controls (issuer_id, id) {
        issuer_id -> Text,
        id -> Uuid,
        visitor -> Nullable<Uuid>,
        alias_key -> Nullable<Text>,
        alias -> Nullable<Uuid>,
        division -> Text,
        until_at -> Timestamptz,
        told_at -> Timestamptz,
    }
}

diesel::table! {
    dead_entries (shard, position) {
        shard -> SmallInt,
        position -> Text,
        entry -> Bytea,
        reason -> Text,
        found_at -> Timestamptz,
        looked_at_by -> Nullable<Text>,
        looked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    devices (id) {
        id -> Uuid,
        name -> Text,
        point_id -> BigInt,
        public_key -> Bytea,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    divisions (code) {
        code -> Text,
        name -> Text,
        south_deg -> Double,
        west_deg -> Double,
        north_deg -> Double,
        east_deg -> Double,
    }
}

diesel::table! {
    drifts (reconciliation_id, assignment_id) {
        reconciliation_id -> Uuid,
        assignment_id -> Uuid,
        kind -> SmallInt,
        mended -> Bool,
        returned -> Bool,
    }
}

diesel::table! {
    escalations (id) {
        id -> Uuid,
        run_id -> Uuid,
        venue_id -> Nullable<Uuid>,
        point_id -> Nullable<BigInt>,
        to_class -> SmallInt,
        to_rule -> Nullable<Text>,
        to_colour -> SmallInt,
        authority -> Text,
        reason -> Text,
        author -> Uuid,
        at -> Timestamptz,
    }
}

diesel::table! {
    exposures (run_id, seq) {
        run_id -> Uuid,
        seq -> Integer,
        trail_stay_id -> Nullable<Uuid>,
        stay_point_id -> BigInt,
        stay_from_at -> Timestamptz,
        visitor -> Uuid,
        relation -> SmallInt,
        granularity -> SmallInt,
        from_at -> Timestamptz,
        until_at -> Timestamptz,
        presence -> SmallInt,
        counted -> Bool,
        via_visitor -> Nullable<Uuid>,
        via_point_id -> Nullable<BigInt>,
        via_from_at -> Nullable<Timestamptz>,
        ended_by -> SmallInt,
        rows_apart -> Nullable<SmallInt>,
    }
}

diesel::table! {
    facts_waiting (visitor) {
        visitor -> Uuid,
        since -> Timestamptz,
    }
}

diesel::table! {
    feeds (issuer_id) {
        issuer_id -> Text,
        handed_out -> BigInt,
        taken -> BigInt,
        asked_at -> Timestamptz,
    }
}

diesel::table! {
    hand_overs (id) {
        id -> Uuid,
        assignment_id -> Uuid,
        agreement_id -> Text,
        agreement_version -> Integer,
        division -> Text,
        alias_key -> Text,
        alias -> Uuid,
        own_division -> Text,
        authority -> Text,
        legal_basis -> Text,
        infectious_kind -> SmallInt,
        facts -> Jsonb,
        state -> SmallInt,
        attempts -> Integer,
        due_at -> Timestamptz,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        delivered_at -> Nullable<Timestamptz>,
        withdrawn_at -> Nullable<Timestamptz>,
        receipt -> Nullable<Jsonb>,
    }
}

diesel::table! {
    health_facts (issuer_id, id) {
        issuer_id -> Text,
        id -> Uuid,
        visitor -> Uuid,
        kind -> SmallInt,
        at -> Timestamptz,
        received_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (principal, key) {
        principal -> Text,
        key -> Text,
        fingerprint -> Bytea,
        status -> SmallInt,
        body -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    imported_days (day) {
        day -> Date,
        imported_at -> Timestamptz,
    }
}

diesel::table! {
    inbox (id) {
        id -> BigInt,
        shard -> SmallInt,
        entry -> Bytea,
    }
}

diesel::table! {
    inspections (id) {
        id -> Uuid,
        point_id -> BigInt,
        inspector -> Text,
        at -> Timestamptz,
        distance_m -> Nullable<Integer>,
        finding -> SmallInt,
        note -> Text,
    }
}

diesel::table! {
    invitations (id) {
        id -> Uuid,
        venue_id -> Uuid,
        token_hash -> Bytea,
        role -> SmallInt,
        invited_by -> Text,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    issuers (id) {
        id -> Text,
        name -> Text,
        url -> Text,
        division -> Text,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        public_key -> Nullable<Text>,
        scheme -> SmallInt,
        batch_max -> Integer,
        pace_per_min -> Nullable<Integer>,
        delivery -> SmallInt,
    }
}

diesel::table! {
    late_hours (point_id, hour) {
        point_id -> BigInt,
        hour -> Timestamptz,
        xact -> BigInt,
        noted_at -> Timestamptz,
        handled -> Bool,
    }
}

diesel::table! {
    late_runs (run_id) {
        run_id -> Uuid,
        xact -> BigInt,
        noted_at -> Timestamptz,
        handled -> Bool,
    }
}

diesel::table! {
    letters (id) {
        id -> Uuid,
        issuer_id -> Text,
        assignment_id -> Uuid,
        visitor -> Uuid,
        sequence -> BigInt,
        body -> Jsonb,
        state -> SmallInt,
        attempts -> Integer,
        due_at -> Timestamptz,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        delivered_at -> Nullable<Timestamptz>,
        position -> BigInt,
    }
}

diesel::table! {
    log_positions (shard) {
        shard -> SmallInt,
        position -> Text,
        drained -> BigInt,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    looks (id) {
        id -> Uuid,
        case_id -> Uuid,
        run_id -> Nullable<Uuid>,
        role -> SmallInt,
        purpose -> Text,
        at -> Timestamptz,
        kind -> SmallInt,
        division -> Nullable<Text>,
        visitor -> Nullable<Uuid>,
    }
}

diesel::table! {
    machine_tokens (id) {
        id -> Uuid,
        token_hash -> Bytea,
        name -> Text,
        roles -> Array<SmallInt>,
        division -> Text,
        expires_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    organisations (id) {
        id -> Uuid,
        legal_name -> Text,
        credit_code -> Nullable<Text>,
        created_at -> Timestamptz,
        kind -> SmallInt,
    }
}

diesel::table! {
    packed_days (day) {
        day -> Date,
        packed_at -> Timestamptz,
        opened_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    point_alarms (id) {
        id -> Uuid,
        point_id -> BigInt,
        raised_at -> Timestamptz,
        hour -> Timestamptz,
        scans -> Integer,
        contradicted -> Integer,
        unproven -> Integer,
        usual_scans -> Nullable<Double>,
        usual_contradicted -> Nullable<Double>,
        usual_unproven -> Nullable<Double>,
        sign -> SmallInt,
        proposal -> SmallInt,
        state -> SmallInt,
        closed_at -> Nullable<Timestamptz>,
        closed_by -> Nullable<Text>,
        reason -> Text,
    }
}

diesel::table! {
    point_hours (point_id, hour) {
        point_id -> BigInt,
        hour -> Timestamptz,
        scans -> Integer,
        contradicted -> Integer,
        unproven -> Integer,
    }
}

diesel::table! {
    point_usage (point_id) {
        point_id -> BigInt,
        judged_for -> Date,
        usage -> SmallInt,
        week_scans -> Integer,
        week_expected -> Double,
        week_contradicted -> Integer,
        last_scan_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    points (id) {
        id -> BigInt,
        venue_id -> Uuid,
        name -> Text,
        granularity -> SmallInt,
        cell -> BigInt,
        grid_cell -> BigInt,
        generation -> SmallInt,
        previous_until -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        changed_at -> Timestamptz,
        lat_deg -> Nullable<Double>,
        lng_deg -> Nullable<Double>,
        is_mobile -> Bool,
        expires_at -> Nullable<Timestamptz>,
        row_no -> Nullable<SmallInt>,
        seat -> Nullable<Text>,
    }
}

diesel::table! {
    reconciliations (id) {
        id -> Uuid,
        issuer_id -> Text,
        asked_by -> Text,
        asked_at -> Timestamptz,
        state -> SmallInt,
        held_at -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
        ours -> BigInt,
        theirs -> BigInt,
        digest_ours -> Text,
        digest_theirs -> Text,
        buckets -> Integer,
        drift -> BigInt,
        mended -> BigInt,
        reported -> BigInt,
        untold -> BigInt,
        findings -> Nullable<Jsonb>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    release_lifts (run_id) {
        run_id -> Uuid,
        author -> Uuid,
        reason -> Text,
        at -> Timestamptz,
    }
}

diesel::table! {
    release_records (run_id) {
        run_id -> Uuid,
        division -> Text,
        authority -> Text,
        legal_basis -> Text,
        people -> Integer,
        counts -> Jsonb,
        held -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    releases (run_id, officer_id) {
        run_id -> Uuid,
        officer_id -> Uuid,
        legal_basis -> Text,
        chief -> Bool,
        at -> Timestamptz,
        people -> Nullable<Integer>,
    }
}

diesel::table! {
    replays (id) {
        id -> Uuid,
        issuer_id -> Text,
        asked_by -> Text,
        asked_at -> Timestamptz,
        proposed_at -> Nullable<Timestamptz>,
        after_id -> Nullable<Uuid>,
        letters -> BigInt,
        done_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    residences (visitor) {
        visitor -> Uuid,
        division -> Text,
        channel -> Text,
        told_at -> Timestamptz,
    }
}

diesel::table! {
    retention_clock (only_row) {
        only_row -> Bool,
        seen_at -> Timestamptz,
        steady_since -> Timestamptz,
    }
}

diesel::table! {
    reviews (run_id, visitor, seq) {
        run_id -> Uuid,
        visitor -> Uuid,
        seq -> SmallInt,
        kind -> SmallInt,
        from_class -> SmallInt,
        from_colour -> SmallInt,
        from_rule -> Nullable<Text>,
        to_class -> SmallInt,
        to_colour -> SmallInt,
        to_rule -> Nullable<Text>,
        reason -> Text,
        author -> Uuid,
        at -> Timestamptz,
        escalation_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    rule_packs (id, version) {
        id -> Text,
        version -> Integer,
        body -> Text,
        loaded_at -> Timestamptz,
    }
}

diesel::table! {
    run_progress (run_id) {
        run_id -> Uuid,
        stage -> SmallInt,
        searches -> BigInt,
        searched -> BigInt,
        people -> BigInt,
        noted_at -> Nullable<Timestamptz>,
        cancelled_by -> Nullable<Uuid>,
        cancelled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    run_windows (run_id, seq) {
        run_id -> Uuid,
        seq -> Integer,
        point_id -> Nullable<BigInt>,
        venue_id -> Nullable<Uuid>,
        grid_cell -> Nullable<BigInt>,
        from_at -> Timestamptz,
        until_at -> Timestamptz,
    }
}

diesel::table! {
    runs (id) {
        id -> Uuid,
        case_id -> Uuid,
        pack_id -> Text,
        pack_version -> Integer,
        state -> SmallInt,
        purpose -> Text,
        requested_by -> Uuid,
        requested_at -> Timestamptz,
        log_ends -> Nullable<Jsonb>,
        infectious_from -> Nullable<Timestamptz>,
        infectious_until -> Nullable<Timestamptz>,
        computed_at -> Nullable<Timestamptz>,
        result_digest -> Nullable<Bytea>,
        summary -> Nullable<Jsonb>,
        failure -> Nullable<Text>,
        proposed_by -> Nullable<Uuid>,
        proposed_at -> Nullable<Timestamptz>,
        released_at -> Nullable<Timestamptz>,
        dry -> Bool,
        incomplete_ok -> Bool,
        incomplete -> Nullable<Jsonb>,
        case_seen -> Nullable<Jsonb>,
        bound_at -> Nullable<Timestamptz>,
        base_run -> Nullable<Uuid>,
        stale_at -> Nullable<Timestamptz>,
        difference -> Nullable<Jsonb>,
        snapshot -> Nullable<Text>,
        late_checked -> Bool,
        depth -> SmallInt,
    }
}

diesel::table! {
    scans (visitor, occurred_at, id) {
        visitor -> Uuid,
        occurred_at -> Timestamptz,
        id -> Uuid,
        point_id -> BigInt,
        cell -> BigInt,
        received_at -> Timestamptz,
        direction -> SmallInt,
        method -> SmallInt,
        presence -> SmallInt,
        party -> Nullable<Uuid>,
        corrects -> Nullable<Uuid>,
    }
}

diesel::table! {
    screens (id) {
        id -> Uuid,
        point_id -> BigInt,
        name -> Text,
        link_hash -> Nullable<Bytea>,
        link_until -> Timestamptz,
        token_hash -> Nullable<Bytea>,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (token_hash) {
        token_hash -> Bytea,
        staff_id -> Uuid,
        expires_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    settings_seen (process, name) {
        process -> Text,
        name -> Text,
        digest -> Bytea,
        at -> Timestamptz,
    }
}

diesel::table! {
    staff (id) {
        id -> Uuid,
        login -> Text,
        display_name -> Text,
        password_hash -> Text,
        roles -> Array<SmallInt>,
        division -> Text,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    staff_venues (staff_id, venue_id) {
        staff_id -> Uuid,
        venue_id -> Uuid,
        role -> SmallInt,
    }
}

diesel::table! {
    stay_changes (visitor, from_at, id, changed_at) {
        visitor -> Uuid,
        from_at -> Timestamptz,
        id -> Uuid,
        changed_at -> Timestamptz,
        point_id -> BigInt,
        old_until_at -> Timestamptz,
        old_ended_by -> SmallInt,
        old_presence -> SmallInt,
        new_until_at -> Nullable<Timestamptz>,
        new_ended_by -> Nullable<SmallInt>,
        new_presence -> Nullable<SmallInt>,
        cause -> Uuid,
    }
}

diesel::table! {
    stay_corrections (id) {
        id -> Uuid,
        visitor -> Uuid,
        scan_id -> Uuid,
        point_id -> BigInt,
        from_at -> Timestamptz,
        until_at -> Timestamptz,
        ended_by -> SmallInt,
        presence -> SmallInt,
        said -> SmallInt,
        left_at -> Nullable<Timestamptz>,
        at -> Timestamptz,
        outcome -> Nullable<SmallInt>,
        settled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    stay_packs (point_id, until_max, first_at, number) {
        point_id -> BigInt,
        until_max -> Timestamptz,
        first_at -> Timestamptz,
        number -> SmallInt,
        stays -> SmallInt,
        contradicted -> SmallInt,
        body -> Bytea,
    }
}

diesel::table! {
    stays (point_id, from_at, id, visitor) {
        point_id -> BigInt,
        from_at -> Timestamptz,
        id -> Uuid,
        visitor -> Uuid,
        until_at -> Timestamptz,
        cell -> BigInt,
        ended_by -> SmallInt,
        presence -> SmallInt,
    }
}

diesel::table! {
    stops (venue_id, number) {
        venue_id -> Uuid,
        number -> SmallInt,
        name -> Text,
        lat_deg -> Double,
        lng_deg -> Double,
        cell -> BigInt,
        grid_cell -> BigInt,
    }
}

diesel::table! {
    switches (name) {
        name -> Text,
        is_on -> Bool,
        changed_by -> Text,
        changed_at -> Timestamptz,
    }
}

diesel::table! {
    trail_changes (case_id, seq) {
        case_id -> Uuid,
        seq -> Integer,
        trail_stay_id -> Uuid,
        changed_at -> Timestamptz,
        changed_by -> Uuid,
        act -> SmallInt,
        source -> SmallInt,
        reason -> Text,
        was -> Nullable<Jsonb>,
        became -> Jsonb,
    }
}

diesel::table! {
    trail_stays (id) {
        id -> Uuid,
        case_id -> Uuid,
        point_id -> Nullable<BigInt>,
        from_at -> Timestamptz,
        until_at -> Timestamptz,
        source -> SmallInt,
        reason -> Text,
        stay_id -> Nullable<Uuid>,
        added_by -> Nullable<Uuid>,
        added_at -> Timestamptz,
        removed_at -> Nullable<Timestamptz>,
        cell -> Nullable<BigInt>,
        row_no -> Nullable<SmallInt>,
        seat -> Nullable<Text>,
        venue_id -> Nullable<Uuid>,
        address -> Nullable<Text>,
        scanned_from_at -> Nullable<Timestamptz>,
        scanned_until_at -> Nullable<Timestamptz>,
        confirmed_at -> Nullable<Timestamptz>,
        edited_at -> Nullable<Timestamptz>,
        removed_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    undoings (run_id) {
        run_id -> Uuid,
        reason -> Text,
        asked_by -> Uuid,
        asked_at -> Timestamptz,
        undone_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    venue_steps (venue_id, seq) {
        venue_id -> Uuid,
        seq -> Integer,
        at -> Timestamptz,
        actor -> Text,
        action -> Text,
        state -> SmallInt,
        reason -> Text,
    }
}

diesel::table! {
    venues (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        source_ref -> Nullable<Text>,
        name -> Text,
        category -> Text,
        division -> Text,
        address -> Text,
        lat_deg -> Double,
        lng_deg -> Double,
        cell -> BigInt,
        contact_name -> Text,
        contact_phone -> Text,
        capacity -> Nullable<Integer>,
        state -> SmallInt,
        state_reason -> Text,
        created_at -> Timestamptz,
        short_name -> Text,
        street -> Text,
        superior -> Text,
        outline -> Nullable<Jsonb>,
        cells -> Array<BigInt>,
    }
}

diesel::table! {
    visitor_cards (card_hash) {
        card_hash -> Bytea,
        visitor -> Uuid,
        channel -> Text,
        issued_at -> Timestamptz,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    agreements,
    aliases,
    appeal_evidence,
    appeals,
    assignment_events,
    assignments,
    audit_entries,
    audit_head,
    audit_heads,
    case_changes,
    cases,
    channels,
    circuits,
    contacts,
    controls,
    dead_entries,
    devices,
    divisions,
    drifts,
    escalations,
    exposures,
    facts_waiting,
    feeds,
    hand_overs,
    health_facts,
    idempotency_keys,
    imported_days,
    inbox,
    inspections,
    invitations,
    issuers,
    late_hours,
    late_runs,
    letters,
    log_positions,
    looks,
    machine_tokens,
    organisations,
    packed_days,
    point_alarms,
    point_hours,
    point_usage,
    points,
    reconciliations,
    release_lifts,
    release_records,
    releases,
    replays,
    residences,
    retention_clock,
    reviews,
    rule_packs,
    run_progress,
    run_windows,
    runs,
    scans,
    screens,
    sessions,
    settings_seen,
    staff,
    staff_venues,
    stay_changes,
    stay_corrections,
    stay_packs,
    stays,
    stops,
    switches,
    trail_changes,
    trail_stays,
    undoings,
    venue_steps,
    venues,
    visitor_cards,
);
