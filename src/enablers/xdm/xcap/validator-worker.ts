/** A thread that parses and validates documents: it answers each question with what is wrong, if anything is. */
import { parentPort } from 'node:worker_threads'
import { Schemas } from './schemas.ts'
import type { Question, Verdict } from './validator.ts'
import { XcapConflict } from './xcap-conflict.ts'

const schemas = new Schemas()

parentPort?.on('message', ({ id, schema, content }: Question) => {
  parentPort?.postMessage({ id, ...faultOf(schema, Buffer.from(content.buffer)) } satisfies Verdict)
})

function faultOf(schema: string | undefined, content: Buffer): Omit<Verdict, 'id'> {
  try {
    schemas.check(schema, content)
    return {}
  } catch (err) {
    return err instanceof XcapConflict ? { conflict: err.error } : { bug: String(err) }
  }
}
