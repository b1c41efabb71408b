import { domain } from '../bench-server.ts'
import type { BenchPostgres } from '../postgres.ts'
import { commonWord, rareWord, textOf } from './said.ts'

/** The first user has a very large mailbox: half of all objects, in conversations of which some are much larger than others. */
export const largeOwner = 1
export const owners = 100
export const conversations = 200
/** In the large mailbox, and among the oldest. */
export const rareObjects = 20
const others = 10
const differentTexts = 20_000

/**
 * Adds messages `from` … `to` - 1 as if they had been taken one after the other, one a second. Indexes are made anew after
 * a lot of them, which is quicker.
 */
export async function fill(postgres: BenchPostgres, url: string, from: number, to: number): Promise<void> {
  const indexes = to - from < 50_000 ? [] : await postgres.query(url, secondaryIndexes)
  const drops = indexes.map(({ name }) => `drop index ${name};`).join('\n')
  const makes = indexes.map(({ definition }) => `${definition};`).join('\n')
  await postgres.query(
    url,
    `set synchronous_commit = off; set maintenance_work_mem = '512MB'; set work_mem = '256MB';
     ${drops}
     ${texts()}
     ${staged(from, to)}
     select lock_mailboxes(array(select distinct owner from said));
     select folder_at(owner, array['Default', peer]) from (select distinct owner, peer from said) as p;
     ${messages}
     update mailboxes b set modseq = s.last, objects = b.objects + s.objects, bytes = b.bytes + s.bytes
     from (select owner, max(b.modseq + place) as last, count(*) as objects, sum(octet_length(body)) as bytes
           from said join mailboxes b using (owner) group by owner) as s
     where b.owner = s.owner;
     drop table said, texts;
     ${makes}`,
  )
  for (const table of ['messages', 'mailboxes', 'folders']) await postgres.query(url, `vacuum (analyze) ${table}`)
  await postgres.query(url, 'checkpoint')
}

const secondaryIndexes = `
  select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
  from pg_index i where i.indrelid = 'messages'::regclass and not i.indisprimary`

/** Between 0 and 1, the same for the same number and purpose. */
const chance = (number: string, purpose: number): string =>
  `((hashint8extended(${number}, ${purpose}) & 65535) / 65536.0)::float8`

/** Table `said`, with what is said, by whom, to whom. */
const staged = (from: number, to: number): string => `
  create unlogged table said as
  with placed as (
    select n, case when n % 2 = 1 then ${largeOwner} else 2 + floor(${owners - 1} * ${chance('n', 1)})::int end as owner
    from generate_series(${from}, ${to - 1}) as n
  ), met as (
    select n, owner, case when owner = ${largeOwner}
      then floor(${conversations} ^ ${chance('n', 2)})::int else 1 + floor(${others} * ${chance('n', 2)})::int end as partner
    from placed
  ), worded as (
    select n, owner, 'tel:+1555' || (10000 + partner) as peer,
      case when n % 3 = 0 then 'out' else 'in' end as direction,
      t.text || case when n % 500 = 1 and n < ${rareObjects * 500} then ' ${rareWord}' else '' end as text
    from met join texts t on t.number = n % ${differentTexts}
  )
  select *, row_number() over (partition by owner order by n) as place, gen_random_uuid() as id,
    md5('message' || n)::uuid as message_id, md5('conversation' || owner || peer)::uuid as conversation,
    1767225600000000 + n * 1000000::bigint as arrived,
    ${body} as body
  from worded;
  create index on said (owner);
  analyze said;`

/** As `say` writes them. */
function texts(): string {
  const rows = Array.from({ length: differentTexts }, (_, number) => `(${number}, '${textOf(number)}')`)
  return `create unlogged table texts (number int primary key, text text not null); insert into texts values ${rows.join(',')};`
}

const body = `
  'From: <sip:anonymous@anonymous.invalid>' || e'\\r\\n' || 'To: <sip:anonymous@anonymous.invalid>' || e'\\r\\n' ||
  'NS: imdn <urn:ietf:params:imdn>' || e'\\r\\n' || 'imdn.Message-ID: ' || md5('message' || n)::uuid || e'\\r\\n' ||
  'DateTime: 2026-01-01T00:00:00Z' || e'\\r\\n' || 'imdn.Disposition-Notification: positive-delivery, display' ||
  e'\\r\\n\\r\\n' || 'Content-Type: text/plain; charset=UTF-8' || e'\\r\\n\\r\\n' || text`

const request = `
  'MESSAGE sip:bob' || s.owner || '@${domain} SIP/2.0' || e'\\r\\n' || 'Max-Forwards: 69' || e'\\r\\n' ||
  'From: <' || s.peer || '>;tag=' || s.n || e'\\r\\n' || 'To: <sip:bob' || s.owner || '@${domain}>' || e'\\r\\n' ||
  'Call-ID: ' || s.message_id || e'\\r\\n' || 'CSeq: 1 MESSAGE' || e'\\r\\n' ||
  'Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";require;explicit' || e'\\r\\n' ||
  'Conversation-ID: ' || s.conversation || e'\\r\\n' || 'Contribution-ID: ' || s.conversation || e'\\r\\n' ||
  'P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg' || e'\\r\\n' || 'Content-Type: message/cpim' || e'\\r\\n' ||
  'Content-Length: ' || octet_length(s.body) || e'\\r\\n\\r\\n' || s.body`

const messages = `
  insert into messages (owner, id, arrived, direction, peer, stored, waiting, request, folder, kind, modseq, created, flags,
    correlation_id, conversation_id, contribution_id, attributes, content_type, size, parts, text, words)
  select s.owner, s.id, s.arrived, s.direction, s.peer, true, 0, convert_to(${request}, 'UTF8'), f.id, 'message',
    b.modseq + s.place, b.modseq + s.place, case s.direction when 'out' then array['\\Seen'] else '{}' end,
    s.message_id::text, s.conversation::text, s.conversation::text,
    jsonb_build_object('From', array[s.peer], 'To', array['sip:bob' || s.owner || '@${domain}'],
      'Subject', array[]::text[], 'Message-Context', array['pager-message']),
    'message/cpim', octet_length(s.body), '[]', s.text,
    words_of(s.owner, array['=' || s.conversation], s.text, array['simple'::regconfig])
  from said s
  join mailboxes b on b.owner = s.owner
  join folders f on f.owner = s.owner and f.path = 'Default/' || s.peer
  order by s.n;`

/** How many objects of the large mailbox say the common word. */
export const commonCount = (owner: number): string =>
  `select count(*) as count from messages where words @@ '#${owner} & ${commonWord}'::tsquery`
