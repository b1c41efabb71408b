import { mediaType } from '../../../protocols/mime/content-type.ts'
import type { NmsFormat } from '../../../protocols/nms/write-nms.ts'

const formats: Readonly<Record<string, NmsFormat>> = {
  'application/json': 'json',
  'application/xml': 'xml',
  'text/xml': 'xml',
}

export const mediaTypeOf: Readonly<Record<NmsFormat, string>> = { json: 'application/json', xml: 'application/xml' }

/** The format that a Content-Type says, if it is one of ours. */
export const formatOfType = (contentType: string | undefined): NmsFormat | undefined =>
  contentType === undefined ? undefined : formats[mediaType(contentType)]

interface Asked {
  readonly accept: string | undefined
  readonly contentType: string | undefined
  /** The query parameter of those who cannot set header fields. */
  readonly resFormat: unknown
}

/**
 * The format of the answer (REST_NetAPI_Common §5.6): what `Accept` prefers, then the format of the request. Undefined where
 * neither is accepted.
 */
export function formatOfAnswer({ accept, contentType, resFormat }: Asked): NmsFormat | undefined {
  if (typeof resFormat === 'string') return formats[`application/${resFormat.toLowerCase()}`]
  const usual = formatOfType(contentType) ?? 'json'
  if (accept === undefined || accept.trim() === '') return usual
  const ranges = accept.split(',', 64).map(readRange)
  const [json, xml] = [qualityIn(ranges, ['application/json']), qualityIn(ranges, ['application/xml', 'text/xml'])]
  if (json === 0 && xml === 0) return undefined
  if (json === xml) return usual
  return json > xml ? 'json' : 'xml'
}

interface Range {
  readonly type: string
  readonly quality: number
}

function readRange(text: string): Range {
  const [, quality] = /;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*(?:;|$)/i.exec(text) ?? []
  return { type: mediaType(text), quality: quality === undefined ? 1 : Number(quality) }
}

/** The most specific range that names a type decides (RFC 9110 §12.5.1). */
function qualityIn(ranges: readonly Range[], types: readonly string[]): number {
  const qualities = types.map((type) => {
    for (const range of [type, `${type.split('/', 1)[0]}/*`, '*/*']) {
      const found = ranges.find((one) => one.type === range)
      if (found !== undefined) return found.quality
    }
    return 0
  })
  return Math.max(...qualities)
}
