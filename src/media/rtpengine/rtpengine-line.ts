import { randomBytes } from 'node:crypto'
import { Failure } from '../../failure.ts'
import type { Dictionary } from '../../protocols/bencode/bencode.ts'
import { directionOf, sends } from '../../protocols/sdp/direction.ts'
import { MalformedSdp } from '../../protocols/sdp/malformed-sdp.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { RtpMedia, Side } from '../rtp/rtp-engine.ts'
import { answerFlags, type Manner, mannerOf, ofBrowsers, offerFlags } from './manner.ts'
import type { NgClient } from './ng-client.ts'
import { readOneLine, writeOneLine } from './one-line.ts'
import { Presence } from './presence.ts'
import { failureOf } from './refusal.ts'

export interface RtpengineLineNeeds {
  readonly client: NgClient
  readonly dscp: number
  readonly maxSilence: number
  /** Parties that have not spoken yet, and are known to be browsers. */
  readonly browsers: readonly Side[]
  now(): number
  onGone(): void
  /** `deleted`: rtpengine has let go of it too, or does not answer. */
  onClosed(line: RtpengineLine, deleted: Promise<void>): void
  readonly log: { warn(fields: object, message: string): void }
}

interface Said {
  readonly from: Side
  readonly manner: Manner
  readonly sends: boolean
  readonly keys: Dictionary
}

/** The longest time, in milliseconds, from one look at a line to the next. */
const maxCheckEvery = 10_000

/**
 * Who is heard: the first source, and within three seconds the one that fits the description best; nobody else after
 * that. The ports that a party was told stay its own.
 */
const flags = ['strict-source', 'endpoint-learning-heuristic', 'port-latching']

const otherSide = (side: Side): Side => (side === 'caller' ? 'callee' : 'caller')

/** One m= line through rtpengine: a call of its own there, whose two tags are the sides of the session. */
export class RtpengineLine implements RtpMedia {
  readonly #needs: RtpengineLineNeeds
  readonly #callId = randomBytes(12).toString('hex')
  readonly #presence: Presence
  readonly #muted: Record<Side, boolean> = { caller: false, callee: false }
  #offered: Said | undefined
  /** An offer and its answer. */
  #inForce: readonly [Said, Said] | undefined
  /** Commands go one after the other: a `delete` that overtakes an `offer` would leave a call behind. */
  #turn: Promise<unknown> = Promise.resolve()
  /** rtpengine has heard of it, or may have. */
  #known = false
  readonly #checkEvery: number
  #nextCheck: number
  #closed = false

  constructor(needs: RtpengineLineNeeds) {
    this.#needs = needs
    this.#presence = new Presence(needs)
    this.#checkEvery = Math.min(maxCheckEvery, needs.maxSilence / 3)
    // not all at the same time
    this.#nextCheck = needs.now() + this.#checkEvery * (0.5 + Math.random())
  }

  async offer(from: Side, media: MediaDescription, session: SessionDescription): Promise<MediaDescription> {
    const manner = mannerOf(media, session)
    const to = otherSide(from)
    const tags = { 'from-tag': from, ...(this.#inForce && { 'to-tag': to }) }
    const offered = this.#said('offer', from, media, session, { ...tags, ...offerFlags(manner, this.#mannerOf(to)) })
    this.#offered = offered
    try {
      return await this.#describe(offered)
    } catch (err) {
      this.reject()
      throw err
    }
  }

  async answer(from: Side, media: MediaDescription, session: SessionDescription): Promise<MediaDescription> {
    const offered = this.#offered
    if (offered === undefined) throw new Failure('conflict', 'an answer without an offer')
    const tags = { 'from-tag': offered.from, 'to-tag': from }
    const answered = this.#said('answer', from, media, session, { ...tags, ...answerFlags(offered.manner) })
    const described = await this.#describe(answered)
    this.#offered = undefined
    this.#inForce = [offered, answered]
    this.#presence.expect(this.#inForce.flatMap((said) => (said.sends ? said.from : [])))
    for (const side of ['caller', 'callee'] as const) if (this.#muted[side]) this.#block(side)
    return described
  }

  reject(): void {
    if (this.#offered === undefined) return
    this.#offered = undefined
    // rtpengine knows no way back but to be told again of what was in force
    for (const { keys } of this.#inForce ?? []) this.#tell(keys)
  }

  mute(side: Side, muted: boolean): void {
    if (this.#muted[side] === muted) return
    this.#muted[side] = muted
    if (this.#inForce) this.#block(side)
  }

  close(): void {
    if (this.#closed) return
    const keys = { command: 'delete', 'call-id': this.#callId, 'delete-delay': 0 }
    const deleted = this.#known ? this.#tell(keys) : Promise.resolve()
    this.#closed = true
    this.#needs.onClosed(this, deleted)
  }

  /** Looks whether rtpengine still has the line and hears the parties, where it is time to. */
  check(now: number): void {
    if (now < this.#nextCheck || this.#inForce === undefined) return
    this.#nextCheck = Number.POSITIVE_INFINITY
    void this.#look()
  }

  async #look(): Promise<void> {
    const reply = await this.#command({ command: 'query', 'call-id': this.#callId }).catch(() => undefined)
    if (this.#closed || !this.#presence.isGone(reply)) {
      this.#nextCheck = this.#needs.now() + this.#checkEvery
    } else this.#needs.onGone()
  }

  #mannerOf(side: Side): Manner | undefined {
    const said = this.#inForce?.find(({ from }) => from === side)
    return said?.manner ?? (this.#needs.browsers.includes(side) ? ofBrowsers : undefined)
  }

  #said(command: string, from: Side, media: MediaDescription, session: SessionDescription, more: Dictionary): Said {
    const sdp = writeOneLine(media, session)
    const common = { 'call-id': this.#callId, flags, TOS: this.#needs.dscp << 2 }
    return {
      ...{ from, manner: mannerOf(media, session), sends: sends(directionOf(media, session)) },
      keys: { command, ...common, ...more, sdp },
    }
  }

  async #describe({ keys }: Said): Promise<MediaDescription> {
    this.#known = true
    const reply = await this.#command(keys)
    const line = typeof reply.sdp === 'string' ? readReply(reply.sdp) : undefined
    if (reply.result !== 'ok' || line === undefined) throw failureOf(reply)
    return line
  }

  #block(side: Side): void {
    const command = this.#muted[side] ? 'block media' : 'unblock media'
    void this.#tell({ command, 'call-id': this.#callId, 'from-tag': side })
  }

  /** A command whose reply changes nothing here. */
  async #tell(keys: Dictionary): Promise<void> {
    try {
      const reply = await this.#command(keys)
      if (reply.result !== 'ok') throw failureOf(reply)
    } catch (err) {
      this.#needs.log.warn({ command: keys.command, err }, 'rtpengine did not take a command')
    }
  }

  #command(keys: Dictionary): Promise<Dictionary> {
    if (this.#closed) return Promise.reject(new Failure('conflict', 'the line is closed'))
    const reply = this.#turn.then(() => this.#needs.client.request(keys))
    this.#turn = reply.catch(ignore)
    return reply
  }
}

function readReply(sdp: string): MediaDescription | undefined {
  try {
    return readOneLine(sdp)
  } catch (err) {
    if (err instanceof MalformedSdp) return undefined
    throw err
  }
}

function ignore(): void {}
