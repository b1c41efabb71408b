import { columns, indexedText } from '../../database/index.ts'
import { conversationFolder } from '../../protocols/cpm/conversation-folder.ts'
import { type MessageObject, originOf, readMessageObject } from '../../protocols/cpm/message-object.ts'
import { searchableTexts } from '../../protocols/cpm/searchable-texts.ts'
import { addressOfRecord } from '../../protocols/sip/address-of-record.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { StoredMessage } from './stored-message.ts'

/** What a message is in a mailbox, as the function take_messages has it; nulls for what is not to be stored. */
interface HistoryRow {
  readonly kind: string
  readonly folder: string
  readonly correlation: string
  readonly conversation: string | undefined
  readonly contribution: string | undefined
  readonly attributes: string
  readonly contentType: string | undefined
  readonly size: number
  readonly parts: string
  /** Undefined: those of the row before, which is of the same message. */
  readonly words: string | undefined
  readonly text: string | undefined
}

interface Read {
  readonly message: StoredMessage['message']
  readonly kept: SipRequest
  readonly object: MessageObject
  /** JSON, without its last bracket. */
  readonly attributes: string
  readonly parts: string
}

/** Texts up to this are kept beside the message, for lists that show them; others are read from it. */
const longestShown = 8_192

/** A row in the mailbox, for each that is stored. `kept`: what each is kept as. A message is read once for both who have it. */
export function historyColumns(messages: readonly StoredMessage[], kept: readonly SipRequest[]): unknown[] {
  let last: Read | undefined
  const rows = messages.map((row, index) => {
    if (!row.stored) return undefined
    if (last?.message === row.message) return rowOf(row, last, undefined)
    last = read(row.message, kept[index] as SipRequest)
    return rowOf(row, last, wordsOf(last.object))
  })
  return [
    columns.texts(rows.map((row) => row?.kind)),
    columns.texts(rows.map((row) => row?.folder)),
    columns.texts(rows.map((row) => row?.correlation)),
    columns.texts(rows.map((row) => row?.conversation)),
    columns.texts(rows.map((row) => row?.contribution)),
    columns.texts(rows.map((row) => row?.attributes)),
    columns.texts(rows.map((row) => row?.contentType)),
    columns.bigints(rows.map((row) => row?.size)),
    columns.texts(rows.map((row) => row?.parts)),
    columns.texts(rows.map((row) => row?.words)),
    columns.texts(rows.map((row) => row?.text)),
  ]
}

function read(message: StoredMessage['message'], kept: SipRequest): Read {
  const object = readMessageObject(kept, Math.floor(message.arrived / 1000))
  const attributes = JSON.stringify(object.attributes).slice(0, -1)
  return { message, kept, object, attributes, parts: JSON.stringify(object.parts) }
}

const wordsOf = ({ attributes, text }: MessageObject): string => indexedText(...searchableTexts(attributes, text))

function rowOf(
  { message, direction, peers }: StoredMessage,
  { kept, object, attributes, parts }: Read,
  words: string | undefined,
): HistoryRow {
  const { kind, correlationId, conversationId, contributionId, contentType } = object
  return {
    ...{ kind, parts, words, contentType, size: message.request.body.length },
    ...{ correlation: correlationId, conversation: conversationId, contribution: contributionId },
    text: (object.text?.length ?? 0) > longestShown ? undefined : object.text,
    folder: conversationFolder(direction === 'out' || isKnown(kept) ? peers : [addressIn(originOf(kept))]),
    attributes: `${attributes},"Direction":["${direction === 'in' ? 'In' : 'Out'}"]}`,
  }
}

/** Else its sender is to be known to the server alone. */
const isKnown = ({ headers }: SipRequest): boolean => headers.has('p-asserted-identity')

const addressIn = (uri: string): string => addressOfRecord(uri) ?? uri
