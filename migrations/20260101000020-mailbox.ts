import type { Knex } from 'knex'

/**
 * The mailbox of each owner: their stored messages, and what else they keep, in folders, with a modification sequence, and
 * what is left of what went. All changes are made under the lock of the owner's row in mailboxes, so that whoever has read
 * up to a sequence has missed nothing at or below it.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(tables)
  await knex.raw(words)
  await knex.raw(locks)
  await knex.raw(folderAt)
  await knex.raw(takeMessages)
  await knex.raw(advanceMessages)
  await knex.raw(changeFlags)
  await knex.raw(removeObjects)
  await knex.raw(takeInHistory)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop function take_messages, advance_messages, change_flags, remove_objects, folder_at, lock_mailboxes, words_of, words_in;
    delete from messages where request is null;
    drop index messages_changed, messages_in_folder, messages_by_date, messages_unseen, messages_flagged, messages_correlated, messages_expiring, messages_words;
    alter table messages drop folder, drop kind, drop modseq, drop created, drop flags, drop correlation_id,
      drop correlation_tag, drop conversation_id, drop contribution_id, drop attributes, drop content_type, drop content,
      drop contents, drop size, drop parts, drop text, drop expires_at, drop words, alter request set not null;
    drop table mailboxes, folders, message_parts, chunks, staged_chunks, tombstones;
    delete from secrets where name = 'cursors'`)
}

const tables = `
  create table mailboxes (
    owner bigint primary key,
    modseq bigint not null default 2,
    epoch uuid not null default gen_random_uuid(),
    forgotten bigint not null default 0,
    objects bigint not null default 0,
    bytes bigint not null default 0
  ) with (fillfactor = 50);
  comment on column mailboxes.epoch is 'another one after each reset';
  comment on column mailboxes.forgotten is 'up to this sequence tombstones may be gone';

  create table folders (
    owner bigint not null,
    id uuid not null,
    parent uuid,
    name text not null,
    path text collate "C" not null,
    modseq bigint not null,
    created bigint not null,
    date bigint not null,
    primary key (owner, id),
    unique (owner, path)
  );
  comment on column folders.path is 'names from the root, which has the id of zeros and no name, with a / between; milliseconds in date';
  create index folders_changed on folders (owner, modseq);
  create index folders_within on folders (owner, parent, name);

  alter table messages
    add folder uuid,
    add kind text,
    add modseq bigint,
    add created bigint,
    add flags text[],
    add correlation_id text,
    add correlation_tag text,
    add conversation_id text,
    add contribution_id text,
    add attributes jsonb,
    add content_type text,
    add content bytea,
    add contents uuid,
    add size bigint,
    add parts jsonb,
    add text text,
    add expires_at timestamptz,
    add words tsvector,
    alter request drop not null;
  comment on column messages.folder is 'null: not in the mailbox, nor is any of the columns below set';
  comment on column messages.content is 'of the payload; without it, that in chunks, else the body of request';
  comment on column messages.words is 'with one lexeme that stands for the owner, so that one index serves all';
  create index messages_changed on messages (owner, modseq) where folder is not null;
  -- what is counted of a folder is in the index
  create index messages_in_folder on messages (owner, folder, arrived, id) include (size) where folder is not null;
  create index messages_by_date on messages (owner, arrived, id) where folder is not null;
  -- what is not read yet, and what somebody has put a mark of their own on: few of many
  create index messages_unseen on messages (owner, arrived, id) include (folder)
    where folder is not null and not '\\Seen' = any (flags);
  create index messages_flagged on messages (owner, arrived, id)
    where folder is not null and flags <> '{}' and flags <> array['\\Seen'];
  create index messages_correlated on messages (owner, correlation_id) where correlation_id is not null;
  create index messages_expiring on messages (expires_at) where expires_at is not null;
  -- the list of what is not yet in the index is short, so that no search reads much of it and no commit empties much of it
  create index messages_words on messages using gin (words) with (gin_pending_list_limit = 512) where words is not null;

  create table message_parts (
    owner bigint not null,
    message uuid not null,
    number int not null,
    content_type text not null,
    content bytea,
    contents uuid,
    size bigint not null,
    primary key (owner, message, number)
  );

  -- what is large, in pieces of 256 KiB; compressing what clients have compressed already gains nothing
  create table chunks (
    owner bigint not null,
    content uuid not null,
    number int not null,
    bytes bytea not null,
    primary key (owner, content, number)
  );
  alter table chunks alter bytes set storage external;

  -- much faster than pglz; not every Postgres has it
  do $$
  begin
    alter table messages alter request set compression lz4, alter content set compression lz4, alter text set compression lz4,
      alter attributes set compression lz4, alter words set compression lz4;
  exception when feature_not_supported then null;
  end $$;

  -- chunks of which no object is made yet; a crash may leave some
  create table staged_chunks (
    owner bigint not null,
    content uuid not null,
    since timestamptz not null default now(),
    primary key (owner, content)
  );
  create index staged_chunks_since on staged_chunks (since);

  create table tombstones (
    owner bigint not null,
    modseq bigint not null,
    id uuid not null,
    kind text not null,
    correlation_id text,
    expired boolean not null,
    parent uuid,
    at timestamptz not null default now(),
    primary key (owner, modseq)
  );
  create index tombstones_at on tombstones (at);

  -- what all nodes seal with
  insert into secrets values ('cursors', sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));`

/** What an object is found by. `terms` are taken as they are. A text comes in lower case, its words between spaces; as they are they have weight A. */
const words = `
  create function words_in(content text, languages regconfig[]) returns tsvector
  language plpgsql stable as $$
  declare
    found tsvector := '';
    one regconfig;
  begin
    if content is null or content = '' then return found; end if;
    foreach one in array languages loop
      found := found || case when one = 'simple'::regconfig then setweight(to_tsvector(one, content), 'A') else to_tsvector(one, content) end;
    end loop;
    return found;
  end $$;

  create function words_of(owner bigint, terms text[], content text, languages regconfig[]) returns tsvector
  language plpgsql stable as $$
  begin
    return array_to_tsvector(array_remove('#' || owner || terms, null)) || words_in(content, languages);
  end $$;`

