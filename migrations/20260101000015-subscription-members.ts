import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table subscriptions add column members text[] not null default '{}';
    comment on column subscriptions.members is 'of a list: canonical addresses of all that is watched through it';
    create index subscriptions_of_member on subscriptions using gin (members);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table subscriptions drop column members')
}
