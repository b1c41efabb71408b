/** Bytes that are not STUN. */
export class MalformedStun extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedStun'
  }
}
