/** Bytes that are neither RTP nor RTCP. */
export class MalformedRtp extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedRtp'
  }
}
