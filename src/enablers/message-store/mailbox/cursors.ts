import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Database } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'

/** The values of the last row that was given, by which the next ones are found. */
export type Position = readonly (string | number)[]

const macBytes = 16
const longestCursor = 2_000

/**
 * Where a list goes on. A cursor is sealed with whose it is and what was asked, so that it fits no other question; it holds
 * no state of the server, and any node may take it.
 */
export class Cursors {
  readonly #database: Database
  #secret: Promise<Buffer> | undefined

  constructor(database: Database) {
    this.#database = database
  }

  async seal(owner: number, question: unknown, position: Position): Promise<string> {
    const body = Buffer.from(JSON.stringify(position))
    const mac = await this.#mac(owner, question, body)
    return Buffer.concat([mac, body]).toString('base64url')
  }

  /** Throws `malformed` for one that was not sealed here for the same question of the same owner. */
  async open(owner: number, question: unknown, cursor: string): Promise<Position> {
    const bytes = cursor.length > longestCursor ? Buffer.alloc(0) : Buffer.from(cursor, 'base64url')
    const body = bytes.subarray(macBytes)
    const mac = await this.#mac(owner, question, body)
    const sealed = bytes.length > macBytes && timingSafeEqual(bytes.subarray(0, macBytes), mac)
    if (!sealed) throw new Failure('malformed', 'the cursor belongs to no answer to this question')
    return JSON.parse(body.toString()) as Position
  }

  async #mac(owner: number, question: unknown, body: Buffer): Promise<Buffer> {
    const asked = createHash('sha256')
      .update(JSON.stringify([owner, question]))
      .digest()
    const secret = await this.#read()
    return createHmac('sha256', secret).update(asked).update(body).digest().subarray(0, macBytes)
  }

  #read(): Promise<Buffer> {
    this.#secret ??= this.#database.query<{ value: Buffer }>(secretStatement, []).then(
      ([row]) => {
        if (row === undefined) throw new Error('the table secrets is empty')
        return row.value
      },
      (err) => {
        this.#secret = undefined
        throw err
      },
    )
    return this.#secret
  }
}

const secretStatement = { name: 'mailbox-secret', text: `select value from secrets where name = 'cursors'` }