/** Makes mailboxes that are missing, and locks them all in one order. */
const locks = `
  create function lock_mailboxes(owners bigint[]) returns void
  language plpgsql set enable_seqscan = off as $$
  begin
    if exists (select from unnest(owners) as o (owner) where not exists (select from mailboxes b where b.owner = o.owner)) then
      with made as (
        insert into mailboxes (owner) select distinct o from unnest(owners) as o order by o on conflict do nothing
        returning owner
      )
      insert into folders (owner, id, parent, name, path, modseq, created, date)
      select m.owner, f.id, f.parent, f.name, f.name, f.modseq, f.modseq, (extract(epoch from clock_timestamp()) * 1000)::bigint
      from made m, (values
        ('00000000-0000-0000-0000-000000000000'::uuid, null::uuid, '', 1),
        (gen_random_uuid(), '00000000-0000-0000-0000-000000000000'::uuid, 'Default', 2)) as f (id, parent, name, modseq)
      on conflict do nothing;
    end if;
    perform from mailboxes b where b.owner = any (owners) order by b.owner for update;
  end $$;`

/** The folder on a way below the root; what is missing of it is made. The mailbox is locked. */
const folderAt = `
  create function folder_at(for_owner bigint, names text[]) returns uuid
  language plpgsql set enable_seqscan = off as $$
  declare
    here uuid := '00000000-0000-0000-0000-000000000000';
    below uuid;
    way text := '';
    one text;
    next_modseq bigint;
  begin
    foreach one in array names loop
      way := case when way = '' then one else way || '/' || one end;
      select f.id into below from folders f where f.owner = for_owner and f.path = way;
      if below is null then
        update mailboxes b set modseq = b.modseq + 1 where b.owner = for_owner returning b.modseq into next_modseq;
        insert into folders (owner, id, parent, name, path, modseq, created, date)
        values (for_owner, gen_random_uuid(), here, one, way, next_modseq, next_modseq,
          (extract(epoch from clock_timestamp()) * 1000)::bigint)
        returning id into below;
      end if;
      here := below;
    end loop;
    return here;
  end $$;`

