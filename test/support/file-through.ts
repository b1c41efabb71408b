import { createHash, randomBytes } from 'node:crypto'
import { sdpAttribute } from './chat-sdp.ts'
import { FileReceiver, FileSender } from './file-ends.ts'
import { fileLine, sessionOf } from './file-sdp.ts'
import { MsrpStream, newPath } from './msrp-stream.ts'
import type { Phone } from './phone.ts'
import { type PhoneDialog, PlacedCall, ReceivedCall } from './phone-call.ts'

const mebibyte = 1024 * 1024

/** A transfer that has been agreed on, of a file that is nowhere whole. */
export class FileThrough {
  readonly bytes: number
  readonly sender: FileSender
  readonly receiver: FileReceiver
  readonly #dialog: PhoneDialog
  readonly #hash = createHash('sha256')

  private constructor(bytes: number, sender: FileSender, receiver: FileReceiver, dialog: PhoneDialog) {
    this.bytes = bytes
    this.sender = sender
    this.receiver = receiver
    this.#dialog = dialog
  }

  static async open(caller: Phone, callee: Phone, mebibytes: number): Promise<FileThrough> {
    const [near, far] = [newPath(), newPath()]
    const size = mebibytes * mebibyte
    const placed = new PlacedCall(caller, callee.aor, {
      sdp: sessionOf(fileLine({ path: near, direction: 'sendonly', size })),
    })
    const received = await ReceivedCall.next(callee)
    const answering = received.answer(sessionOf(fileLine({ path: far, direction: 'recvonly', size })))
    const { response, dialog } = await placed.answered()
    await answering
    const [toCaller = '', toCallee = ''] = [response, received.invite].map(
      ({ text }) => sdpAttribute(text, 'path') ?? '',
    )
    const receiver = new FileReceiver(await openTo(toCallee, far), toCallee)
    return new FileThrough(size, new FileSender(await openTo(toCaller, near), toCaller), receiver, dialog)
  }

  /** Sends all of it, in chunks of 1 MiB; resolves with the status. */
  send(): Promise<string> {
    return this.sender.send(this.#pieces(), this.bytes)
  }

  /** What the whole file, once sent, has for its hash. */
  digest(): string {
    return this.#hash.digest('hex')
  }

  async close(): Promise<void> {
    await this.#dialog.bye()
    this.sender.stream.close()
    this.receiver.stream.close()
  }

  /** The server gets a few of these before the first is through: each has its own bytes. */
  *#pieces(): Generator<Buffer> {
    for (let at = 0; at < this.bytes; at += mebibyte) {
      const piece = randomBytes(mebibyte)
      this.#hash.update(piece)
      yield piece
    }
  }
}

/** A connection to where the path of the server leads. */
const openTo = (path: string, own: string) => MsrpStream.open(Number(/:(\d+)\//.exec(path)?.[1]), own)
