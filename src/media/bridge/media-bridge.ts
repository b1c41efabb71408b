import { randomInt } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { isMsrp } from '../../protocols/sdp/msrp-media.ts'
import type { Connection, Origin, SessionDescription } from '../../protocols/sdp/session-description.ts'
import { writeSdp } from '../../protocols/sdp/write-sdp.ts'
import type { Anchor, CapabilityController, MediaPolicy, OwnMedia, Selection } from '../capability/index.ts'
import { type MsrpPlane, relay } from '../msrp/index.ts'
import type { Facing } from './facing.ts'
import { kindOf, MsrpEnd } from './msrp-end.ts'
import { PassedMedia } from './passed-media.ts'

export interface BridgeNeeds {
  readonly capability: CapabilityController
  readonly msrp: MsrpPlane
  /** The host that session descriptions have for the server. */
  readonly host: string
  readonly anchored: boolean
  readonly policies: readonly MediaPolicy[]
}

export type Side = 'caller' | 'callee'

const otherSide = (side: Side): Side => (side === 'caller' ? 'callee' : 'caller')

interface Pending {
  readonly from: Side
  readonly selection: Selection
}

/** The media of a session of two: their session descriptions pass through here, and so do the media that are anchored. */
export class MediaBridge {
  /** A party's connection is gone and has not come back, or cannot be had. */
  onGone: (() => void) | undefined
  readonly #needs: BridgeNeeds
  readonly #facing: Readonly<Record<Side, Facing>> = { caller: newFacing(), callee: newFacing() }
  readonly #origins: Readonly<Record<Side, Origin>>
  readonly #connection: Connection
  /** By who wrote the description. */
  readonly #inForce: Partial<Record<Side, Selection>> = {}
  readonly #partners = new WeakMap<MsrpEnd, MsrpEnd>()
  #anchored: boolean | undefined
  #pending: Pending | undefined
  #closed = false

  constructor(needs: BridgeNeeds) {
    this.#needs = needs
    this.#connection = { networkType: 'IN', addressType: isIPv6(needs.host) ? 'IP6' : 'IP4', address: needs.host }
    this.#origins = { caller: this.#newOrigin(), callee: this.#newOrigin() }
  }

  /** The offer of one party as it goes to the other. Throws Failure when it is none, or nothing of it is taken. */
  async offer(from: Side, body: Buffer): Promise<Buffer> {
    const received = this.#needs.capability.read(body)
    this.#anchored ??= this.#needs.anchored && received.media.some(isMsrp)
    const selection = await this.#select(from, received, undefined)
    this.reject()
    this.#pending = { from, selection }
    if (this.#closed) this.reject()
    return bodyOf(selection, body)
  }

  /** The answer to that offer, as it goes to who made it; from now on it is in force. */
  async answer(body: Buffer): Promise<Buffer> {
    const offered = this.#pending
    if (offered === undefined) return body
    const from = otherSide(offered.from)
    try {
      const received = this.#needs.capability.read(body)
      const selection = await this.#select(from, received, offered.selection)
      this.#pending = undefined
      this.#takeForce(offered, { from, selection })
      return bodyOf(selection, body)
    } catch (err) {
      this.reject()
      throw err
    }
  }

  /** The offer came to nothing: what was in force stays. */
  reject(): void {
    this.#pending?.selection.rollBack()
    this.#pending = undefined
  }

  /** Frees all. May be called again. */
  close(): void {
    this.#closed = true
    this.reject()
    for (const side of ['caller', 'callee'] as const) {
      this.#inForce[side]?.close()
      delete this.#inForce[side]
    }
  }

  async #select(from: Side, received: SessionDescription, answered: Selection | undefined): Promise<Selection> {
    const to = otherSide(from)
    this.#facing[to].answering = answered?.received
    this.#facing[to].passing = received
    const before = this.#inForce[from]
    return await this.#needs.capability.select(received, {
      policies: this.#needs.policies,
      ...(this.#anchored === true && { anchor: this.#anchorTowards(to) }),
      ...(answered && { offered: answered.description }),
      ...(before && { before }),
    })
  }

  #anchorTowards(side: Side): Anchor {
    return {
      origin: this.#origins[side],
      connection: this.#connection,
      ownMedia: ({ index, media }) => (isMsrp(media) ? this.#msrpEnd(side, index, media) : this.#passed(side, index)),
    }
  }

  #passed(side: Side, index: number): OwnMedia {
    return new PassedMedia(this.#facing[side], index)
  }

  #msrpEnd(side: Side, index: number, media: SessionDescription['media'][number]): OwnMedia | undefined {
    const { msrp } = this.#needs
    const kind = kindOf(media)
    if (!msrp.offers(kind)) return undefined
    return new MsrpEnd({
      session: msrp.open(kind),
      index,
      facing: this.#facing[side],
      fingerprint: kind.secure ? msrp.fingerprint : undefined,
      onGone: () => this.onGone?.(),
    })
  }

  #takeForce(offered: Pending, answered: Pending): void {
    for (const { from, selection } of [offered, answered]) {
      selection.commit()
      this.#inForce[from] = selection
    }
    if (this.#closed) this.close()
    else this.#join(offered.selection, answered.selection)
  }

  /** The end that an offer was written for faces who answered it, and the other way round. */
  #join(offer: Selection, answer: Selection): void {
    for (const [index, { own: towardsAnswerer }] of offer.media.entries()) {
      const towardsOfferer = answer.media[index]?.own
      if (!(towardsAnswerer instanceof MsrpEnd) || !(towardsOfferer instanceof MsrpEnd)) continue
      this.#relay(towardsAnswerer, towardsOfferer)
      towardsAnswerer.join(mediaAt(answer.received, index), answer.received, true)
      towardsOfferer.join(mediaAt(offer.received, index), offer.received, false)
    }
  }

  #relay(one: MsrpEnd, other: MsrpEnd): void {
    if (this.#partners.get(one) === other) return
    this.#partners.set(one, other)
    this.#partners.set(other, one)
    relay(one.session, other.session)
  }

  #newOrigin(): Origin {
    return { username: '-', sessionId: String(randomInt(2 ** 47)), version: '1', ...this.#connection }
  }
}

const newFacing = (): Facing => ({ answering: undefined, passing: undefined })

const mediaAt = ({ media }: SessionDescription, index: number) => media[index] as SessionDescription['media'][number]

const bodyOf = (selection: Selection, body: Buffer): Buffer =>
  selection.untouched ? body : writeSdp(selection.description)
