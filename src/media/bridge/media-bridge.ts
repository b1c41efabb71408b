import { randomInt } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { isMsrp } from '../../protocols/sdp/msrp-media.ts'
import { isRtp } from '../../protocols/sdp/rtp-media.ts'
import type { Connection, Origin, SessionDescription } from '../../protocols/sdp/session-description.ts'
import { isTalkBurstControl } from '../../protocols/sdp/talk-burst-media.ts'
import { writeSdp } from '../../protocols/sdp/write-sdp.ts'
import {
  type Anchor,
  type CapabilityController,
  type MediaKind,
  type MediaPolicy,
  type OwnMedia,
  type Selection,
  strictest,
} from '../capability/index.ts'
import { FloorLine } from '../floor/index.ts'
import { type Keeps, type MsrpPlane, type MsrpSession, relay, type SessionKind } from '../msrp/index.ts'
import { lawsOf, type RtpEngine, type RtpMedia, type Side, type SoundFormats, type SoundTap } from '../rtp/index.ts'
import type { Facing } from './facing.ts'
import { fileLimit } from './file-limit.ts'
import { asSaidBy, freeMsrpEnds, withoutMsrpEnds } from './in-place.ts'
import { type Keeping, LineKeeper } from './keeping.ts'
import { type CopyNeeds, MessageCopy } from './message-copy.ts'
import { MsrpEnd, waitsOnWebSocket } from './msrp-end.ts'
import { kindFor, kindOf, protocolOf, type Speaks } from './msrp-kind.ts'
import { OneMessage } from './one-message.ts'
import { passedMedia } from './passed-media.ts'
import { RelayedMedia } from './relayed-media.ts'

export interface BridgeNeeds {
  readonly capability: CapabilityController
  readonly msrp: MsrpPlane
  readonly rtp: RtpEngine
  /** For half-duplex voice; without it there is none. */
  readonly openFloor?: () => Promise<FloorLine>
  /** The host that session descriptions have for the server. */
  readonly host: string
  /** Whether the media go through the server: as the first offer shows, where that decides. */
  readonly anchored: boolean | ((offer: SessionDescription, from: Side) => boolean)
  /** What each party speaks MSRP over, where that is known. */
  readonly speaks?: Readonly<Record<Side, Speaks | undefined>> | undefined
  readonly policies: readonly MediaPolicy[]
  /** The session is for one message of so many bytes at the most; without it for any number. */
  readonly oneMessageBytes?: number
  /** Of the one message a copy is kept. */
  readonly copy?: CopyNeeds
  /** What passes in messages may be kept before it does. */
  readonly keeping?: Keeping | undefined
}

