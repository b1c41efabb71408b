import { type ByteRange, writeByteRange } from './byte-range.ts'
import type { Continuation } from './frame.ts'
import { commentOf, writeStatus } from './status.ts'

/** What a request begins with. `fields` are whole lines, each with its CRLF; a body has an empty line after them. */
export interface RequestHead {
  readonly method: string
  readonly transactionId: string
  readonly toPath: string
  readonly fromPath: string
  readonly fields: string
  readonly hasBody: boolean
}

/** All that stands before the body (RFC 4975 §9), as latin1 text. */
export function writeFrameHead(head: RequestHead): string {
  const end = head.hasBody ? '\r\n' : ''
  return `MSRP ${head.transactionId} ${head.method}\r\nTo-Path: ${head.toPath}\r\nFrom-Path: ${head.fromPath}\r\n${head.fields}${end}`
}

/** The end-line, which after a body begins with a CRLF that is not part of it. */
export function writeFrameEnd(transactionId: string, flag: Continuation, hasBody: boolean): string {
  return `${hasBody ? '\r\n' : ''}-------${transactionId}${flag}\r\n`
}

/** A whole response. `toPath` is the first URI of the request's From-Path, `fromPath` the own one (RFC 4975 §7.2). */
export function writeResponse(transactionId: string, status: number, toPath: string, fromPath: string): string {
  const comment = commentOf(status)
  const start = comment === '' ? status : `${status} ${comment}`
  return `MSRP ${transactionId} ${start}\r\nTo-Path: ${toPath}\r\nFrom-Path: ${fromPath}\r\n-------${transactionId}$\r\n`
}

/** What a report is about (RFC 4975 §7.1.2, §7.1.3). */
export interface Report {
  readonly messageId: string
  readonly range: ByteRange
  readonly status: number
}

/** A whole REPORT request; it is never answered. `toPath` is all of the From-Path of what it is about. */
export function writeReport(transactionId: string, toPath: string, fromPath: string, report: Report): string {
  const fields = `Message-ID: ${report.messageId}\r\nByte-Range: ${writeByteRange(report.range)}\r\nStatus: ${writeStatus(report.status)}\r\n`
  const head = writeFrameHead({ method: 'REPORT', transactionId, toPath, fromPath, fields, hasBody: false })
  return `${head}${writeFrameEnd(transactionId, '$', false)}`
}
