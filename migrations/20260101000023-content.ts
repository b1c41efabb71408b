import type { Knex } from 'knex'

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- files that users have put up for others, and their previews
    create table content_files (
      owner bigint not null,
      id bytea not null,
      tid text not null,
      role text not null,
      name text,
      content_type text not null,
      size bigint not null default 0,
      reserved bigint not null,
      complete boolean not null default false,
      writer uuid,
      created timestamptz not null,
      until timestamptz not null,
      primary key (owner, id)
    );
    create unique index content_files_tid on content_files (owner, tid, role);
    create index content_files_until on content_files (until);
    comment on column content_files.id is '256 random bits: who knows them may have the file';
    comment on column content_files.tid is 'the transaction of the upload, which the client names';
    comment on column content_files.role is 'file or thumbnail';
    comment on column content_files.size is 'bytes that are here';
    comment on column content_files.reserved is 'bytes that count towards the quota of the owner';
    comment on column content_files.writer is 'which request may add to it: the last one that began';

    create table content_chunks (
      owner bigint not null,
      file bytea not null,
      number int not null,
      bytes bytea not null,
      primary key (owner, file, number),
      foreign key (owner, file) references content_files on delete cascade
    );
    -- most of what comes is compressed already
    alter table content_chunks alter column bytes set storage external;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop table content_chunks, content_files')
}
