import { Failure } from '../../../../failure.ts'
import type { Structure } from '../../../../protocols/nms/structures.ts'
import type { MailboxState } from '../../mailbox/stored-object.ts'
import { isId } from '../box-urls.ts'
import { NmsFault } from '../nms-fault.ts'
import { answer, type NmsCall, type NmsOperation, noContent } from '../nms-operation.ts'
import type { Callbacks } from './callbacks.ts'
import { checkFilter } from './event-filter.ts'
import type { NmsSubscription, NmsSubscriptions } from './nms-subscriptions.ts'
import { type NotificationChannels, ownChannelIn } from './notification-channels.ts'
import { type Point, readPoint, writePoint } from './restart-token.ts'

export interface SubscriptionNeeds {
  readonly subscriptions: NmsSubscriptions
  readonly channels: Pick<NotificationChannels, 'find'>
  readonly callbacks: Pick<Callbacks, 'permits'>
  readonly stateOf: (owner: number) => Promise<MailboxState>
  /** Subscriptions of that owner have something new to tell, whatever node sees to it. */
  readonly tell: (owner: number) => void
}

/** Seconds. */
const usualDuration = 7200
const longestDuration = 604_800
const longestText = 1024

type Request = Structure<'NmsSubscription'>

/** Subscriptions to changes (NMS §6.17, §6.18). */
export class SubscriptionOperations {
  readonly #needs: SubscriptionNeeds

  constructor(needs: SubscriptionNeeds) {
    this.#needs = needs
  }

  createSubscription: NmsOperation = async (call) => {
    const { owner, urls } = call
    const request = call.read('nmsSubscription')
    checkRequest(request)
    const state = await this.#needs.stateOf(owner)
    const { callbackReference, filter, clientCorrelator: correlator, duration, restartToken } = request
    const { subscription, isNew } = await this.#needs.subscriptions.add(owner, {
      identity: call.identities[0] ?? '',
      base: urls.box,
      notifyUrl: callbackReference.notifyURL,
      callbackData: callbackReference.callbackData,
      format: callbackReference.notificationFormat === 'JSON' ? 'json' : 'xml',
      filter,
      correlator,
      channel: await this.#channelOf(call, callbackReference.notifyURL),
      duration: durationOf(duration),
      born: state.modseq,
      at: restartToken === undefined ? state : pointIn(restartToken, state),
    })
    if (restartToken !== undefined) this.#needs.tell(owner)
    const location = urls.subscription(subscription.id)
    return answer(isNew ? 201 : 200, 'nmsSubscription', shown(subscription, call), { location })
  }

  listSubscriptions: NmsOperation = async (call) => {
    const subscriptions = await this.#needs.subscriptions.list(call.owner)
    const subscription = subscriptions.map((one) => shown(one, call))
    return answer(200, 'nmsSubscriptionList', { subscription, resourceURL: call.urls.subscriptions })
  }

  getSubscription: NmsOperation = async (call) => {
    const subscription = await this.#needs.subscriptions.find(call.owner, idIn(call))
    if (subscription === undefined) throw unknown(call)
    return answer(200, 'nmsSubscription', shown(subscription, call))
  }

  updateSubscription: NmsOperation = async (call) => {
    const { owner } = call
    const { duration, restartToken } = call.read('nmsSubscriptionUpdate')
    const at = restartToken === undefined ? undefined : pointIn(restartToken, await this.#needs.stateOf(owner))
    const change = { duration: durationOf(duration), at }
    const subscription = await this.#needs.subscriptions.update(owner, idIn(call), change)
    if (subscription === undefined) throw unknown(call)
    this.#needs.tell(owner)
    return answer(200, 'nmsSubscription', shown(subscription, call))
  }

  deleteSubscription: NmsOperation = async (call) => {
    if (!(await this.#needs.subscriptions.remove(call.owner, idIn(call)))) throw unknown(call)
    return noContent
  }

  /** The channel that the URL stands for, if it is one of this server. Throws `malformed` for what must not be called. */
  async #channelOf({ owner, root }: NmsCall, notifyUrl: string): Promise<string | undefined> {
    const id = ownChannelIn(notifyUrl)
    const channel = id === undefined ? undefined : await this.#needs.channels.find(owner, id)
    if (channel !== undefined) return channel.id
    if (id !== undefined && notifyUrl.startsWith(`${root}/`)) throw malformed('callbackReference.notifyURL')
    if (!this.#needs.callbacks.permits(notifyUrl)) throw malformed('callbackReference.notifyURL')
    return undefined
  }
}

function checkRequest({ resourceURL, index, clientCorrelator = '', callbackReference, filter }: Request): void {
  if (resourceURL !== undefined) throw malformed('resourceURL')
  if (index !== undefined) throw malformed('index')
  if (clientCorrelator.length > longestText) throw malformed('clientCorrelator')
  if ((callbackReference.callbackData ?? '').length > longestText) throw malformed('callbackReference.callbackData')
  if (filter !== undefined) checkFilter(filter)
}

const durationOf = (asked: number | undefined): number => Math.min(longestDuration, asked || usualDuration)

/** Of this mailbox as it is, or as it was before a reset. Throws `malformed` for a point to come. */
function pointIn(restartToken: string, { epoch, modseq }: MailboxState): Point {
  const point = readPoint(restartToken, 'restartToken')
  if (point.epoch === epoch && point.modseq > modseq) throw malformed('restartToken')
  return point
}

function shown(subscription: NmsSubscription, { urls }: NmsCall): Request {
  const { notifyUrl, callbackData, format, filter, correlator, duration, id, index, at } = subscription
  return {
    callbackReference: {
      notifyURL: notifyUrl,
      ...(callbackData !== undefined && { callbackData }),
      notificationFormat: format === 'json' ? 'JSON' : 'XML',
    },
    duration,
    ...(filter !== undefined && { filter }),
    ...(correlator !== undefined && { clientCorrelator: correlator }),
    resourceURL: urls.subscription(id),
    index,
    restartToken: writePoint(at),
  }
}

function idIn(call: NmsCall): string {
  const id = call.params.subscriptionId ?? ''
  if (!isId(id)) throw unknown(call)
  return id
}

/** NMS §6.18.3.2. */
const unknown = ({ urls, params }: NmsCall) => {
  const href = urls.subscription(encodeURIComponent(params.subscriptionId ?? ''))
  return new NmsFault(404, 'SVC0004', ['Request-URI'], { link: { rel: 'NmsSubscription', href } })
}

const malformed = (element: string) => new Failure('malformed', element)
