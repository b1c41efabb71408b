import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { RootName, RootValue } from '../../../protocols/nms/structures.ts'
import type { NmsFormat } from '../../../protocols/nms/write-nms.ts'
import type { BoxUrls } from './box-urls.ts'

/** A request that has passed the edge: from somebody who may, of a box of theirs, and as the OpenAPI document says. */
export interface NmsCall {
  readonly owner: number
  /** Canonical addresses of the owner, the default public one first. */
  readonly identities: readonly string[]
  readonly urls: BoxUrls
  /** Scheme and host that the client reached the server by. */
  readonly root: string
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly headers: IncomingHttpHeaders
  readonly method: string
  /** Path of the request, for faults that name it. */
  readonly path: string
  /** Of the answer. */
  readonly format: NmsFormat
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
  readonly hasBody: boolean
  /** The body, which has that root. Throws MalformedNms. */
  read<Root extends RootName>(root: Root): RootValue<Root>
  /** The body as it comes in, where it is multipart/form-data. */
  readonly upload: Readable | undefined
}

export interface NmsAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Written in the format that was negotiated. */
  readonly body?: { readonly root: RootName; readonly value: unknown }
  /** Sent as it is; `headers` say what it is. */
  readonly content?: Readable | Buffer
  /** Called once, when the whole answer was handed to the network, or when it could not be. */
  readonly onSent?: (whole: boolean) => void
}

export type NmsOperation = (call: NmsCall) => Promise<NmsAnswer>

/** By their operationId in message-store.openapi.yaml. */
export type NmsOperations = Readonly<Record<string, NmsOperation>>

/** An answer with a body of ours. */
export function answer<Root extends RootName>(
  status: number,
  root: Root,
  value: RootValue<Root>,
  headers: Readonly<Record<string, string>> = {},
): NmsAnswer {
  return { status, headers, body: { root, value } }
}

export const noContent: NmsAnswer = { status: 204 }