/**
 * Commits messages and what they wait for. A message that is known changes nothing; of one that its owner has no room for
 * only what waits is kept. Both come back by number. Each statement sees what was committed before the locks were granted.
 * Plans are kept for long, and made when tables may have been empty: therefore they may only use indexes. What was taken is
 * looked up with `(…) in (…) is true`, which is hashed all the same: as a join it would compare all rows with all.
 * A row without a text has the words of the one before: the other party's copy.
 */
const takeMessages = `
  create function take_messages(
    owners bigint[], ids uuid[], arrivals bigint[], directions text[], peers text[], storeds boolean[], waitings int[],
    requests bytea[], kinds text[], names text[], correlations text[], conversations text[], contributions text[],
    attribute_lists text[], content_types text[], sizes bigint[], part_lists text[], texts text[], shown_texts text[],
    wait_owners bigint[], wait_devices text[], wait_arrivals bigint[], wait_messages uuid[], wait_attempts int[],
    wait_nexts timestamptz[], wait_leases timestamptz[], wait_expiries timestamptz[],
    languages regconfig[], most_objects bigint, most_bytes bigint)
  returns table (number int, outcome text)
  language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  #variable_conflict use_column
  declare
    keepers bigint[] := array(select distinct t.o from unnest(owners, storeds) as t (o, stored) where t.stored order by t.o);
    content text;
    found tsvector;
    said tsvector[] := '{}';
  begin
    foreach content in array texts loop
      if content is not null then found := words_in(content, languages); end if;
      said := said || found;
    end loop;
    perform lock_mailboxes(keepers);
    perform folder_at(t.o, array['Default', t.name])
    from (select distinct u.o, u.name from unnest(owners, storeds, names) as u (o, stored, name) where u.stored) as t
    where not exists (select from folders f where f.owner = t.o and f.path = 'Default/' || t.name);
    return query
    with asked as materialized (
      select r.*, b.modseq as base, b.objects as had_objects, b.bytes as had_bytes, f.id as in_folder,
        exists (select from messages m where m.owner = r.o and m.id = r.i)
          or row_number() over (partition by r.o, r.i order by r.n) > 1 as known
      from unnest(owners, ids, arrivals, directions, peers, storeds, waitings, requests, kinds, names, correlations,
          conversations, contributions, attribute_lists, content_types, sizes, part_lists, shown_texts) with ordinality
        as r (o, i, arrival, direction, peer, stored, waiting, request, kind, name, correlation, conversation,
          contribution, attribute_list, content_type, size, part_list, shown_text, n)
      left join mailboxes b on r.stored and b.owner = r.o
      left join folders f on r.stored and f.owner = r.o and f.path = 'Default/' || r.name
    ), counted as materialized (
      select a.*, row_number() over mine as place,
        a.stored and (
          (most_objects > 0 and a.had_objects + row_number() over mine > most_objects) or
          (most_bytes > 0 and a.had_bytes + sum(a.size) over mine > most_bytes)) as no_room
      from asked a
      window mine as (partition by a.o, a.stored, a.known order by a.n)
    ), taken as (
      insert into messages (owner, id, arrived, direction, peer, stored, waiting, request, folder, kind, modseq, created,
        flags, correlation_id, conversation_id, contribution_id, attributes, content_type, size, parts, text, words)
      select c.o, c.i, c.arrival, c.direction, c.peer, c.stored and not c.no_room, c.waiting, c.request,
        k.folder, k.kind, k.modseq, k.modseq, k.flags, k.correlation, k.conversation, k.contribution, k.attributes,
        k.content_type, k.size, k.parts, k.text, k.words
      from counted c
      left join lateral (
        select c.in_folder as folder, c.kind as kind, c.base + c.place as modseq,
          case c.direction when 'out' then array['\\Seen'] else '{}' end as flags, c.correlation as correlation,
          c.conversation as conversation, c.contribution as contribution, c.attribute_list::jsonb as attributes,
          c.content_type as content_type, c.size as size, c.part_list::jsonb as parts, c.shown_text as text,
          words_of(c.o, array['=' || left(c.conversation, 200), '=' || left(c.contribution, 200)], null, languages) || said[c.n] as words
        where c.stored and not c.no_room
      ) as k on true
      where not c.known and not (c.no_room and c.waiting = 0)
      on conflict (owner, id) do nothing
      returning owner, arrived, modseq, size
    ), counts as (
      update mailboxes b set modseq = s.last, objects = b.objects + s.objects, bytes = b.bytes + s.bytes
      from (select t.owner, max(t.modseq) as last, count(*) as objects, sum(t.size) as bytes
            from taken t where t.modseq is not null group by t.owner) as s
      where b.owner = s.owner
    ), waits as (
      insert into deferred (owner, device, arrived, message, attempts, next_at, leased_until, expires_at)
      select w.o, w.device, w.arrival, w.message, w.attempts, w.next, w.lease, w.expiry
      from unnest(wait_owners, wait_devices, wait_arrivals, wait_messages, wait_attempts, wait_nexts, wait_leases,
        wait_expiries) as w (o, device, arrival, message, attempts, next, lease, expiry)
      where ((w.o, w.arrival) in (select t.owner, t.arrived from taken t)) is true
    )
    select c.n::int, case when c.no_room and not c.known then 'full' else 'known' end
    from counted c
    where (c.no_room and not c.known) or ((c.o, c.arrival) in (select t.owner, t.arrived from taken t)) is not true;
  end $$;`

