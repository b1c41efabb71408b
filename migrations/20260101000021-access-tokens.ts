import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- one login of one client: its access token, and the refresh token that renews it
    create table access_grants (
      owner bigint not null,
      id uuid not null,
      scopes text[] not null,
      credential text not null,
      access_hash bytea not null,
      access_scopes text[] not null,
      access_until timestamptz not null,
      refresh_hash bytea not null,
      refresh_until timestamptz not null,
      primary key (owner, id)
    );
    create index access_grants_refresh_until on access_grants (refresh_until);
    comment on column access_grants.credential is 'a hash over what proves the owner: with another password the grant is over';
    comment on column access_grants.access_hash is 'SHA-256 of the secret in the token, which itself is nowhere';
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table access_grants')
}
