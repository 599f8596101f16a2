-- Sent only when there is no such schema: "if not exists" asks for CREATE on the database first.
create schema if not exists :GRAPHILE_WORKER_SCHEMA;