/**
 * Moves the state of a message forward in the rows of owners; in that of \`reader\`, who has seen it, the flag is set. Tells of
 * each row that there is.
 */
const advanceMessages = `
  create function advance_messages(owners bigint[], first_id uuid, last_id uuid, state int, reader bigint)
  returns table (owner bigint, advanced boolean)
  language plpgsql set enable_seqscan = off as $$
  #variable_conflict use_column
  declare
    keepers bigint[] := array(select distinct m.owner from messages m
      where m.owner = any (owners) and m.id between first_id and last_id and m.folder is not null order by m.owner);
  begin
    if cardinality(keepers) > 0 then perform lock_mailboxes(keepers); end if;
    return query
    with known as materialized (
      select m.owner, m.id, m.disposition < state as behind, m.folder is not null as kept,
        m.owner = reader and not '\\Seen' = any (m.flags) as unseen
      from messages m where m.owner = any (owners) and m.id between first_id and last_id
        and (m.folder is null or m.owner = any (keepers)) -- one that came a moment ago has not been locked
    ), numbered as materialized (
      select k.*, b.modseq + row_number() over (partition by k.owner order by k.id) as next
      from known k left join mailboxes b on k.kept and b.owner = k.owner
      where k.behind or (k.kept and k.unseen)
    ), moved as (
      update messages m set disposition = greatest(m.disposition, state), modseq = n.next,
        flags = case when n.kept and n.unseen then array_append(m.flags, '\\Seen') else m.flags end
      from numbered n where m.owner = n.owner and m.id = n.id
    ), counts as (
      update mailboxes b set modseq = s.last
      from (select n.owner, max(n.next) as last from numbered n where n.kept group by n.owner) as s
      where b.owner = s.owner
    )
    select k.owner, k.behind from known k;
  end $$;`

