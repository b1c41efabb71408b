import { type Bencode, type Dictionary, isDictionary } from '../../protocols/bencode/bencode.ts'

/** How many packets rtpengine has had of the party with that tag, RTCP included; from its reply to `query`. */
export function packetsOf(tag: string, { tags }: Dictionary): number {
  const medias = isDictionary(tags) ? at(tags[tag], 'medias') : undefined
  return listOf(medias)
    .flatMap((media) => listOf(at(media, 'streams')))
    .map((stream) => at(at(stream, 'stats'), 'packets'))
    .reduce<number>((sum, packets) => sum + (typeof packets === 'number' ? packets : 0), 0)
}

const at = (of: Bencode | undefined, key: string): Bencode | undefined => (isDictionary(of) ? of[key] : undefined)

const listOf = (of: Bencode | undefined): readonly Bencode[] => (Array.isArray(of) ? of : [])
