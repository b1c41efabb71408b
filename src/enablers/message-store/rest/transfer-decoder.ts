import { MalformedMime } from '../../../protocols/mime/malformed-mime.ts'

/** Takes off a Content-Transfer-Encoding, piece by piece (RFC 2045 §6). */
export interface TransferDecoder {
  read(bytes: Buffer): Buffer
  /** What is left, when no more comes. */
  end(): Buffer
}

const none = Buffer.alloc(0)
const identity: TransferDecoder = { read: (bytes) => bytes, end: () => none }

/** Throws MalformedMime for an encoding that there is not. */
export function transferDecoder(encoding: string | undefined): TransferDecoder {
  const name = (encoding ?? '').trim().toLowerCase()
  if (name === 'base64') return new Base64Decoder()
  if (name === 'quoted-printable') return new QuotedPrintableDecoder()
  if (['', '7bit', '8bit', 'binary'].includes(name)) return identity
  throw new MalformedMime('unknown Content-Transfer-Encoding')
}

class Base64Decoder implements TransferDecoder {
  /** Characters that are no whole group of four yet. */
  #rest = ''
  #padded = false

  read(bytes: Buffer): Buffer {
    const text = this.#rest + bytes.toString('latin1').replace(/[\r\n\t ]/g, '')
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || (this.#padded && text !== '')) throw new MalformedMime('not base64')
    const whole = text.length - (text.length % 4)
    this.#rest = text.slice(whole)
    this.#padded = text.slice(0, whole).endsWith('=')
    return Buffer.from(text.slice(0, whole), 'base64')
  }

  end(): Buffer {
    if (this.#rest !== '') throw new MalformedMime('not base64')
    return none
  }
}

/** RFC 2045 §6.7: what is no `=` and two digits stands for itself. */
class QuotedPrintableDecoder implements TransferDecoder {
  #rest = ''

  read(bytes: Buffer): Buffer {
    const text = this.#rest + bytes.toString('latin1')
    const last = text.lastIndexOf('=')
    const cut = last !== -1 && last > text.length - 3 ? last : text.length
    this.#rest = text.slice(cut)
    return decoded(text.slice(0, cut))
  }

  end(): Buffer {
    return decoded(this.#rest.replace(/=\r?$/, ''))
  }
}

const decoded = (text: string): Buffer =>
  Buffer.from(
    text.replace(/=(?:\r?\n|([0-9A-Fa-f]{2}))/g, (_, digits?: string) =>
      digits === undefined ? '' : String.fromCharCode(Number.parseInt(digits, 16)),
    ),
    'latin1',
  )
