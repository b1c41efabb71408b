import type { Knex } from 'knex'

/** How far each device that is told of changes in its user's mailbox has been told. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table device_cursors (
      owner bigint not null,
      device text not null,
      modseq bigint not null default 0,
      epoch uuid,
      attempts smallint not null default 0,
      leased_until timestamptz,
      next_at timestamptz,
      told_at timestamptz not null default now(),
      primary key (owner, device)
    );
    comment on column device_cursors.next_at is 'when the sweep looks at it: next attempt, or end of a lease; null: with the next change, or registration';
    create index device_cursors_due on device_cursors (next_at) where next_at is not null;
    create index device_cursors_told on device_cursors (told_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table device_cursors')
}
