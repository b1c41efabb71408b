import type { Knex } from 'knex'

/**
 * Creates objects that came together, each in the mailbox of its owner, in one round trip. An object that is known changes
 * nothing. What became of each comes back by number: `made` with its folder and sequence, or why not.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create function create_objects(
      owners bigint[], ids uuid[], folders uuid[], ways text[], kinds text[], arrivals bigint[], directions text[], peers text[],
      flag_lists text[], correlations text[], tags text[], conversations text[], contributions text[], attribute_lists text[],
      content_types text[], contents bytea[], sizes bigint[], contents_texts text[], expiries timestamptz[], searched text[],
      languages regconfig[], most_objects bigint, most_bytes bigint)
    returns table (number int, outcome text, in_folder uuid, as_modseq bigint)
    language plpgsql set enable_seqscan = off as $$
    declare
      box record;
    begin
      perform lock_mailboxes(owners);
      for at in 1 .. cardinality(owners) loop
        number := at;
        outcome := 'made';
        in_folder := null;
        as_modseq := null;
        select b.objects + 1 as objects, b.bytes + sizes[at] as bytes into box
        from mailboxes b where b.owner = owners[at];
        if exists (select from messages m where m.owner = owners[at] and m.id = ids[at]) then
          outcome := 'known';
        elsif most_bytes > 0 and sizes[at] > 0 and box.bytes > most_bytes then
          outcome := 'no-room';
        elsif most_objects > 0 and box.objects > most_objects then
          outcome := 'too-many';
        elsif folders[at] is null then
          in_folder := folder_at(owners[at], string_to_array(ways[at], '/'));
        else
          select f.id into in_folder from folders f where f.owner = owners[at] and f.id = folders[at];
          if in_folder is null then outcome := 'no-folder'; end if;
        end if;
        if outcome = 'made' then
          update mailboxes b set modseq = b.modseq + 1, objects = box.objects, bytes = box.bytes
          where b.owner = owners[at] returning b.modseq into as_modseq;
          insert into messages (owner, id, arrived, direction, peer, stored, waiting, folder, kind, modseq, created, flags,
            correlation_id, correlation_tag, conversation_id, contribution_id, attributes, content_type, content, size, parts,
            text, expires_at, words)
          values (owners[at], ids[at], arrivals[at], directions[at], peers[at], true, 0, in_folder,
            kinds[at], as_modseq, as_modseq, array(select jsonb_array_elements_text(flag_lists[at]::jsonb)),
            correlations[at], tags[at], conversations[at], contributions[at], attribute_lists[at]::jsonb,
            content_types[at], contents[at], sizes[at], '[]', contents_texts[at], expiries[at],
            words_of(owners[at], array['=' || left(conversations[at], 200), '=' || left(contributions[at], 200)],
              searched[at], languages));
        end if;
        return next;
      end loop;
    end $$;
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop function create_objects')
}
