import { expect, test } from 'vitest'
import type { StoredDialog } from '../../../src/controllers/session/dialogs.ts'
import { SessionRecord } from '../../../src/controllers/session/session-record.ts'
import type { StoredSession } from '../../../src/controllers/session/stored-sessions.ts'

/** Rows whose writes are answered when the test says so. */
class Rows {
  readonly written: StoredSession[] = []
  readonly removed: string[] = []
  readonly warnings: unknown[] = []
  #answer: { resolve: () => void; reject: (err: unknown) => void } | undefined

  readonly record = new SessionRecord({ rows: this, log: { warn: (fields) => this.warnings.push(fields) } }, 'id')

  put(session: StoredSession): Promise<void> {
    this.written.push(session)
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject }
    })
  }

  remove(id: string): Promise<void> {
    this.removed.push(id)
    return Promise.resolve()
  }

  /** Of the write under way. */
  async answer(failure?: Error): Promise<void> {
    if (failure === undefined) this.#answer?.resolve()
    else this.#answer?.reject(failure)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const at = (fields: Partial<StoredDialog> = {}) => ({
  snapshot: () => ({
    callId: 'one',
    local: '<sip:a@x>;tag=a',
    remote: '<sip:b@x>;tag=b',
    localSeq: 1,
    remoteTarget: 'sip:b@192.0.2.1',
    routeSet: [],
    ...fields,
  }),
})

test('a row is written once, and again when what leads to a party has changed', async () => {
  const rows = new Rows()
  rows.record.save([at(), at()])
  await rows.answer()
  rows.record.save([at(), at({ localSeq: 1000 })])
  expect(rows.written).toHaveLength(1)
  rows.record.save([at(), at({ remoteTarget: 'sip:b@192.0.2.2' })])
  await rows.answer()
  rows.record.save([at({ flow: 'tcp:1' }), at({ remoteTarget: 'sip:b@192.0.2.2' })])
  await rows.answer()
  expect(rows.written.map(({ dialogs }) => dialogs.map(({ remoteTarget }) => remoteTarget))).toEqual([
    ['sip:b@192.0.2.1', 'sip:b@192.0.2.1'],
    ['sip:b@192.0.2.1', 'sip:b@192.0.2.2'],
    ['sip:b@192.0.2.1', 'sip:b@192.0.2.2'],
  ])
})

test('a row is written anew long before the numbers of requests reach the room that a BYE leaves', async () => {
  const rows = new Rows()
  rows.record.save([at()])
  await rows.answer()
  rows.record.save([at({ localSeq: 50_002 })])
  expect(rows.written.at(-1)?.dialogs[0]?.localSeq).toBe(50_002)
})

test('what could not be written is tried again', async () => {
  const rows = new Rows()
  rows.record.save([at()])
  await rows.answer(new Error('away'))
  expect(rows.warnings).toHaveLength(1)
  rows.record.save([at()])
  expect(rows.written).toHaveLength(2)
})

test('a row is removed after it was written, and not written again', async () => {
  const rows = new Rows()
  rows.record.save([at()])
  const removing = rows.record.remove()
  expect(rows.removed).toEqual([])
  await rows.answer()
  await removing
  expect(rows.removed).toEqual(['id'])
  rows.record.save([at({ remoteTarget: 'sip:b@192.0.2.2' })])
  expect(rows.written).toHaveLength(1)
})
