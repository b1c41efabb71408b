import { Failure } from '../../failure.ts'
import { decodeContent } from '../../protocols/mime/content-encoding.ts'
import { mediaType, readContentType } from '../../protocols/mime/content-type.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { type Part, readMultipart, writeMultipart } from '../../protocols/mime/multipart.ts'
import { MalformedResourceList } from '../../protocols/resource-lists/malformed-resource-list.ts'
import { readResourceLists } from '../../protocols/resource-lists/resource-lists.ts'
import { addressOfRecord } from '../../protocols/sip/address-of-record.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { mostDecoded } from './message-id.ts'

const listType = 'application/resource-lists+xml'

/** A message to a list of recipients (RFC 5365): whom it is for, and the copy that each of them gets. */
export interface MessageToMany {
  /** URIs by canonical address, each once. */
  readonly recipients: ReadonlyMap<string, string>
  copyFor(uri: string): SipRequest
}

/** Reads the list and takes it out of the body. Throws a Failure. */
export function readMessageToMany(request: SipRequest, maxRecipients: number): MessageToMany {
  try {
    const contentType = request.headers.get('content-type') ?? ''
    const body = decodeContent(request.body, request.headers.get('content-encoding'), mostDecoded)
    const parts = mediaType(contentType).startsWith('multipart/') ? readMultipart(body, contentType) : []
    const list = parts.find(isRecipientList)
    if (list === undefined) throw new Failure('malformed', 'no recipient-list in the body')
    const recipients = recipientsIn(list, maxRecipients)
    const content = contentOf(
      parts.filter((part) => part !== list),
      contentType,
    )
    return { recipients, copyFor: (uri) => copyFor(request, uri, content) }
  } catch (error) {
    if (error instanceof MalformedMime || error instanceof MalformedResourceList) {
      throw new Failure('malformed', error.message, { cause: error })
    }
    throw error
  }
}

/** RFC 5365 §4: by its Content-Disposition; the type alone is what some clients send. */
function isRecipientList({ headers }: Part): boolean {
  if (mediaType(headers.get('content-type') ?? '') !== listType) return false
  const disposition = headers.get('content-disposition')
  return disposition === undefined || readContentType(disposition).type === 'recipient-list'
}

function recipientsIn(list: Part, most: number): ReadonlyMap<string, string> {
  const plain = decodeContent(list.body, list.headers.get('content-encoding'), mostDecoded)
  const recipients = new Map<string, string>()
  for (const { uri } of readResourceLists(plain)) {
    const address = addressOfRecord(uri)
    if (address === undefined) throw new Failure('malformed', 'an entry is no SIP or tel URI')
    if (!recipients.has(address)) recipients.set(address, uri)
    if (recipients.size > most) throw new Failure('too-many-recipients')
  }
  if (recipients.size === 0) throw new Failure('malformed', 'the recipient-list is empty')
  return recipients
}

interface Content {
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** What is left without the list: one part stands for itself, several stay a multipart (RFC 5365 §7.3). */
function contentOf(parts: readonly Part[], contentType: string): Content {
  const [only, second] = parts
  if (only === undefined) throw new Failure('malformed', 'no message beside the recipient-list')
  if (second === undefined) return { headers: only.headers, body: only.body }
  const boundary = readContentType(contentType).params.get('boundary') as string
  return { headers: new Map([['content-type', contentType]]), body: writeMultipart(parts, boundary) }
}

const ofContent: ReadonlySet<string> = new Set([
  'content-type',
  'content-encoding',
  'content-disposition',
  'content-language',
  'content-length',
  'content-transfer-encoding',
  'require',
])

function copyFor(request: SipRequest, uri: string, content: Content): SipRequest {
  const headers = request.headers.without(ofContent).set('To', `<${uri}>`)
  const required = request.headers
    .all('require')
    .flatMap((value) => value.split(','))
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '' && tag.toLowerCase() !== 'recipient-list-message')
  if (required.length > 0) headers.add('Require', required.join(', '))
  for (const [name, value] of content.headers) if (ofContent.has(name)) headers.add(properCase(name), value)
  return new SipRequest(request.method, uri, headers, content.body)
}

const properCase = (name: string): string => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
