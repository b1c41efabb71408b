/** Thrown for a document that is not application/im-iscomposing+xml. */
export class MalformedIsComposing extends Error {
  constructor(problem: string) {
    super(problem)
    this.name = 'MalformedIsComposing'
  }
}
