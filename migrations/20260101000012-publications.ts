import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- presence that devices have published (RFC 3903): one row for each publication in force
    create table publications (
      owner bigint not null,
      id uuid not null,
      etag text not null,
      published_at timestamptz not null,
      expires_at timestamptz not null,
      content bytea not null,
      primary key (owner, id)
    );
    create index publications_expired on publications (expires_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table publications')
}
