export interface WavFormat {
  readonly channels: number
  /** Samples a second of each channel; they have 16 bits. */
  readonly rate: number
}

export const wavHeadBytes = 44

/** What comes before so many bytes of samples: RIFF, with linear PCM in it. */
export function writeWavHead({ channels, rate }: WavFormat, dataBytes: number): Buffer {
  const head = Buffer.alloc(wavHeadBytes)
  const frameBytes = 2 * channels
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(wavHeadBytes - 8 + dataBytes, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(channels, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(rate * frameBytes, 28)
  head.writeUInt16LE(frameBytes, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(dataBytes, 40)
  return head
}
