import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- owner 0 has the documents of the global tree
    create table documents (
      owner bigint not null,
      auid text not null,
      name text not null,
      etag text not null,
      content bytea not null,
      modified timestamptz not null,
      primary key (owner, auid, name)
    );
    comment on column documents.name is 'the path below the home directory of the owner, such as index';
    comment on column documents.etag is 'of the content: the same content has the same one';
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table documents')
}
