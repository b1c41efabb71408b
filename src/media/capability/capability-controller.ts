import { Failure, type Warning } from '../../failure.ts'
import { withoutAttributes } from '../../protocols/sdp/attributes.ts'
import { bitRate, capped } from '../../protocols/sdp/bandwidth.ts'
import { MalformedSdp } from '../../protocols/sdp/malformed-sdp.ts'
import { faultOfAnswer, faultOfNext, following, refused } from '../../protocols/sdp/offer-answer.ts'
import { readSdp } from '../../protocols/sdp/read-sdp.ts'
import { rtpAttributes } from '../../protocols/sdp/rtp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import { audioVideo } from './audio-video.ts'
import type { ExecutionModule, Verdict } from './execution-module.ts'
import { fileTransfer } from './file-transfer.ts'
import { halfDuplexVoice } from './half-duplex-voice.ts'
import { type MediaPolicy, strictest } from './media-policy.ts'
import { messageSession } from './message-session.ts'
import { otherMedia } from './other-media.ts'
import type { Anchor, OwnMedia } from './own-media.ts'
import { type SelectedMedia, Selection } from './selection.ts'
import {
  incompatibleAddress,
  incompatibleNetwork,
  insufficientBandwidth,
  miscellaneous,
  notAvailable,
  sizeExceeded,
} from './warnings.ts'

export interface SelectOptions {
  /** All of them must permit: those of both parties. */
  readonly policies: readonly MediaPolicy[]
  /** The media go through the server; without it they go end to end. */
  readonly anchor?: Anchor | undefined
  /** The description answers this offer, which went to its writer. */
  readonly offered?: SessionDescription | undefined
  /** The selection in force, made of the last description of the same writer; what it holds is used again. */
  readonly before?: Selection | undefined
}

/** The selection module: the first that takes an m= line works out its part. */
const modules: readonly ExecutionModule[] = [fileTransfer, messageSession, halfDuplexVoice, audioVideo, otherMedia]

/** What of a session holds for one of its ends only: ICE, and ports shared by m= lines (RFC 8839, RFC 9143). */
const ownOfSession = [...rtpAttributes, 'ice-lite', 'group']

/** Decides by policy which media of a session description are taken, and puts the server between the parties. */
export class CapabilityController {
  /** Reads a body of application/sdp. Throws Failure('malformed') with a Warning that names the line. */
  read(body: Buffer): SessionDescription {
    try {
      return readSdp(body)
    } catch (err) {
      if (!(err instanceof MalformedSdp)) throw err
      const warnings = [miscellaneous(`SDP line ${err.line}: ${err.reason}: ${err.text}`)]
      throw new Failure('malformed', err.message, { cause: err, warnings })
    }
  }

  /**
   * What goes on to the other party. Refused m= lines have port 0. Throws Failure('not-acceptable') when none is left,
   * with the reasons as Warnings; 'size-exceeded' when size alone was the reason. Then nothing is held.
   */
  async select(received: SessionDescription, options: SelectOptions): Promise<Selection> {
    checkFit(received, options)
    const policy = strictest(options.policies)
    const judged = received.media.map((_, index) => judgeMedia(index, received, policy, options.offered))
    failIfAllRefused(judged)
    const added: OwnMedia[] = []
    try {
      const media = await hold(judged, received, options, added)
      failIfAllRefused(media)
      return new Selection(received, await describe(received, media, options), media, options.before)
    } catch (err) {
      for (const own of added) own.close()
      throw err
    }
  }
}

/** An m= line with what policy leaves of it; `taken` is undefined when it has port 0. */
interface Judged extends SelectedMedia {
  readonly module: ExecutionModule
  readonly taken: MediaDescription | undefined
}

/** RFC 3264 §6, §8: what an answer, or a later description, must have in common with what went before. */
function checkFit(received: SessionDescription, { offered, before }: SelectOptions): void {
  const last = before?.received
  const fault = (offered && faultOfAnswer(offered, received)) ?? (last && faultOfNext(last, received))
  if (fault !== undefined) throw new Failure('not-acceptable', fault, { warnings: [miscellaneous(fault)] })
}

/** An answer is of the kind that its offer was: it need not repeat what tells them apart, such as a=file-selector. */
function judgeMedia(
  index: number,
  session: SessionDescription,
  policy: MediaPolicy,
  offered: SessionDescription = session,
): Judged {
  const [received, telling] = [session.media[index], offered.media[index]] as [MediaDescription, MediaDescription]
  const module = modules.find((one) => one.takes(telling, offered)) ?? otherMedia
  const line: Judged = { module, kind: module.kindOf(telling), received, taken: undefined }
  if (received.port === 0) return line
  const verdict = judge(line, session, policy)
  return 'media' in verdict ? { ...line, taken: verdict.media } : refuse(line, verdict.warning)
}

