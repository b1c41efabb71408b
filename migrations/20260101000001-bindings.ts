import type { Knex } from 'knex'

/** Where the devices of a user are reached. A row with an instance outlives its expiry, to know the device by. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table bindings (
      owner bigint not null,
      key text not null,
      device text not null,
      has_instance boolean not null,
      reg_id integer not null,
      aor text not null,
      contact text not null,
      params text not null,
      path text[] not null,
      call_id text not null,
      cseq bigint not null,
      q smallint not null,
      user_agent text not null,
      transport text not null,
      flow text not null,
      received_address text not null,
      received_port integer not null,
      registered_at timestamptz not null,
      expires_at timestamptz not null,
      primary key (owner, key)
    ) with (fillfactor = 80);
    -- two sweeps: what has expired goes, a device that was seen is remembered for longer
    create index bindings_expiry on bindings (expires_at) where not has_instance;
    create index bindings_forgetting on bindings (expires_at) where has_instance;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table bindings')
}
