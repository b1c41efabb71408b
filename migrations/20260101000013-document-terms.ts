import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table documents add column terms jsonb;
    comment on column documents.terms is
      'what the document can be found by: for each of its entries, the values by path; null where there is no search';
    create index documents_terms on documents using gin (terms jsonb_path_ops) where terms is not null;
    create index documents_found_in on documents (auid) where terms is not null;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('alter table documents drop column terms')
}
