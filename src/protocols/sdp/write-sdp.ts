import type {
  Attribute,
  Bandwidth,
  Connection,
  MediaDescription,
  SessionDescription,
  Timing,
} from './session-description.ts'

/** The bytes of a session description, as RFC 8866 §9 orders its lines. */
export const writeSdp = (description: SessionDescription): Buffer => Buffer.from(sdpText(description), 'latin1')

/** The same as latin1 text. */
export function sdpText(description: SessionDescription): string {
  const { origin } = description
  let text = 'v=0\r\n'
  text += `o=${origin.username} ${origin.sessionId} ${origin.version} ${addressOf(origin)}\r\n`
  text += line('s', description.sessionName) + line('i', description.information) + line('u', description.uri)
  for (const email of description.emails) text += line('e', email)
  for (const phone of description.phones) text += line('p', phone)
  text += connectionLine(description.connection) + bandwidthLines(description.bandwidth)
  for (const timing of description.times) text += timingLines(timing)
  text += line('k', description.key) + attributeLines(description.attributes)
  for (const media of description.media) text += mediaLines(media)
  return text
}

const line = (type: string, value: string | undefined): string => (value === undefined ? '' : `${type}=${value}\r\n`)

const addressOf = ({ networkType, addressType, address }: Connection): string =>
  `${networkType} ${addressType} ${address}`

const connectionLine = (connection: Connection | undefined): string =>
  connection === undefined ? '' : line('c', addressOf(connection))

function bandwidthLines(bandwidth: readonly Bandwidth[]): string {
  let text = ''
  for (const { type, value } of bandwidth) text += `b=${type}:${value}\r\n`
  return text
}

function attributeLines(attributes: readonly Attribute[]): string {
  let text = ''
  for (const { name, value } of attributes) text += value === undefined ? `a=${name}\r\n` : `a=${name}:${value}\r\n`
  return text
}

function timingLines({ start, stop, repeats, zone }: Timing): string {
  let text = `t=${start} ${stop}\r\n`
  for (const repeat of repeats) text += line('r', repeat)
  return text + line('z', zone)
}

function mediaLines(media: MediaDescription): string {
  const count = media.portCount === undefined ? '' : `/${media.portCount}`
  let text = `m=${media.media} ${media.port}${count} ${media.protocol} ${media.formats.join(' ')}\r\n`
  text += line('i', media.information) + connectionLine(media.connection)
  for (const connection of media.furtherConnections ?? []) text += connectionLine(connection)
  return text + bandwidthLines(media.bandwidth) + line('k', media.key) + attributeLines(media.attributes)
}
