import { Failure } from '../../../../failure.ts'
import type { Structure } from '../../../../protocols/nms/structures.ts'
import { isId } from '../box-urls.ts'
import { mediaTypeOf } from '../negotiation.ts'
import { NmsFault } from '../nms-fault.ts'
import { answer, type NmsCall, type NmsOperation, noContent } from '../nms-operation.ts'
import type { NotificationChannel, NotificationChannels } from './notification-channels.ts'
import { writeNotificationList } from './notification-list.ts'
import type { Polls } from './polls.ts'

export interface ChannelNeeds {
  readonly channels: NotificationChannels
  readonly polls: Pick<Polls, 'poll'>
}

/** Seconds. */
const usualLifetime = 86_400
const longestLifetime = 2_592_000
const mostNotifications = 20
const longestText = 1024

/** Channels that clients poll who cannot be called back (OMA REST_NetAPI_NotificationChannel §6). */
export class ChannelOperations {
  readonly #needs: ChannelNeeds

  constructor(needs: ChannelNeeds) {
    this.#needs = needs
  }

  createChannel: NmsOperation = async (call) => {
    const { clientCorrelator, applicationTag, channelData, channelLifetime, ...given } =
      call.read('notificationChannel')
    if (given.resourceURL !== undefined) throw malformed('resourceURL')
    if (given.callbackURL !== undefined) throw malformed('callbackURL')
    if (channelData?.channelURL !== undefined) throw malformed('channelData.channelURL')
    if ((clientCorrelator ?? '').length > longestText) throw malformed('clientCorrelator')
    if ((applicationTag ?? '').length > longestText) throw malformed('applicationTag')
    const { channel, isNew } = await this.#needs.channels.add(call.owner, {
      tag: applicationTag,
      correlator: clientCorrelator,
      maxNotifications: Math.min(mostNotifications, channelData?.maxNotifications || mostNotifications),
      lifetime: lifetimeOf(channelLifetime),
    })
    return answer(isNew ? 201 : 200, 'notificationChannel', shown(channel, call), { location: urlOf(channel, call) })
  }

  listChannels: NmsOperation = async (call) => {
    const channels = await this.#needs.channels.list(call.owner)
    return answer(200, 'notificationChannelList', {
      notificationChannel: channels.map((channel) => shown(channel, call)),
      resourceURL: channelsUrl(call),
    })
  }

  getChannel: NmsOperation = async (call) => answer(200, 'notificationChannel', shown(await this.#find(call), call))

  deleteChannel: NmsOperation = async (call) => {
    if (!(await this.#needs.channels.remove(call.owner, idIn(call)))) throw unknown()
    return noContent
  }

  getChannelLifetime: NmsOperation = async (call) => {
    const { lifetime } = await this.#find(call)
    return answer(200, 'notificationChannelLifetime', { channelLifetime: lifetime })
  }

  putChannelLifetime: NmsOperation = async (call) => {
    const { channelLifetime } = call.read('notificationChannelLifetime')
    const channel = await this.#needs.channels.prolong(call.owner, idIn(call), lifetimeOf(channelLifetime))
    if (channel === undefined) throw unknown()
    return answer(200, 'notificationChannelLifetime', { channelLifetime: channel.lifetime })
  }

  /** Held until there is a notification; an empty list where there was none in time. */
  pollChannel: NmsOperation = async (call) => {
    const { notifications, sent } = await this.#needs.polls.poll(await this.#find(call), call.signal)
    return {
      status: 200,
      headers: { 'content-type': `${mediaTypeOf[call.format]}; charset=utf-8` },
      content: Buffer.from(writeNotificationList(call.format, notifications)),
      onSent: (whole) => void sent(whole).catch(() => {}), // it is told again: the lease ends by itself
    }
  }

  pollChannelAgain: NmsOperation = (call) => this.pollChannel(call)

  async #find(call: NmsCall): Promise<NotificationChannel> {
    const channel = await this.#needs.channels.find(call.owner, idIn(call))
    if (channel === undefined) throw unknown()
    return channel
  }
}

const lifetimeOf = (asked: number | undefined): number => Math.min(longestLifetime, asked || usualLifetime)

const channelsUrl = ({ root, params }: NmsCall): string =>
  `${root}/notificationchannel/v1/${encodeURIComponent(params.boxId ?? '')}/channels`

const urlOf = ({ id }: NotificationChannel, call: NmsCall): string => `${channelsUrl(call)}/${id}`

/** As whoever asks calls the server. */
function shown(channel: NotificationChannel, call: NmsCall): Structure<'NotificationChannel'> {
  const { correlator, tag, maxNotifications, lifetime } = channel
  const resourceURL = urlOf(channel, call)
  return {
    ...(correlator !== undefined && { clientCorrelator: correlator }),
    ...(tag !== undefined && { applicationTag: tag }),
    channelType: 'LongPolling',
    channelData: { channelURL: `${resourceURL}/notifications`, maxNotifications },
    channelLifetime: lifetime,
    callbackURL: `${resourceURL}/callback`,
    resourceURL,
  }
}

function idIn(call: NmsCall): string {
  const id = call.params.channelId ?? ''
  if (!isId(id)) throw unknown()
  return id
}

const unknown = () => new NmsFault(404, 'SVC0004', ['Request-URI'])

const malformed = (element: string) => new Failure('malformed', element)
