import type { Knex } from 'knex'

/** Who is told of changes in a mailbox over HTTP (NMS §6.17), and channels that clients poll for it. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table nms_channels (
      owner bigint not null,
      id uuid not null,
      tag text,
      correlator text,
      most_notifications int not null,
      expires_at timestamptz not null,
      primary key (owner, id)
    );
    create unique index nms_channels_of_correlator on nms_channels (owner, correlator) where correlator is not null;
    create index nms_channels_expired on nms_channels (expires_at);

    -- nothing is queued: where a subscription stands in the stream of changes says all that it still has to be told
    create table nms_subscriptions (
      owner bigint not null,
      id uuid not null,
      identity text not null,
      base text not null,
      notify_url text not null,
      callback_data text,
      format text not null,
      filter jsonb,
      correlator text,
      channel uuid,
      expires_at timestamptz not null,
      born bigint not null,
      epoch uuid not null,
      position bigint not null,
      pending bigint,
      index bigint not null default 1,
      revision int not null default 0,
      lease int not null default 0,
      leased_until timestamptz not null default '-infinity',
      attempts int not null default 0,
      failing_since timestamptz,
      next_at timestamptz not null default '-infinity',
      primary key (owner, id)
    );
    comment on column nms_subscriptions.base is 'URL of the mailbox as the client wrote it: that of all resources in it';
    comment on column nms_subscriptions.born is 'modification sequence of the mailbox when the client subscribed';
    comment on column nms_subscriptions.position is 'the client was told of all up to this modification sequence';
    comment on column nms_subscriptions.pending is 'how far the notification with this index goes, once it was sent at all';
    comment on column nms_subscriptions.revision is 'goes up with each update: what was under way by then is void';
    create unique index nms_subscriptions_of_correlator on nms_subscriptions (owner, correlator) where correlator is not null;
    create index nms_subscriptions_of_channel on nms_subscriptions (owner, channel) where channel is not null;
    create index nms_subscriptions_pending on nms_subscriptions (next_at) where channel is null and pending is not null;
    create index nms_subscriptions_expired on nms_subscriptions (expires_at);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table nms_subscriptions, nms_channels')
}
