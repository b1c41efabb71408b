/** An RTCP packet of talk burst control that does not hold what its subtype has. */
export class MalformedFloor extends Error {
  constructor(note: string) {
    super(note)
    this.name = 'MalformedFloor'
  }
}
