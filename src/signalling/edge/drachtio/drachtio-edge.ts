import { type EdgeNeeds, SipEdge } from '../sip-edge.ts'
import { type DrachtioOptions, DrachtioStack } from './drachtio-stack.ts'

interface Needs extends EdgeNeeds {
  readonly stack: DrachtioOptions
}

/** The SIP port over drachtio-srf and a drachtio-server beside this process. */
export class DrachtioEdge extends SipEdge {
  constructor(needs: Needs) {
    super(needs, (user) => new DrachtioStack(needs.stack, user))
  }
}
