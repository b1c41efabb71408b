import { createHash } from 'node:crypto'
import type { NewObject } from '../../../src/enablers/message-store/index.ts'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { SipRequest } from '../../../src/protocols/sip/message.ts'
import { domain } from '../bench-server.ts'

/** Something that one user says to another; the same number is the same message. */
export interface Said {
  readonly number: number
  readonly from: string
  readonly to: string
  readonly text: string
}

const syllables = ['ba', 'de', 'fi', 'go', 'ku', 'la', 'me', 'ni', 'po', 'ru', 'sa', 'te', 'vi', 'wo', 'zu']

/** The first are said most: the n-th about 1/n as often as the first. */
export const vocabulary: readonly string[] = Array.from({ length: 3_000 }, (_, at) => {
  const three = [at % 15, Math.floor(at / 15) % 15, Math.floor(at / 225) % 15]
  return three.map((one) => syllables[one]).join('')
})
/** Said by nobody but where it is put in. */
export const rareWord = 'quetzal'
/** In about one message of four. */
export const commonWord = vocabulary[8] as string

/** Three to twenty words, always the same for one number. */
export function textOf(number: number): string {
  const noise = createHash('sha512').update(String(number)).digest()
  const length = 3 + ((noise[0] ?? 0) % 18)
  const wordAt = (at: number) =>
    vocabulary[Math.floor(vocabulary.length ** (noise.readUInt16LE(2 * at + 2) / 65_536)) - 1]
  return Array.from({ length }, (_, at) => wordAt(at)).join(' ')
}

export const say = (number: number, from: string, to: string): Said => ({ number, from, to, text: textOf(number) })

/** So that there is one a second, and all tell the same time of the same message. */
const dateOf = ({ number }: Said): Date => new Date(Date.UTC(2026, 0, 1) + 1000 * number)

const idOf = ({ number }: Said, kind: string): string => {
  const hex = createHash('md5').update(`${kind} ${number}`).digest('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** RFC 3862, RFC 5438. */
const cpimOf = (said: Said): Buffer =>
  Buffer.from(
    [
      'From: <sip:anonymous@anonymous.invalid>',
      'To: <sip:anonymous@anonymous.invalid>',
      'NS: imdn <urn:ietf:params:imdn>',
      `imdn.Message-ID: ${idOf(said, 'message')}`,
      `DateTime: ${dateOf(said).toISOString()}`,
      'imdn.Disposition-Notification: positive-delivery, display',
      '',
      'Content-Type: text/plain; charset=UTF-8',
      '',
      said.text,
    ].join('\r\n'),
  )

/** As a CPM message store has it (header fields of a CPM message object). */
export const asMail = (said: Said): Buffer =>
  Buffer.concat([
    Buffer.from(
      [
        `From: <${said.from}>`,
        `To: <${said.to}>`,
        `Date: ${dateOf(said).toUTCString().replace('GMT', '+0000')}`,
        `Conversation-ID: ${idOf(said, 'conversation')}`,
        `Contribution-ID: ${idOf(said, 'contribution')}`,
        `IMDN-Message-ID: ${idOf(said, 'message')}`,
        'Message-Context: pager-message',
        'Message-Direction: received',
        'P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg',
        'Content-Type: Message/CPIM',
        '',
        '',
      ].join('\r\n'),
    ),
    cpimOf(said),
  ])

/** RFC 3428, with what CPM adds. */
export function asRequest(said: Said): SipRequest {
  const headers = new Headers()
  headers.add('Max-Forwards', '70')
  headers.add('From', `<${said.from}>;tag=${said.number}`)
  headers.add('To', `<${said.to}>`)
  headers.add('Call-ID', idOf(said, 'call'))
  headers.add('CSeq', '1 MESSAGE')
  headers.add('Accept-Contact', '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";require;explicit')
  headers.add('Conversation-ID', idOf(said, 'conversation'))
  headers.add('Contribution-ID', idOf(said, 'contribution'))
  headers.add('P-Asserted-Service', 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg')
  headers.add('Content-Type', 'message/cpim')
  return new SipRequest('MESSAGE', said.to, headers, cpimOf(said))
}

export const asObject = (said: Said): NewObject => ({
  kind: 'message',
  date: dateOf(said).getTime(),
  direction: 'in',
  peer: said.from,
  flags: [],
  correlationId: idOf(said, 'message'),
  conversationId: idOf(said, 'conversation'),
  contributionId: idOf(said, 'contribution'),
  attributes: { From: [said.from], To: [said.to], 'Message-Context': ['pager-message'] },
  payload: { contentType: 'message/cpim', content: cpimOf(said) },
  text: said.text,
})

export const addressOf = (user: number): string => `sip:bob${user}@${domain}`
