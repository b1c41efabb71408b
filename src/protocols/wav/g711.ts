/** The codecs of ITU-T G.711, by their names in SDP (RFC 3551 §4.5.14). */
export type G711 = 'PCMU' | 'PCMA'

const decoded: Readonly<Record<G711, Int16Array>> = {
  PCMU: Int16Array.from({ length: 256 }, (_, code) => linearOfMu(code)),
  PCMA: Int16Array.from({ length: 256 }, (_, code) => linearOfA(code)),
}

/** The linear sample, of 16 bits, that each code stands for. */
export const samplesOf = (law: G711): Int16Array => decoded[law]

/** ITU-T G.711, table 2: the bits are sent inverted. */
function linearOfMu(code: number): number {
  const bits = ~code & 0xff
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4)) - 0x84
  return (bits & 0x80) === 0 ? magnitude : -magnitude
}

/** ITU-T G.711, table 1: even bits are sent inverted. */
function linearOfA(code: number): number {
  const bits = code ^ 0x55
  const segment = (bits & 0x70) >> 4
  const mantissa = (bits & 0x0f) << 4
  const magnitude = segment === 0 ? mantissa + 8 : (mantissa + 0x108) << (segment - 1)
  return (bits & 0x80) === 0 ? -magnitude : magnitude
}