const refuse = (line: Judged, refusal: Warning): Judged => ({ ...line, taken: undefined, refusal })

function judge({ module, kind, received }: Judged, session: SessionDescription, policy: MediaPolicy): Verdict {
  const { networkType = 'IN', addressType = 'IP4' } = received.connection ?? session.connection ?? {}
  if (networkType !== 'IN') return { warning: incompatibleNetwork(networkType) }
  if (addressType !== 'IP4' && addressType !== 'IP6') return { warning: incompatibleAddress(addressType) }
  if (policy.kinds && !policy.kinds.has(kind)) return { warning: notAvailable(kind) }
  const ceiling = policy.bitRates?.[kind]
  if (ceiling === 0) return { warning: insufficientBandwidth(kind) }
  const verdict = module.judge(received, session, policy)
  if (ceiling === undefined || !('media' in verdict)) return verdict
  return { media: withCeiling(verdict.media, ceiling) }
}

/** With b= lines that go no higher; as it is when they do not. */
function withCeiling<Of extends MediaDescription | SessionDescription>(of: Of, ceiling: number | undefined): Of {
  if (ceiling === undefined || (bitRate(of.bandwidth) ?? Infinity) <= ceiling) return of
  return { ...of, bandwidth: capped(of.bandwidth, ceiling) }
}

/** An m= line that its writer has at port 0 is not refused; nor is a session without media (RFC 3264 §5). */
function failIfAllRefused(media: readonly Judged[]): void {
  const warnings = media.flatMap(({ refusal }) => refusal ?? [])
  if (warnings.length === 0 || media.some(({ taken }) => taken !== undefined)) return
  const bySize = warnings.every(({ code }) => code === sizeExceeded.code)
  throw new Failure(bySize ? 'size-exceeded' : 'not-acceptable', warnings[0]?.text, { warnings })
}

/** With the server's own end of each m= line that was taken; those that are new are put in `added`. */
async function hold(
  judged: readonly Judged[],
  session: SessionDescription,
  options: SelectOptions,
  added: OwnMedia[],
): Promise<readonly Judged[]> {
  if (options.anchor === undefined) return judged
  const held: Judged[] = []
  for (const [index, line] of judged.entries()) {
    const own = line.taken && (await ownMedia(line, index, session, options, options.anchor, added))
    held.push(line.taken && own === undefined ? refuse(line, notAvailable(`relayed ${line.kind}`)) : { ...line, own })
  }
  return held
}

/** The end held before for the same m= line, else a new one. */
async function ownMedia(
  line: Judged,
  index: number,
  session: SessionDescription,
  { before }: SelectOptions,
  anchor: Anchor,
  added: OwnMedia[],
): Promise<OwnMedia | undefined> {
  const [last, held] = [before?.media[index], before?.heldFor(index)]
  if (held && last?.kind === line.kind && isOfProtocol(last.received, line.received.protocol)) return held
  const own = await anchor.ownMedia({ kind: line.kind, index, media: line.received, session })
  if (own !== undefined) added.push(own)
  return own
}

const isOfProtocol = ({ protocol }: MediaDescription, other: string): boolean =>
  protocol.toLowerCase() === other.toLowerCase()

async function describe(
  received: SessionDescription,
  lines: readonly Judged[],
  { anchor, policies, before }: SelectOptions,
): Promise<SessionDescription> {
  const media: MediaDescription[] = []
  for (const line of lines) media.push(await describeMedia(line, received, anchor !== undefined))
  const same = media.every((one, index) => one === received.media[index])
  const session = withCeiling(same ? received : { ...received, media }, strictest(policies).bitRate)
  if (anchor === undefined) return session
  const { origin, connection } = anchor
  const anchored = {
    ...withoutAttributes(session, ...ownOfSession),
    origin,
    connection,
    uri: undefined,
    key: undefined,
  }
  return before ? following(before.description, anchored) : anchored
}

function describeMedia(
  { received, taken, own, module }: Judged,
  session: SessionDescription,
  anchored: boolean,
): MediaDescription | Promise<MediaDescription> {
  if (taken === undefined && anchored) return { ...refused(received), connection: undefined }
  if (taken === undefined) return received.port === 0 ? received : refused(received)
  if (own === undefined) return taken
  const bare = withoutAttributes(taken, ...module.ownAttributes)
  return own.describe(
    { ...bare, connection: undefined, furtherConnections: undefined, portCount: undefined },
    taken,
    session,
  )
}
