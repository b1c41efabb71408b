import { readCSeq } from './cseq.ts'
import { MalformedSip } from './malformed-sip.ts'

/** RAck (RFC 3262 §7.2): which provisional response, to which request. */
export interface RAck {
  readonly rseq: number
  readonly cseq: number
  readonly method: string
}

export function readRAck(value: string): RAck {
  const [, rseq, cseq = ''] = /^[ \t]*([0-9]{1,10})[ \t]+(.+)$/.exec(value) ?? []
  if (rseq === undefined) throw new MalformedSip('RAck is two numbers and a method')
  const { number, method } = readCSeq(cseq)
  return { rseq: Number(rseq), cseq: number, method }
}

/** RSeq (RFC 3262 §7.1); undefined where there is none or it is no number. */
export function readRSeq(value: string | undefined): number | undefined {
  return value !== undefined && /^[0-9]{1,10}$/.test(value.trim()) ? Number(value) : undefined
}
