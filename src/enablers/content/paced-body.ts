import type { IncomingMessage } from 'node:http'

export interface Pace {
  /** Milliseconds after which another look is taken. */
  readonly every: number
  /** The least that has to come meanwhile, unless it is the server that is slow. */
  readonly least: number
}

/** The body of a request, piece by piece. A client that sends next to nothing does not hold a place for ever. */
export async function* pacedBody(request: IncomingMessage, { every, least }: Pace): AsyncGenerator<Buffer> {
  let [came, waiting] = [0, true]
  const timer = setInterval(() => {
    if (waiting && came < least) request.destroy(new Error('the body does not come'))
    came = 0
  }, every)
  try {
    for await (const bytes of request.iterator({ destroyOnReturn: false })) {
      came += (bytes as Buffer).length
      waiting = false
      yield bytes as Buffer
      waiting = true
    }
  } finally {
    clearInterval(timer)
  }
}
