/** Sound as numbers: 16 bits, one channel. */
export interface Sound {
  readonly rate: number
  readonly samples: Int16Array
}

/** A sine of that frequency, at half of full scale. */
export function tone(frequency: number, seconds: number, rate = 8_000): Sound {
  const samples = Int16Array.from({ length: seconds * rate }, (_, at) =>
    Math.round(16_384 * Math.sin((2 * Math.PI * frequency * at) / rate)),
  )
  return { rate, samples }
}

const headLength = 44

/** A WAV file of PCM. */
export function writeWav({ rate, samples }: Sound): Buffer {
  const data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)
  const head = Buffer.alloc(headLength)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + data.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(2 * rate, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36)
  head.writeUInt32LE(data.length, 40)
  return Buffer.concat([head, data])
}

/** Reads one, also while it is being written: its head may not be there yet, and `rate` is then what it will say. */
export function readWav(bytes: Buffer, rate = 8_000): Sound {
  const length = Math.max(0, bytes.length - headLength) >> 1
  const samples = Int16Array.from({ length }, (_, index) => bytes.readInt16LE(headLength + 2 * index))
  return { rate: length > 0 ? bytes.readUInt32LE(24) || rate : rate, samples }
}

/** How long a tone is heard. */
export interface Heard {
  /** Seconds, in tenths, in which next to nothing is heard but the tone. */
  readonly seconds: number
  /** Seconds in which it is not, between the first and the last in which it is. */
  readonly gaps: number
}

export function hear(frequency: number, { rate, samples }: Sound): Heard {
  const window = rate / 10
  const heard: number[] = []
  for (let at = 0; (at + 1) * window <= samples.length; at++) {
    if (shareOf(frequency, samples.subarray(at * window, (at + 1) * window), rate) > 0.9) heard.push(at)
  }
  const spanned = (heard.at(-1) ?? -1) - (heard[0] ?? 0) + 1
  return { seconds: heard.length / 10, gaps: (spanned - heard.length) / 10 }
}

/** The share of the power that is at that frequency; 0 in silence. */
function shareOf(frequency: number, samples: Int16Array, rate: number): number {
  const factor = 2 * Math.cos((2 * Math.PI * frequency) / rate)
  let [before, last, power] = [0, 0, 0]
  for (const sample of samples) {
    ;[before, last] = [last, sample + factor * last - before]
    power += sample * sample
  }
  const atFrequency = before * before + last * last - factor * before * last
  return power < samples.length * 100 ** 2 ? 0 : (2 * atFrequency) / (samples.length * power)
}
