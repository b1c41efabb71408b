import { STATUS_CODES } from 'node:http'
import { Failure } from '../../../failure.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import { faultOf, type NmsFault } from './nms-fault.ts'
import { answer, type NmsAnswer } from './nms-operation.ts'

type Response = Structure<'Response'>

/** What became of one item of a bulk operation (NMS §5.3.2.31). */
export function succeeded(resourceURL: string, path?: string, code = 200): Response {
  return { code, reason: reasonOf(code), success: { resourceURL, ...(path !== undefined && { path }) } }
}

export function failed(fault: NmsFault): Response {
  return { code: fault.status, reason: reasonOf(fault.status), failure: fault.requestError }
}

/** As `failed`, of what a part of ours refused; anything else is thrown again. */
export function refused(err: unknown, url: string): Response {
  const fault = err instanceof Failure ? faultOf(err, url) : undefined
  if (fault === undefined || fault.status >= 500) throw err
  return failed(fault)
}

/** It went well where one item did (as §6.9.2 has it); else the status is that of the first. */
export function bulkAnswer(response: readonly Response[]): NmsAnswer {
  const status = response.some(({ success }) => success !== undefined) ? 200 : (response[0]?.code ?? 200)
  return answer(status, 'bulkResponseList', { response })
}

const reasonOf = (code: number): string => STATUS_CODES[code] ?? ''
