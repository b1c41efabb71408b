/** The command line is wrong: said with a hint at the right one, and the program ends with 2. */
export class UsageFault extends Error {
  /** The command that was meant, where that is known. */
  readonly command: string | undefined
  constructor(message: string, command?: string) {
    super(message)
    this.name = 'UsageFault'
    this.command = command
  }
}
