import type { Knex } from 'knex'

/** The directory: who is served, by which identities they are known, and what proves them. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table subscribers (
      id bigint generated always as identity primary key,
      username text not null unique,
      name text not null,
      created_at timestamptz not null default now()
    );

    -- uri is a canonical address of record; position 0 is the default public identity
    create table identities (
      uri text primary key,
      subscriber bigint not null references subscribers on delete cascade,
      position smallint not null
    );
    create unique index identities_subscriber on identities (subscriber, position);

    -- H(username:realm:password) of RFC 7616 §3.4.2 by each algorithm; the password itself is nowhere
    create table credentials (
      username text primary key,
      subscriber bigint not null references subscribers on delete cascade,
      md5 text not null,
      sha256 text not null
    );
    create index credentials_subscriber on credentials (subscriber);

    -- keys that all nodes share, such as the one that nonces are sealed with
    create table secrets (
      name text primary key,
      value bytea not null
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table secrets, credentials, identities, subscribers')
}