const sides = ['caller', 'callee'] as const

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
  #pending: Pending | undefined
  #floor: FloorLine | undefined
  #anchored: boolean | undefined
  /** The offer that is pending is of a device that takes the place of this one. */
  #inPlace: Side | undefined
  readonly #oneMessage: OneMessage | undefined
  /** Whom the ends of message sessions face. */
  readonly #sides = new WeakMap<MsrpSession, Side>()
  /** By the place of their m= lines. */
  readonly #keepers = new Map<number, LineKeeper>()
  #sound: SoundTap | undefined
  #closed = false

  constructor(needs: BridgeNeeds) {
    this.#needs = needs
    this.#oneMessage = this.#newOneMessage()
    this.#connection = { networkType: 'IN', addressType: isIPv6(needs.host) ? 'IP6' : 'IP4', address: needs.host }
    this.#origins = { caller: this.#newOrigin(), callee: this.#newOrigin() }
  }

  /** The offer of one party as it goes to the other. Throws Failure when it is none, or nothing of it is taken. */
  async offer(from: Side, body: Buffer): Promise<Buffer> {
    const received = this.#needs.capability.read(body)
    this.reject()
    return await this.#take(from, received, body)
  }

  /** The same of another device that takes the place of the one that `from` was: what was held for that one goes. */
  async offerInPlace(from: Side, body: Buffer): Promise<Buffer> {
    const received = this.#needs.capability.read(body)
    this.reject()
    this.#inPlace = from
    return await this.#take(from, received, body)
  }

  async #take(from: Side, received: SessionDescription, body: Buffer): Promise<Buffer> {
    const { anchored } = this.#needs
    this.#anchored ??= typeof anchored === 'boolean' ? anchored : anchored(received, from)
    const selection = await this.#selectOffer(from, received)
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
    rejectLines(this.#pending?.selection)
    this.#pending?.selection.rollBack()
    this.#pending = undefined
    this.#inPlace = undefined
  }

  /** Frees all. May be called again. */
  close(): void {
    this.#closed = true
    this.#oneMessage?.close()
    for (const keeper of this.#keepers.values()) keeper.close()
    this.#keepers.clear()
    this.reject()
    for (const side of ['caller', 'callee'] as const) {
      this.#inForce[side]?.close()
      delete this.#inForce[side]
    }
  }

  async #selectOffer(from: Side, received: SessionDescription): Promise<Selection> {
    try {
      return await this.#select(from, received, undefined)
    } catch (err) {
      rejectLines(this.#inForce[from])
      throw err
    }
  }

  async #select(from: Side, received: SessionDescription, answered: Selection | undefined): Promise<Selection> {
    const to = otherSide(from)
    this.#facing[to].answering = answered?.received
    const before = this.#before(from, received)
    return await this.#needs.capability.select(received, {
      policies: this.#needs.policies,
      ...(this.#anchored === true && { anchor: this.#anchorTowards(to, answered) }),
      ...(answered && { offered: answered.description }),
      ...(before && { before }),
    })
  }

  #before(from: Side, received: SessionDescription): Selection | undefined {
    const last = this.#inForce[from]
    if (last === undefined || this.#inPlace === undefined) return last
    return from === this.#inPlace ? asSaidBy(received.origin, last) : withoutMsrpEnds(last)
  }

  #anchorTowards(side: Side, answered: Selection | undefined): Anchor {
    const { openFloor } = this.#needs
    return {
      origin: this.#origins[side],
      connection: this.#connection,
      ownMedia: ({ kind, index, media }) => {
        if (isMsrp(media)) return this.#msrpEnd(side, index, media, kind === 'file-transfer')
        const offered = answered?.heldFor(index)
        if (isTalkBurstControl(media)) return openFloor && this.#relayed(side, offered, openFloor)
        return isRtp(media) ? this.#relayed(side, offered, () => this.#openVoice(kind)) : passedMedia
      },
    }
  }

  /** Where one at a time speaks, silence says nothing. */
  #openVoice(kind: MediaKind): Promise<RtpMedia> {
    const { rtp, speaks } = this.#needs
    const browsers = sides.filter((side) => speaks?.[side] === 'ws')
    return rtp.open(() => {
      if (kind !== 'half-duplex-voice' || this.#floor === undefined) this.onGone?.()
    }, browsers)
  }

  /** Both ends of such a line are of one thing: an answer takes the one that its offer has opened. */
  async #relayed(
    side: Side,
    offered: OwnMedia | undefined,
    open: () => Promise<RtpMedia | FloorLine>,
  ): Promise<OwnMedia> {
    const line = offered instanceof RelayedMedia ? offered.line : await open()
    return new RelayedMedia({ line, from: otherSide(side), facing: this.#facing[side] })
  }

  #msrpEnd(
    side: Side,
    index: number,
    media: SessionDescription['media'][number],
    isFile: boolean,
  ): OwnMedia | undefined {
    const { msrp } = this.#needs
    if (!msrp.offers(kindOf(media)) || waitsOnWebSocket(media)) return undefined
    const protocol = this.#protocolTowards(side, index, media)
    const kind = kindOf({ ...media, protocol })
    const session = this.#openSession(kind)
    this.#sides.set(session, side)
    return new MsrpEnd({
      session,
      protocol,
      index,
      facing: this.#facing[side],
      fingerprint: kind.secure ? msrp.fingerprint : undefined,
      isFile,
      onGone: () => (isFile ? this.#fileGone(index) : this.onGone?.()),
    })
  }

  /** That of the line which it answers, or which the party has already; else what the party speaks. */
  #protocolTowards(side: Side, index: number, media: SessionDescription['media'][number]): string {
    const { msrp, speaks } = this.#needs
    const answered = this.#facing[side].answering?.media[index]
    if (answered !== undefined) return answered.protocol
    const last = this.#inForce[side]?.received.media[index]
    if (last !== undefined && last.port !== 0 && isMsrp(last)) return last.protocol
    const kind = kindOf(media)
    const wanted = kindFor(kind, speaks?.[side], (one) => msrp.offers(one))
    return wanted === kind ? media.protocol : protocolOf(wanted)
  }

  /** The file is through and its connection closed, or it failed: what there is beside it goes on. */
  #fileGone(index: number): void {
    for (const side of ['caller', 'callee'] as const) this.#inForce[side]?.free(index)
    if (!this.#inForce.caller?.held.length) this.onGone?.()
  }

  #newOneMessage(): OneMessage | undefined {
    const { oneMessageBytes, copy } = this.#needs
    if (oneMessageBytes === undefined) return undefined
    return new OneMessage(copy && new MessageCopy(copy, oneMessageBytes), () => this.onGone?.())
  }

  #openSession(kind: SessionKind): MsrpSession {
    const { msrp, oneMessageBytes } = this.#needs
    if (oneMessageBytes === undefined) return msrp.open(kind)
    const session = msrp.open({ ...kind, messageBytes: oneMessageBytes })
    session.onRefused = (status) => {
      if (status === 413) this.onGone?.()
    }
    return session
  }

  #takeForce(offered: Pending, answered: Pending): void {
    if (this.#inPlace !== undefined) freeMsrpEnds(this.#inForce[answered.from], answered.selection)
    this.#inPlace = undefined
    for (const { from, selection } of [offered, answered]) {
      selection.commit()
      this.#inForce[from] = selection
    }
    for (const index of answered.selection.media.keys()) {
      if (answered.selection.heldFor(index) === undefined) offered.selection.free(index)
    }
    if (this.#closed) {
      this.close()
      return
    }
    this.#join(offered.selection, answered.selection)
    this.#govern(answered.selection)
    if (this.#sound !== undefined) this.hear(this.#sound)
  }

  /** The end that an offer was written for faces who answered it, and the other way round. */
  #join(offer: Selection, answer: Selection): void {
    for (const [index, { own: towardsAnswerer }] of offer.media.entries()) {
      const towardsOfferer = answer.media[index]?.own
      if (!(towardsAnswerer instanceof MsrpEnd) || !(towardsOfferer instanceof MsrpEnd)) continue
      this.#relay(towardsAnswerer, towardsOfferer, index)
      const [offered, answered] = [mediaAt(offer.received, index), mediaAt(answer.received, index)]
      // A chat carries no longer message than a file may be, or a file would be sent as one.
      const limit = towardsAnswerer.isFile ? fileLimit(offered, answered, this.#maxFileSize) : this.#maxFileSize
      towardsAnswerer.join(answered, answer.received, true, limit)
      towardsOfferer.join(offered, offer.received, false, limit)
    }
  }

  /** The floor that was agreed on, and the voices that it is for. */
  #govern(answer: Selection): void {
    const lines = answer.media.flatMap(({ kind }, index) => {
      const held = answer.heldFor(index)
      return kind === 'half-duplex-voice' && held instanceof RelayedMedia ? held.line : []
    })
    this.#floor = lines.find((line) => line instanceof FloorLine)
    this.#floor?.govern(lines.filter((line): line is RtpMedia => !(line instanceof FloorLine)))
  }

  get #maxFileSize(): number | undefined {
    return strictest(this.#needs.policies).maxFileSize
  }

  #relay(one: MsrpEnd, other: MsrpEnd, index: number): void {
    if (this.#partners.get(one) === other) return
    this.#partners.set(one, other)
    this.#partners.set(other, one)
    relay(one.session, other.session, this.#oneMessage, this.#keepsOf(one.isFile, index))
  }

  #keepsOf(isFile: boolean, index: number): Keeps | undefined {
    const { keeping } = this.#needs
    if (keeping === undefined) return undefined
    const keeper = new LineKeeper({
      ...{ keeping, isFile },
      sideOf: (session) => this.#sides.get(session) ?? 'caller',
      described: () => sides.flatMap((side) => this.#inForce[side]?.received.media[index] ?? []),
    })
    this.#keepers.get(index)?.close()
    this.#keepers.set(index, keeper)
    return keeper.keeps
  }

  /** Whether messages or voice of this session pass through here. */
  get isAnchored(): boolean {
    return this.#anchored === true
  }

  /** What the parties have agreed on, each in its own words; undefined until they have. */
  get agreed(): Readonly<Record<Side, SessionDescription>> | undefined {
    const { caller, callee } = this.#inForce
    return caller && callee && { caller: caller.received, callee: callee.received }
  }

  /** What there is to be heard goes to `tap` as well, from now on and through later offers; undefined: no more. */
  hear(tap: SoundTap | undefined): void {
    this.#sound = tap
    const heard = this.#heardLine()
    for (const { line } of this.#voices()) line.hear?.(line === heard?.line ? tap : undefined)
    if (heard !== undefined) tap?.formats(heard.formats)
  }

  /** Whether there is voice here that can be heard. */
  get isAudible(): boolean {
    return this.#heardLine() !== undefined
  }

  /** The first line of voice in the clear, if the engine lets it be heard, and what each party sends on it. */
  #heardLine(): { readonly line: RtpMedia; readonly formats: SoundFormats } | undefined {
    for (const { line, index } of this.#voices()) {
      const [caller, callee] = sides.map((side) => this.#inForce[side]?.received.media[index])
      if (line.hear === undefined || caller === undefined || callee === undefined) continue
      if (/SAVPF?$/i.test(caller.protocol)) continue
      // A party sends what the other one has said that it takes (RFC 3264 §5.1).
      const formats = { caller: lawsOf(callee), callee: lawsOf(caller) }
      if (formats.caller.size > 0 || formats.callee.size > 0) return { line, formats }
    }
    return undefined
  }

  #voices(): { readonly line: RtpMedia; readonly index: number }[] {
    const selection = this.#inForce.callee
    if (this.#closed || selection === undefined) return []
    return selection.media.flatMap(({ kind }, index) => {
      const held = selection.heldFor(index)
      const isVoice = kind === 'audio' || kind === 'half-duplex-voice'
      if (!isVoice || !(held instanceof RelayedMedia) || held.line instanceof FloorLine) return []
      return { line: held.line, index }
    })
  }

  #newOrigin(): Origin {
    return { username: '-', sessionId: String(randomInt(2 ** 47)), version: '1', ...this.#connection }
  }
}

const newFacing = (): Facing => ({ answering: undefined })

/** Lines that stay in force do so as they were before the offer. */
function rejectLines(selection: Selection | undefined): void {
  for (const own of selection?.held ?? []) if (own instanceof RelayedMedia) own.line.reject()
}

const mediaAt = ({ media }: SessionDescription, index: number) => media[index] as SessionDescription['media'][number]

const bodyOf = (selection: Selection, body: Buffer): Buffer =>
  selection.untouched ? body : writeSdp(selection.description)