/** \`said\` replaces all flags, unless it is null. Flags are kept in order, so that lists that say the same are the same. */
const changeFlags = `
  create function change_flags(for_owner bigint, ids uuid[], added text[], removed text[], said text[]) returns int
  language plpgsql set enable_seqscan = off as $$
  declare
    changed int;
  begin
    perform lock_mailboxes(array[for_owner]);
    with before as materialized (
      select m.id, m.flags, array(
          select distinct on (lower(f)) f from unnest(coalesce(said, m.flags) || added) as f
          where lower(f) <> all (select lower(r) from unnest(removed) as r) order by lower(f)
        ) as after
      from messages m where m.owner = for_owner and m.id = any (ids) and m.folder is not null
    ), numbered as materialized (
      select d.id, d.after, b.modseq + row_number() over (order by d.id) as next
      from before d join mailboxes b on b.owner = for_owner
      where array(select lower(f) from unnest(d.flags) as f order by 1) is distinct from array(select lower(f) from unnest(d.after) as f order by 1)
    ), done as (
      update messages m set flags = n.after, modseq = n.next from numbered n where m.owner = for_owner and m.id = n.id
    ), counts as (
      update mailboxes b set modseq = b.modseq + (select count(*) from numbered) where b.owner = for_owner
    )
    select count(*) into changed from numbered;
    return changed;
  end $$;`

/** Removes objects with all that is theirs, and says so to whoever asks for changes. */
const removeObjects = `
  create function remove_objects(for_owner bigint, ids uuid[], has_expired boolean) returns int
  language plpgsql set enable_seqscan = off as $$
  declare
    gone int;
  begin
    perform lock_mailboxes(array[for_owner]);
    delete from chunks c where c.owner = for_owner and c.content in (
      select m.contents from messages m where m.owner = for_owner and m.id = any (ids) and m.folder is not null and m.contents is not null
      union all
      select p.contents from message_parts p where p.owner = for_owner and p.message = any (ids) and p.contents is not null);
    delete from message_parts p where p.owner = for_owner and p.message = any (ids);
    with removed as (
      delete from messages m where m.owner = for_owner and m.id = any (ids) and m.folder is not null
      returning m.id, m.folder, m.correlation_id, m.size
    ), left_over as (
      insert into tombstones (owner, modseq, id, kind, correlation_id, expired, parent)
      select for_owner, b.modseq + row_number() over (order by r.id), r.id, 'object', r.correlation_id, has_expired, r.folder
      from removed r join mailboxes b on b.owner = for_owner
    ), waits as (
      delete from deferred d using removed r where d.owner = for_owner and d.message = r.id
    ), counts as (
      update mailboxes b set modseq = b.modseq + s.count, objects = b.objects - s.count, bytes = b.bytes - s.bytes
      from (select count(*) as count, coalesce(sum(r.size), 0) as bytes from removed r) as s
      where b.owner = for_owner and s.count > 0
    )
    select count(*) into gone from removed;
    return gone;
  end $$;`

/** What was stored before there were mailboxes. */
const takeInHistory = `
  select lock_mailboxes(array(select distinct owner from messages where stored));
  select folder_at(owner, array['Default', replace(peer, '/', '%2F')])
  from (select distinct owner, peer from messages where stored) as t;
  with numbered as (
    select m.owner, m.id, f.id as folder, b.modseq + row_number() over (partition by m.owner order by m.arrived, m.id) as modseq
    from messages m
    join mailboxes b on b.owner = m.owner
    join folders f on f.owner = m.owner and f.path = 'Default/' || replace(m.peer, '/', '%2F')
    where m.stored
  )
  update messages m set folder = n.folder, modseq = n.modseq, created = n.modseq, kind = 'message',
    flags = case m.direction when 'out' then array['\\Seen'] else '{}' end, attributes = '{}',
    size = octet_length(m.request), parts = '[]', words = words_of(m.owner, '{}', null, '{}')
  from numbered n where m.owner = n.owner and m.id = n.id;
  update mailboxes b set modseq = s.last, objects = s.objects, bytes = s.bytes
  from (select owner, max(modseq) as last, count(*) as objects, sum(size) as bytes from messages where folder is not null group by owner) as s
  where b.owner = s.owner`
