import { readTalkBurst } from '../../src/protocols/floor/read-talk-burst.ts'
import type { TalkBurst } from '../../src/protocols/floor/talk-burst.ts'
import { readRtcp } from '../../src/protocols/rtp/read-rtcp.ts'
import { RtpParty, RtpSocket } from '../media/rtp/rtp-party.ts'
import { voiceSdp } from './voice-phone.ts'

type Message<Type extends TalkBurst['type']> = TalkBurst & { readonly type: Type }

const isOf = <Type extends TalkBurst['type']>(type: Type, message: TalkBurst): message is Message<Type> =>
  message.type === type

/** The voice of a phone with a button to speak. */
export class FloorPhone {
  readonly voice: RtpParty
  readonly #control: RtpSocket
  #server = 0

  static async open(ssrc: number): Promise<FloorPhone> {
    return new FloorPhone(await RtpParty.open(ssrc), await RtpSocket.open())
  }

  constructor(voice: RtpParty, control: RtpSocket) {
    this.voice = voice
    this.#control = control
  }

  sdp({ version = 1, parameters = '', control = true } = {}): string {
    const line = `m=application ${control ? this.#control.port : 0} udp TBCP\r\n`
    return voiceSdp(this.voice, { version, more: `${line}${parameters && `a=fmtp:TBCP ${parameters}\r\n`}` })
  }

  /** The port of the server that the button goes to. */
  reach(server: number): void {
    this.#server = server
  }

  request(priority?: number): void {
    this.#send(0, priority === undefined ? [] : [102, 2, 0, priority])
  }

  release(): void {
    this.#send(4, [0, 0, 0x80, 0])
  }

  askPosition(): void {
    this.#send(8, [])
  }

  /** The next message of that type; what is repeated before it is passed over. */
  async hear<Type extends TalkBurst['type']>(type: Type): Promise<Message<Type>> {
    for (;;) {
      const [packet] = readRtcp((await this.#control.receive()).packet)
      const message = packet?.type === 'APP' ? readTalkBurst(packet) : undefined
      if (message !== undefined && isOf(type, message)) return message
    }
  }

  close(): void {
    this.voice.close()
    this.#control.close()
  }

  /** RTCP APP with the name PoC1 (OMA PoC User Plane §6.5). */
  #send(subtype: number, data: readonly number[]): void {
    const packet = Buffer.alloc(12 + data.length)
    packet.writeUInt8(0x80 | subtype, 0)
    packet.writeUInt8(204, 1)
    packet.writeUInt16BE(2 + data.length / 4, 2)
    packet.writeUInt32BE(this.voice.ssrc, 4)
    packet.write('PoC1', 8, 'latin1')
    Buffer.from(data).copy(packet, 12)
    this.#control.send(packet, this.#server)
  }
}
