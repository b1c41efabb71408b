import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- who is told of what (RFC 6665): all that it takes to go on notifying after a restart
    create table subscriptions (
      id uuid primary key,
      node uuid not null,
      package text not null,
      resource text not null,
      subscriber text not null,
      state text not null,
      expires_at timestamptz not null,
      dialog jsonb not null,
      request jsonb not null,
      body bytea not null
    );
    comment on column subscriptions.node is 'the life of a node that notifies';
    comment on column subscriptions.subscriber is 'canonical address of who asked';
    comment on column subscriptions.dialog is 'identifiers, sequence numbers, targets (RFC 3261 §12)';
    comment on column subscriptions.request is 'Event, Accept and Supported as they came';
    create index subscriptions_of_resource on subscriptions (resource, package);
    create index subscriptions_of_dialog on subscriptions ((dialog ->> 'callId'));
    create index subscriptions_of_node on subscriptions (node);
    create index subscriptions_expired on subscriptions (expires_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table subscriptions')
}
