//! A private Postgres and Redis for one machine.
