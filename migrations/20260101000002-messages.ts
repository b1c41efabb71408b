import type { Knex } from 'knex'

/** Messages, a row for each owner, and what of them waits for which device. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- id is made of the sender and the message id, so that the same message sent again is the same row
    create table messages (
      owner bigint not null,
      id uuid not null,
      arrived bigint not null,
      direction text not null,
      peer text not null,
      stored boolean not null,
      waiting smallint not null,
      disposition smallint not null default 0,
      request bytea not null,
      primary key (owner, id)
    );
    comment on column messages.arrived is 'microseconds since 1970, no two alike from one node';
    comment on column messages.stored is 'kept as history; what is not goes with the last device that it waits for';
    comment on column messages.waiting is 'rows in deferred, where not stored';
    comment on column messages.request is 'the request as it is relayed, without Via';

    -- what two devices took at the same moment may be left over for a moment
    create index messages_left_over on messages (owner, id) where waiting = 0 and not stored;

    -- device '' stands for whoever registers first: nobody has accepted the message yet
    create table deferred (
      owner bigint not null,
      device text not null,
      arrived bigint not null,
      message uuid not null,
      attempts smallint not null,
      next_at timestamptz not null,
      leased_until timestamptz,
      expires_at timestamptz not null,
      primary key (owner, device, arrived, message)
    );
    comment on column deferred.next_at is 'when the sweep looks at it: next attempt, end of a lease, or expiry';
    create index deferred_due on deferred (next_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table deferred, messages')
}
