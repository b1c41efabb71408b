import type { Knex } from 'knex'

/** Which nodes live, and of each session enough to say BYE to its parties when its node does not any more. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- one row for each life of a node; -infinity: it is known to be over
    create table nodes (
      id uuid primary key,
      seen_at timestamptz not null
    );

    create table dialogs (
      node uuid not null,
      session uuid not null,
      dialogs text not null,
      primary key (node, session)
    );
    comment on column dialogs.dialogs is 'JSON: call ids, tags, targets and routes, one for each party';
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table dialogs, nodes')
}
